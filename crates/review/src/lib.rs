//! The review of a change: who wrote each line, what is wrong with it, and what follows.

pub mod attribution;
pub mod change;
pub mod detect;
pub mod finding;
mod finding_id;
pub mod governance;
pub mod lines;
pub mod report;
pub mod review;

pub use finding::{AuthorSuppression, Category, Cwe, Engine, Finding, Fingerprint, RuleId, Severity};
pub use finding_id::{FindingId, FindingIdError};
pub use lines::{LineNumber, LineSet};
pub use review::{FindingStatus, Review, ReviewedFinding, analyse, analyse_with};
