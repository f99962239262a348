//! Views and queries over the facts of a store. Nothing here writes facts.
//!
//! A view is a pure function of facts and the tree size that it was asked for: asked twice, it gives the same
//! bytes. Counts come from the tallies kept at append, never from a walk over the run.

pub mod attempts;
pub mod error;
pub mod processes;
pub mod result_set;
pub mod selection;

pub use attempts::{Attempt, AttemptState};
pub use error::GraphError;
pub use processes::{Process, ProcessTable};
pub use selection::{Selected, select_run};
