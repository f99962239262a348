//! What is merely said about authors: by commits, records and notes.

mod agent_trace;
mod git_ai;
mod trailers;

pub use agent_trace::{AgentTrace, TraceError};
pub(super) use git_ai::notes;
pub use trailers::agent_of_commit;
pub(super) use trailers::commit_claims;

use crate::lines::LineNumber;

/// A range of lines that somebody speaks of, at a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SaidRange {
    pub(super) path: String,
    pub(super) first: LineNumber,
    pub(super) last: LineNumber,
    pub(super) claim: crate::attribution::claim::Claim,
}
