//! The review of a change: who wrote each line, what is wrong with it, and what follows.

pub mod attribution;
pub mod change;
pub mod detect;
pub mod finding;
pub mod lines;

pub use finding::{AuthorSuppression, Category, Cwe, Engine, Finding, Fingerprint, RuleId, Severity};
pub use lines::{LineNumber, LineSet};
