//! A pull request, as far as decisions and analytics need it: logins, states and times, no texts of people.

use serde::{Deserialize, Serialize};

/// A pull request.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PullRequest {
    /// Who opened it; empty where the account is gone.
    pub author: String,
    /// When it was opened, in seconds since 1970.
    pub created_at: Option<i64>,
    /// When it was merged.
    pub merged_at: Option<i64>,
    /// Who merged it.
    pub merged_by: Option<String>,
    /// Comments on lines.
    pub review_comments: u64,
    /// Reviews, oldest first.
    pub reviews: Vec<Review>,
    /// Commits, as they stand in it.
    pub commits: Vec<Commit>,
    /// When its commits were replaced by force.
    pub force_pushes: Vec<i64>,
    /// Checks of the head commit.
    pub checks: Vec<Check>,
    /// The agent that a label names.
    pub label_agent: Option<String>,
    /// What could not be learnt, and why.
    pub missing: Vec<String>,
}

/// A review.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub author: String,
    /// Whether that is a bot.
    pub is_bot: bool,
    /// What it says.
    pub state: ReviewState,
    /// When.
    pub at: Option<i64>,
}

/// What a review says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// It is good.
    Approved,
    /// It must not be merged so.
    ChangesRequested,
    /// Neither.
    Commented,
    /// It was withdrawn.
    Dismissed,
}

/// A commit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Commit {
    /// Its name.
    pub sha: String,
    /// When it was written.
    pub at: Option<i64>,
    /// The agent that it names.
    pub agent: Option<String>,
    /// Whether anybody is known to have written it.
    pub has_author: bool,
}

/// A check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Whether it has ended, and in a failure.
    pub failed: bool,
}
