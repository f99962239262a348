//! A review in the forms that other tools read.

mod line_hash;
mod sarif;
mod version_control;
mod workflow;

pub use line_hash::line_hashes;
pub use sarif::sarif;
pub use version_control::{VersionControl, public_uri};
pub use workflow::workflow_commands;
