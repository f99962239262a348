//! Views and queries over the facts of a store. Nothing here writes facts.
//!
//! A view is a pure function of facts and the tree size that it was asked for: asked twice, it gives the same
//! bytes. Counts come from the tallies kept at append, never from a walk over the run.

pub mod attempts;
pub mod blame;
pub mod coverage;
pub mod diff;
pub mod error;
pub mod evidence_manifest;
pub mod explain;
pub mod export;
pub mod materialize;
pub mod model_calls;
pub mod objects;
pub mod observe;
pub mod processes;
pub mod reconcile;
pub mod record_manifest;
pub mod refs;
pub mod result_set;
pub mod run_log;
pub mod runs;
pub mod scope_context;
pub mod security;
pub mod selection;
pub mod show;
pub mod telemetry;
pub mod timeline;
pub mod tool_calls;
pub mod trace;
pub mod verify;
pub mod versions;

pub use attempts::{Attempt, AttemptState};
pub use error::GraphError;
pub use processes::{Process, ProcessTable};
pub use selection::{Selected, select_run};
pub use timeline::{Timeline, TimelineQuery, TimelineView, timeline};
pub use tool_calls::ToolCalls;
