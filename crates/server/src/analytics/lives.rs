//! What became of findings: when each was seen first, and when it was gone.
//!
//! A finding is gone with the first analysis of its pull request that scanned its file and did not find it. One whose
//! file was not scanned is not gone.

use crate::analysis::tally::Tally;
use crate::error::ServerError;
use agentprov_model::EventTime;
use agentprov_review::FindingId;
use agentprov_store::Queue;
use std::collections::{BTreeMap, BTreeSet};

/// A finding over all analyses of its pull request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// Repository.
    pub repo: String,
    /// Whose line it stood on first.
    pub agent: String,
    /// Its category.
    pub category: String,
    path: String,
    /// When it was found first.
    pub detected: EventTime,
    /// When its file was scanned last while it was there, or found to be without it.
    pub seen: EventTime,
    /// When it was gone, and the analysis that did not find it any more.
    pub remediated: Option<(EventTime, String)>,
}

/// Repository and pull request.
pub type PullRequest = (String, String);

/// Findings by pull request and id.
pub type Lives = BTreeMap<PullRequest, BTreeMap<FindingId, Life>>;

/// The lives of all findings, or of those of one pull request, by everything that was analysed.
///
/// # Errors
/// [`ServerError`] when the store can't be read.
pub fn lives(queue: &Queue, only: Option<&PullRequest>) -> Result<Lives, ServerError> {
    let mut all = Lives::new();
    for row in queue.done(EventTime::from_nanos(0), None)? {
        let tally = Tally::read(&row)?;
        let found: BTreeSet<&FindingId> = tally.found.iter().map(|found| &found.finding_id).collect();
        let pull_request = (tally.repo.clone(), tally.pr_number.clone());
        if only.is_some_and(|only| *only != pull_request) {
            continue;
        }
        let lives = all.entry(pull_request).or_default();
        for (id, life) in &mut *lives {
            if life.remediated.is_none() && !found.contains(id) && tally.scanned(&life.path) {
                life.seen = row.updated;
                life.remediated = Some((row.updated, row.id.clone()));
            }
        }
        for found in &tally.found {
            let life = lives.entry(found.finding_id.clone()).or_insert_with(|| Life {
                repo: tally.repo.clone(),
                agent: found.agent.clone(),
                category: found.category.clone(),
                path: found.path.clone(),
                detected: row.updated,
                seen: row.updated,
                remediated: None,
            });
            (life.seen, life.remediated) = (row.updated, None);
        }
    }
    Ok(all)
}
