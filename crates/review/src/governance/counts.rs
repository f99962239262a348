//! What a policy looks at: counts, of which none makes a change better by growing.

use crate::finding::{Category, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a pull request went through, from whoever watches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PullRequestSignals {
    /// Blocks by bots that were merged over.
    pub bot_block_overrides: u64,
    /// Commits that were replaced by force after an approval.
    pub force_push_after_approval: u64,
}

/// What is counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Open findings by severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// Open findings by category.
    pub by_category: BTreeMap<Category, u64>,
    /// Lines with no owner on the ground that the policy asks for.
    pub unknown_lines: u64,
    /// Lines whose claims contradict each other.
    pub contradicted_lines: u64,
    /// What was not scanned.
    pub gaps: u64,
    /// The change alters the rules by which it would be judged.
    pub policy_changes: u64,
    /// What the pull request went through.
    #[serde(flatten)]
    pub signals: PullRequestSignals,
}

impl Counts {
    /// Counts an open finding.
    pub fn finding(&mut self, severity: Severity, category: &Category) {
        *self.by_severity.entry(severity).or_default() += 1;
        *self.by_category.entry(category.clone()).or_default() += 1;
    }

    /// Open findings of a severity.
    pub fn severity(&self, severity: Severity) -> u64 {
        self.by_severity.get(&severity).copied().unwrap_or(0)
    }

    /// Open findings of a category.
    pub fn category(&self, category: &str) -> u64 {
        self.by_category.iter().find(|(name, _)| name.as_str() == category).map_or(0, |(_, count)| *count)
    }
}
