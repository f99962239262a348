//! Counts over the lines of a change, by agent: all that analytics needs of them.

use crate::analysis::attribution::{LineBasis, Worth};
use crate::error::ServerError;
use crate::github::PullRequest;
use agentprov_review::FindingId;
use agentprov_review::change::{ChangedLine, LineChange};
use agentprov_store::JobRow;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How an agent is called that nobody named.
pub const UNKNOWN: &str = "unknown";

/// Counts over an agent's lines.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct AgentTally {
    /// New lines.
    pub added: u64,
    /// Changed lines.
    pub modified: u64,
    /// Removed lines.
    pub deleted: u64,
    /// Lines whose author rests on a signature or on evidence.
    pub verified: u64,
    /// New and changed lines whose content was there to be scanned.
    pub scanned: u64,
    /// Lines with content that is not blank.
    pub scored: u64,
    /// Characters of those that are not blank.
    pub characters: u64,
    /// The most characters of a line.
    pub longest: u64,
    /// Lines by first part of the path.
    pub top_paths: BTreeMap<String, u64>,
    /// Lines by path.
    pub paths: BTreeMap<String, u64>,
    /// Open findings, by category and severity.
    pub findings: BTreeMap<String, BTreeMap<String, u64>>,
}

impl AgentTally {
    /// All lines.
    pub fn lines(&self) -> u64 {
        self.added + self.modified + self.deleted
    }

    /// Open findings by severity.
    pub fn by_severity(&self) -> BTreeMap<&str, u64> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (severity, count) in self.findings.values().flatten() {
            *counts.entry(severity).or_default() += count;
        }
        counts
    }
}

/// What analytics keeps of an analysis.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// The repository.
    pub repo: String,
    /// The pull request.
    pub pr_number: String,
    /// The branch.
    pub branch: Option<String>,
    /// What was decided.
    pub outcome: String,
    /// By agent; [`UNKNOWN`] for lines of nobody.
    pub agents: BTreeMap<String, AgentTally>,
    /// What was found.
    #[serde(default)]
    pub found: Vec<Found>,
    /// What GitHub said of the pull request.
    #[serde(default)]
    pub pull_request: Option<Arc<PullRequest>>,
    /// Files that could not be scanned; none for the change as a whole.
    #[serde(default)]
    pub unscanned: BTreeSet<Option<String>>,
}

/// A finding, as far as analytics needs it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Its id.
    pub finding_id: FindingId,
    /// Its category.
    pub category: String,
    /// Whose line it stands on.
    pub agent: String,
    /// The file.
    pub path: String,
}

impl Tally {
    /// What was kept of an analysis.
    ///
    /// # Errors
    /// [`ServerError::Kept`] where it can't be read.
    pub fn read(row: &JobRow) -> Result<Self, ServerError> {
        serde_json::from_slice(row.summary.as_deref().unwrap_or_default())
            .map_err(|error| ServerError::Kept { id: row.id.clone(), why: error.to_string() })
    }

    /// Whether a file of the change was scanned.
    pub fn scanned(&self, path: &str) -> bool {
        let there = self.agents.values().any(|agent| agent.paths.contains_key(path));
        there && !self.unscanned.contains(&None) && !self.unscanned.contains(&Some(path.to_owned()))
    }
}

/// Counts over all lines of a change.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lines {
    /// By agent.
    pub agents: BTreeMap<String, AgentTally>,
    /// All lines.
    pub total: u64,
    /// Lines that name an agent.
    pub attributed: u64,
    /// Sum of the confidence of all lines.
    pub confidence: f64,
    /// Lines that a signature contradicts.
    pub refuted: u64,
}

/// The name under which an agent's lines count. An agent that calls itself unknown is told from nobody nowhere else
/// either.
pub fn agent_name(agent_id: &str) -> &str {
    if agent_id.is_empty() { UNKNOWN } else { agent_id }
}

impl Lines {
    /// Counts lines, each with what its author is worth.
    pub fn of(changed: &[ChangedLine], worths: &[Worth]) -> Self {
        let mut lines = Self::default();
        for (line, worth) in changed.iter().zip(worths) {
            lines.total += 1;
            lines.attributed += u64::from(!line.attribution.agent_id.is_empty());
            lines.confidence += worth.confidence;
            lines.refuted += u64::from(worth.basis == LineBasis::Refuted);
            let tally = lines.agents.entry(agent_name(&line.attribution.agent_id).to_owned()).or_default();
            match line.change_type {
                LineChange::Added => tally.added += 1,
                LineChange::Modified => tally.modified += 1,
                LineChange::Deleted => tally.deleted += 1,
            }
            tally.verified += u64::from(worth.basis.is_verified());
            if let Some(content) = &line.content {
                tally.scanned += u64::from(line.change_type != LineChange::Deleted && line.line_number > 0);
                let characters = content.chars().filter(|character| !character.is_whitespace()).count() as u64;
                tally.scored += u64::from(characters > 0);
                tally.characters += characters;
                tally.longest = tally.longest.max(characters);
            }
            let top = line.file_path.split('/').next().unwrap_or_default();
            *tally.top_paths.entry(top.to_owned()).or_default() += 1;
            *tally.paths.entry(line.file_path.clone()).or_default() += 1;
        }
        lines
    }

    /// Attributed lines in percent; 100 where there are none, as the existing service has it.
    pub fn coverage_percent(&self) -> f64 {
        if self.total == 0 { 100.0 } else { self.attributed as f64 * 100.0 / self.total as f64 }
    }
}
