//! Finding weaknesses in changed files.
//!
//! Invariant: what was not looked at is a [`CoverageGap`]. A detector that fails, a file that can't be read and a
//! part that can't be parsed each leave one, so that no silence is taken for a clean result.

pub mod builtin;
mod capability;
pub mod custom;
mod gap;
mod input;
mod language;
mod outside;
mod process;
mod registry;
pub mod semgrep;
mod setting;
mod suppression;
mod text;

pub use builtin::{Builtin, RulePack};
pub use capability::Capability;
pub use custom::Custom;
pub use gap::{CoverageGap, GapReason};
pub use input::ScanFile;
pub use language::Language;
pub use process::Limits;
pub use registry::{Detector, Registry, Scan};
pub use semgrep::Semgrep;
pub use setting::{DetectorSetting, Withheld};
