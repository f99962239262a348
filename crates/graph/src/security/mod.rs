//! What was judged, what risk that is, and what was done about it.

mod decisions;
mod deviations;
mod document;
mod responses;
mod risks;
mod standing;

pub use decisions::{DecisionRow, DecisionsBody, policy_decisions};
pub use deviations::{Baseline, DeviationsBody, security_deviations};
pub use document::{Judging, Query, SecurityDocument};
pub use responses::{Response, ResponseItem, ResponseStep, ResponsesBody, security_responses};
pub use risks::{Risk, RiskItem, RisksBody, security_risks};
pub use standing::Standing;
