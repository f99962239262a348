//! Every run of a store, and that the ledger and the runs know the same.

use crate::error::GraphError;
use crate::verify::ledger::LedgerState;
use crate::verify::outcome::{Check, Finding, Outcome, Place, Verdict};
use crate::verify::trust::{Keys, Trust};
use crate::verify::{RunReport, VerifyOptions, first_failure, run_report, verdict};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

/// The report on a whole store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StoreReport {
    /// Store.
    pub store_id: String,
    /// What it comes to: the worst of the ledger and of every run.
    pub verdict: Verdict,
    /// Checks of the ledger, and of the ledger against the runs.
    pub checks: Vec<Check>,
    /// By run, the oldest first.
    pub runs: Vec<RunReport>,
    /// Whose word it rests on.
    pub trust: Trust,
}

impl StoreReport {
    /// The first check of the ledger, else of a run, that failed or could not be decided.
    pub fn first_failure(&self) -> Option<(&Check, &Finding)> {
        first_failure(&self.checks).or_else(|| self.runs.iter().find_map(RunReport::first_failure))
    }
}

/// Verifies the ledger and every run.
///
/// # Errors
/// What the store says where it can't even be read.
pub fn verify_store(reader: &Reader, options: &VerifyOptions<'_>) -> Result<StoreReport, GraphError> {
    let keys = Keys::choose(reader.store(), &options.remembered, &options.keys)?;
    let ledger = LedgerState::load(reader, &keys, &options.remembered)?;
    let mut rows = reader.runs()?;
    rows.reverse();
    let listing = listing_check(&ledger, &rows);
    let mut runs = Vec::with_capacity(rows.len());
    for row in &rows {
        runs.push(run_report(reader, row, options, &keys, &ledger)?);
    }
    let mut checks = ledger.checks;
    checks.push(listing);
    let worst = runs.iter().map(|run| run.verdict).max().unwrap_or(Verdict::Verified);
    Ok(StoreReport {
        store_id: reader.store().id().to_string(),
        verdict: verdict(&checks).max(worst),
        checks,
        runs,
        trust: keys.trust(),
    })
}

fn listing_check(ledger: &LedgerState, rows: &[RunRow]) -> Check {
    const NAME: &str = "runs";
    if ledger.entries.is_none() {
        return Check::skipped(NAME, "the ledger can't be read");
    }
    let listed = ledger.runs();
    let mut findings = Vec::new();
    for (run, entry, _) in &listed {
        if rows.iter().all(|row| row.id != **run) {
            let message = format!("run '{run}' is in the ledger, and nothing of it is in the store");
            let place = Place { name: Some(run.to_string()), ..Place::entry(*entry) };
            findings.push(Finding::new(Outcome::Removed, place, message));
        }
    }
    for row in rows {
        if listed.iter().all(|(run, ..)| **run != row.id) {
            let message = format!("run '{}' is in the store, and not in the ledger", row.id);
            findings.push(Finding::new(Outcome::Unlisted, Place::name(&row.id), message));
        }
    }
    if listed.is_empty() && rows.is_empty() {
        findings.push(Finding::new(Outcome::Nothing, Place::default(), "the store holds no runs"));
    }
    Check::made(NAME, findings, format!("{} runs in the ledger, {} in the store", listed.len(), rows.len()))
}
