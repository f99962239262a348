//! Finding weaknesses in changed files.
//!
//! Invariant: what was not looked at is a [`CoverageGap`]. A detector that fails, a file that can't be read and a
//! part that can't be parsed each leave one, so that no silence is taken for a clean result.

mod gap;
mod input;
mod registry;

pub use gap::{CoverageGap, GapReason};
pub use input::{Language, ScanFile};
pub use registry::{Detector, Registry, Scan};
