//! `agentprov runs`: the runs of a store, newest first.

use crate::attempts::{Attempt, AttemptState, attempts};
use crate::coverage::{coverage, coverage_clause};
use crate::error::GraphError;
use crate::security::Standing;
use crate::timeline::command_line;
use agentprov_model::{OsBytes, Outcome, ProcessKey, schema, signal};
use agentprov_store::{LedgerEntry, LedgerEvent, Reader, RunRow, StoreError};
use serde::Serialize;

/// `agentprovenance.runs/v1`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Runs {
    /// Name of the document.
    pub schema_version: String,
    /// Runs listed.
    pub run_count: u64,
    /// Removed runs in the store, listed or not.
    pub removed_count: u64,
    /// Newest first.
    pub runs: Vec<RunSummary>,
}

/// One run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunSummary {
    /// Run.
    pub run_id: String,
    /// When its first attempt began; when the log was opened, where that can't be read.
    pub started_at: String,
    /// When something was last appended.
    pub updated_at: String,
    /// Command of the last attempt, as a shell line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The same, argument by argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<OsBytes>>,
    /// How the last attempt ended.
    pub outcome: RunOutcome,
    /// Attempts.
    pub attempts: u64,
    /// Facts.
    pub facts: u64,
    /// What rules found, in one clause. `not judged` is not the same as clean.
    pub risk: String,
    /// Worst coverage over the attempts, in one clause.
    pub coverage: String,
    /// `sealed`: the signed head is in the ledger. `unsealed`: it is not. `removed`. `unknown`: the ledger can't be
    /// read. Whether it holds is for `verify`.
    pub verify: &'static str,
    /// Bytes that removing the run would free, indexes left aside.
    pub own_bytes: u64,
    /// Bytes of contents that other runs use too.
    pub shared_bytes: u64,
    /// For removed runs: when, by whom and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<RemovedRun>,
}

/// How a run stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunOutcome {
    /// `passed`, `failed`, `signaled`, `not_started`, `interrupted`, `recording`, `removed`, `empty` or `unreadable`.
    pub state: &'static str,
    /// For people: `failed 2`, `SIGKILL`, ...
    pub text: String,
    /// Exit status as a shell would report it, where the command ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
}

/// The tombstone of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RemovedRun {
    /// When.
    pub at: String,
    /// By whom; absent where the ledger does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Lists runs. `alive` says whether a process is alive: it is asked of recorders of attempts without an end.
///
/// # Errors
/// What the store says; a run whose facts can't be read is listed as such.
pub fn runs(reader: &Reader, with_removed: bool, alive: &dyn Fn(&ProcessKey) -> bool) -> Result<Runs, GraphError> {
    let usage = reader.usage_by_run()?;
    let ledger: Option<Vec<LedgerEntry>> = match reader.ledger() {
        Ok(entries) => Some(entries.into_iter().map(|(_, entry)| entry).collect()),
        Err(StoreError::Damaged(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let rows = reader.runs()?;
    let removed_count = rows.iter().filter(|row| row.removed.is_some()).count() as u64;
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|row| with_removed || row.removed.is_none()) {
        let mut summary = summary(reader, row, ledger.as_deref(), alive)?;
        if let Some(usage) = usage.get(&row.no) {
            summary.own_bytes = usage.own_bytes();
            summary.shared_bytes = usage.shared_blob_bytes;
        }
        runs.push(summary);
    }
    Ok(Runs { schema_version: schema::v1("runs"), run_count: runs.len() as u64, removed_count, runs })
}

fn summary(
    reader: &Reader,
    row: &RunRow,
    ledger: Option<&[LedgerEntry]>,
    alive: &dyn Fn(&ProcessKey) -> bool,
) -> Result<RunSummary, GraphError> {
    let (attempts, readable) = match attempts(reader, row) {
        Ok(attempts) => (attempts, true),
        Err(GraphError::Store(StoreError::Damaged(_))) => (Vec::new(), false),
        Err(error) => return Err(error),
    };
    let last = attempts.last();
    let outcome = match last {
        _ if row.removed.is_some() => RunOutcome { state: "removed", text: "removed".into(), status: None },
        _ if !readable => RunOutcome { state: "unreadable", text: "facts can't be read".into(), status: None },
        Some(last) => outcome_of(last, alive),
        None => RunOutcome { state: "empty", text: "no attempt".into(), status: None },
    };
    Ok(RunSummary {
        run_id: row.id.to_string(),
        started_at: attempts.first().map_or(row.created, |first| first.started_at).to_rfc3339(),
        updated_at: row.updated.to_rfc3339(),
        command: last.map(|last| command_line(&last.started.argv)),
        argv: last.map(|last| last.started.argv.clone()),
        outcome,
        attempts: attempts.len() as u64,
        facts: row.size,
        risk: if readable { Standing::of(reader, row)?.clause() } else { "unknown".into() },
        coverage: if attempts.is_empty() { "unknown".into() } else { coverage_clause(&coverage(&attempts)) },
        verify: seal_state(row, ledger),
        own_bytes: 0,
        shared_bytes: 0,
        removed: row.removed.map(|at| tombstone(row, at, ledger)),
    })
}

/// How an attempt stands. One without an end is `recording` only while its recorder lives.
pub fn outcome_of(attempt: &Attempt, alive: &dyn Fn(&ProcessKey) -> bool) -> RunOutcome {
    let ended = match &attempt.state {
        AttemptState::Ended { ended, .. } => &ended.outcome,
        AttemptState::Open if alive(&attempt.started.recorder) => {
            return RunOutcome { state: "recording", text: "recording".into(), status: None };
        }
        AttemptState::Open | AttemptState::Interrupted { .. } => {
            return RunOutcome { state: "interrupted", text: "interrupted".into(), status: None };
        }
    };
    let (state, text) = match ended {
        Outcome::Exited(0) => ("passed", "passed".to_owned()),
        Outcome::Exited(status) => ("failed", format!("failed {status}")),
        Outcome::Signaled { signal: number, .. } => {
            ("signaled", signal::name(*number).map_or_else(|| format!("signal {number}"), str::to_owned))
        }
        Outcome::NotStarted { .. } => ("not_started", "not started".to_owned()),
    };
    RunOutcome { state, text, status: Some(ended.shell_status()) }
}

fn seal_state(row: &RunRow, ledger: Option<&[LedgerEntry]>) -> &'static str {
    let Some(ledger) = ledger else { return "unknown" };
    if row.removed.is_some() {
        return "removed";
    }
    let sealed = |entry: &&LedgerEntry| matches!(&entry.event, LedgerEvent::Sealed { checkpoint, .. } if *checkpoint == row.checkpoint);
    let last = ledger.iter().rev().filter(|entry| entry.run == row.id).find(sealed);
    if last.is_some() { "sealed" } else { "unsealed" }
}

fn tombstone(row: &RunRow, at: agentprov_model::EventTime, ledger: Option<&[LedgerEntry]>) -> RemovedRun {
    let removal = ledger.unwrap_or_default().iter().rev().find_map(|entry| match &entry.event {
        LedgerEvent::Removed(removal) if entry.run == row.id => Some(removal),
        _ => None,
    });
    RemovedRun {
        at: at.to_rfc3339(),
        by: removal.map(|removal| removal.by.clone()),
        reason: removal.map(|removal| removal.reason.clone()),
    }
}
