//! What follows from a review: allow, warn or block.
//!
//! The outcome is the worst of the rules that fire, and a rule fires when a count reaches its threshold. Nothing lowers an
//! outcome: one more finding, unknown line or gap never softens it.

mod counts;
mod decide;
mod environment;
mod outcome;
mod policy;
mod policy_file;
mod signed_waiver;
mod waiver;
mod waiver_file;
mod waivers;

pub use counts::{Counts, PullRequestSignals};
pub use decide::{FiredRule, decide};
pub use environment::{KNOWN_SETTINGS, Setting, SettingError};
pub use outcome::Outcome;
pub use policy::{Limits, Policy};
pub use policy_file::PolicyFileError;
pub use signed_waiver::{PAYLOAD_TYPE as WAIVER_TYPE, Refusal, RefusedWaiver, SignedWaiver, Word};
pub use waiver::{Waiver, WaiverAction, is_date};
pub use waiver_file::{WaiverError, WaiverFile};
pub use waivers::Waivers;
