//! What a review of commits decided.

use crate::content::ContentId;
use crate::ids::RunId;
use serde::{Deserialize, Serialize};

/// First segment of the id of every log of decisions.
pub const REVIEWS: &str = "reviews";

impl RunId {
    /// Whether the log holds decisions of reviews, and no recording.
    pub fn is_of_reviews(&self) -> bool {
        self.as_str().strip_prefix(REVIEWS).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// What follows from a review, least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewOutcome {
    /// Nothing stands against it.
    Allow,
    /// Somebody has to look.
    Warn,
    /// It must not be merged.
    Block,
}

impl ReviewOutcome {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }
}

/// A decision about a commit, and the digests of all that it was made from. The same review of the same commits says the
/// same, whenever it is made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewDecision {
    /// Derived from inputs, policy and rules.
    pub decision_id: String,
    /// Derived from the inputs.
    pub analysis_id: String,
    /// The repository, as the review names it.
    pub repository: String,
    /// Commit before, as it was named.
    pub base_commit: String,
    /// Commit after, which was judged.
    pub head_commit: String,
    /// What follows.
    pub outcome: ReviewOutcome,
    /// The rules of the policy that fired, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What was reviewed.
    pub inputs_sha256: ContentId,
    /// The lines with their owners.
    pub lines_sha256: ContentId,
    /// The findings.
    pub findings_sha256: ContentId,
    /// The policy, waivers included.
    pub policy_sha256: ContentId,
    /// The rules of all engines.
    pub rules_sha256: ContentId,
    /// Version of the program that decided.
    pub version: String,
}
