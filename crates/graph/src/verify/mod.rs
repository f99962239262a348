//! Ordered checks over a run or a whole store, each passed, failed or skipped for a reason.

mod contents;
mod document;
mod facts;
mod head;
mod leaves;
mod ledger;
mod links;
mod outcome;
mod prove;
mod removed;
mod store;
mod tree;
mod trust;

pub use document::{Issue, VerifyDocument};
pub use outcome::{Check, CheckState, Finding, Outcome, Place, Verdict, Weight};
pub use prove::{FactProof, Prover, prove};
pub use store::{StoreReport, verify_store};
pub use trust::{LIMITS, Remembered, Trust, TrustLevel};

use crate::attempts::attempts;
use crate::error::GraphError;
use crate::processes::ProcessTable;
use agentprov_log::VerifierKey;
use agentprov_model::ProcessKey;
use agentprov_store::{Reader, RunRow, StoreError};
use ledger::LedgerState;
use serde::Serialize;
use trust::Keys;

/// What a verification is held against.
pub struct VerifyOptions<'a> {
    /// What this account remembers of the store.
    pub remembered: Remembered,
    /// Keys that the caller trusts; where there are any, no others are trusted.
    pub keys: Vec<VerifierKey>,
    /// Threads that hash.
    pub threads: usize,
    /// Whether a process is alive; asked of the recorders of attempts without an end.
    pub alive: &'a dyn Fn(&ProcessKey) -> bool,
}

/// The report on one run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunReport {
    /// Run.
    pub run_id: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
    /// Facts whose bytes were hashed.
    pub facts: u64,
    /// Their length.
    pub bytes: u64,
    /// The run's bodies were removed, and only its leaf hashes were verified.
    pub removed: bool,
    /// Whose word it rests on.
    pub trust: Trust,
}

impl RunReport {
    /// The first check that failed or could not be decided, and what it found.
    pub fn first_failure(&self) -> Option<(&Check, &Finding)> {
        first_failure(&self.checks)
    }
}

fn first_failure(checks: &[Check]) -> Option<(&Check, &Finding)> {
    let of = |state| checks.iter().find(move |check| check.state == state);
    let check = of(CheckState::Fail).or_else(|| of(CheckState::Undecided))?;
    Some((check, check.findings.first()?))
}

fn verdict(checks: &[Check]) -> Verdict {
    Verdict::over(checks.iter().map(Check::weight))
}

/// Verifies one run, and the ledger as far as it speaks of it.
///
/// # Errors
/// What the store says where it can't even be read; a run that does not hold is no error but a report.
pub fn verify_run(reader: &Reader, run: &RunRow, options: &VerifyOptions<'_>) -> Result<RunReport, GraphError> {
    let keys = Keys::choose(reader.store(), &options.remembered, &options.keys)?;
    let ledger = LedgerState::load(reader, &keys, &options.remembered)?;
    let mut report = run_report(reader, run, options, &keys, &ledger)?;
    let place = report.checks.iter().position(|check| check.name == "sealed_heads").unwrap_or(report.checks.len());
    report.checks.splice(place..place, ledger.checks);
    report.verdict = verdict(&report.checks);
    Ok(report)
}

fn run_report(
    reader: &Reader,
    run: &RunRow,
    options: &VerifyOptions<'_>,
    keys: &Keys,
    ledger: &LedgerState,
) -> Result<RunReport, GraphError> {
    if run.removed.is_some() {
        return removed::removed_report(reader, run, keys, ledger);
    }
    let origin = reader.store().run_origin(&run.id);
    let head = head::run_head(run, keys, &origin, reader.extent(run.no)?);
    let size = head.size;
    let mut checks = vec![head.check, head::size_check(reader, run, size)?];
    let pass = leaves::pass(reader, run.no, size, options.threads)?;
    let (facts, root, tree) = facts::fact_checks(reader, run, size, head.trusted.as_ref(), &pass)?;
    let whole = facts.state == CheckState::Pass;
    checks.extend([facts, root]);
    checks.extend(retention_check(&pass));
    checks.push(ledger::sealed_check(ledger, &run.id, &origin, keys, size, |at| tree.root(at))?);
    if removed::tombstone(ledger, &run.id).is_some() {
        let message = "the ledger says that the run was removed, and its facts are here";
        let finding = Finding::new(Outcome::SplitView, Place::name(&run.id), message);
        checks.push(Check::made("tombstone", vec![finding], "the ledger's tombstone"));
    }
    if size == 0 {
        let finding = Finding::new(Outcome::Nothing, Place::default(), "the run has no facts");
        checks.push(Check::made("content", vec![finding], "0 facts"));
    }
    checks.extend(interior(reader, run, options, &pass, whole)?);
    Ok(RunReport {
        run_id: run.id.to_string(),
        verdict: verdict(&checks),
        checks,
        facts: pass.bodies,
        bytes: pass.bytes,
        removed: false,
        trust: keys.trust(),
    })
}

/// What retention took, where it took something.
fn retention_check(pass: &leaves::LeafPass) -> Option<Check> {
    let message = match pass.pruned {
        0 => return None,
        1 => "the body of 1 old event is gone by retention; its leaf hash is in the tree".to_owned(),
        count => format!("the bodies of {count} old events are gone by retention; their leaf hashes are in the tree"),
    };
    let finding = Finding::new(Outcome::Pruned, Place::default(), message);
    Some(Check::made("retention", vec![finding], format!("{} gone as the log says", bodies(pass.pruned))))
}

fn bodies(count: u64) -> String {
    if count == 1 { "1 body is".to_owned() } else { format!("{count} bodies are") }
}

/// What facts say; only asked where every fact is there and is what was signed.
fn interior(
    reader: &Reader,
    run: &RunRow,
    options: &VerifyOptions<'_>,
    pass: &leaves::LeafPass,
    whole: bool,
) -> Result<Vec<Check>, GraphError> {
    const WHY: &str = "facts are missing or altered";
    let loaded = || -> Result<_, GraphError> { Ok((attempts(reader, run)?, ProcessTable::load(reader, run)?)) };
    let loaded = match whole.then(loaded) {
        Some(Ok(loaded)) => Some(loaded),
        Some(Err(GraphError::Store(StoreError::Damaged(why)))) => {
            let finding = Finding::new(Outcome::BrokenLink, Place::default(), why);
            return Ok(vec![Check::made("links", vec![finding], "the indexes of the run")]);
        }
        Some(Err(error)) => return Err(error),
        None => None,
    };
    let known = loaded.as_ref().map(|(attempts, _)| attempts.as_slice()).unwrap_or_default();
    let contents = contents::contents_check(reader, known, &pass.contents, options.threads)?;
    Ok(match &loaded {
        Some((attempts, processes)) => {
            vec![contents, links::links_check(attempts, processes, options.alive), links::coverage_check(attempts)]
        }
        None => vec![contents, Check::skipped("links", WHY), Check::skipped("coverage", WHY)],
    })
}
