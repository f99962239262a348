//! Rules and what follows from them: decisions, risks, responses, taint.
//!
//! A rule set is asked about every event as it is appended. All rules that match are listed and the strictest wins,
//! so that one more rule or one more fact never softens a verdict.

pub mod command;
pub mod diagnostic;
pub mod event;
pub mod gate;
pub mod glob;
pub mod judge;
pub mod load;
pub mod pack;
mod processes;
pub mod respond;
pub mod rules;
pub mod taint;
pub mod telemetry;
pub mod trial;
mod yaml;

pub use diagnostic::Diagnostic;
pub use event::PolicyEvent;
pub use gate::{Denied, RuleGate};
pub use judge::RuleJudge;
pub use load::{LoadError, lint, load};
pub use rules::{Judgement, RuleSet};
pub use telemetry::TelemetryJudge;
