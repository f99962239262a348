//! Questions about many analyses. Each answer is a function of the tallies that analyses leave; no line is read.
//!
//! Invariant: a value without a source is not a number. It has status `not_measured` and says why.

pub mod behavior;
pub mod lives;
pub mod metric;
mod pull_metric;
pub mod reviews;
pub mod selection;
pub mod summary;
pub mod window;

pub use selection::{Filter, Selection};
pub use window::{Span, Window};
