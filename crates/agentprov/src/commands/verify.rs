//! `agentprov verify`.

use crate::commands::verify_statement;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, BAD, GOOD, QUIET, TITLE, UNSURE, styled};
use crate::run_name::RunName;
use agentprov_graph::verify::{
    Check, CheckState, Remembered, RunReport, StoreReport, Trust, Verdict, VerifyOptions, verify_run, verify_store,
};
use agentprov_log::VerifierKey;
use agentprov_store::{Reader, Store};
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

/// Checks that the evidence is what was signed. Exit status: 0 verified, 1 failed, 2 wrong usage, 3 could not decide.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    run: RunName,
    /// Check a signed decision in a file, and decide anew from the input in the store
    #[arg(long, value_name = "FILE", conflicts_with_all = ["position", "run", "all"])]
    statement: Option<std::path::PathBuf>,
    /// Check the ledger and every run of the store
    #[arg(long, conflicts_with_all = ["position", "run"])]
    all: bool,
    /// Believe only this key, a C2SP vkey; may be repeated
    #[arg(long = "trust", value_name = "VKEY", value_parser = parse_key)]
    keys: Vec<VerifierKey>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

fn parse_key(text: &str) -> Result<VerifierKey, String> {
    VerifierKey::parse(text).map_err(|error| error.to_string())
}

impl Verify {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(file) = &self.statement {
            let store = context.location()?.exists().then(|| context.store()).transpose()?;
            return verify_statement::run(context, file, store.as_ref(), &self.keys, self.json);
        }
        let reader = context.store()?.reader()?;
        if self.all {
            let report = with_options(reader.store(), &self.keys, |options| Ok(verify_store(&reader, options)?))?;
            if self.json {
                render::json(&report)?
            } else {
                print_store(&report)?
            }
            return Ok(ExitCode::from(report.verdict.exit_status()));
        }
        let (report, latest) = match self.run.name() {
            Some(name) => (check_named(&reader, name, &self.keys)?, None),
            None => {
                let selected = agentprov_graph::select_run(&reader, None)?;
                (check(&reader, &selected.run, &self.keys)?, Some(selected))
            }
        };
        if self.json {
            render::json(&report.document())?;
        } else {
            if let Some(selected) = &latest {
                context.say_which(selected);
            }
            print(&report)?;
        }
        Ok(ExitCode::from(report.verdict.exit_status()))
    }
}

/// A removed run is verified too: its leaf hashes are still there.
fn check_named(reader: &Reader, name: &str, keys: &[VerifierKey]) -> Result<RunReport, Failure> {
    let removed = reader.runs()?.into_iter().find(|run| run.removed.is_some() && run.id.as_str() == name);
    match removed {
        Some(run) => check(reader, &run, keys),
        None => check(reader, &agentprov_graph::select_run(reader, Some(name))?.run, keys),
    }
}

/// Verifies a run with what this account remembers of the store.
pub(crate) fn check(
    reader: &Reader,
    run: &agentprov_store::RunRow,
    keys: &[VerifierKey],
) -> Result<RunReport, Failure> {
    with_options(reader.store(), keys, |options| Ok(verify_run(reader, run, options)?))
}

fn with_options<T>(
    store: &Store,
    keys: &[VerifierKey],
    verify: impl FnOnce(&VerifyOptions<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    verify(&VerifyOptions {
        remembered: Remembered::load(store),
        keys: keys.to_vec(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        alive: &agentprov_capture::is_alive,
    })
}

/// Prints the report of a run.
pub(crate) fn print(report: &RunReport) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    print_checks(&mut out, &report.checks)?;
    let (facts, size) = (render::count(report.facts, "fact"), render::bytes(report.bytes));
    let removed = if report.removed { "; its bodies were removed" } else { "" };
    writeln!(out, "{} run {}: {facts}, {size}{removed}", verdict(report.verdict), report.run_id)?;
    print_trust(&mut out, &report.trust)?;
    Ok(())
}

fn print_store(report: &StoreReport) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{}", styled(TITLE, "ledger"))?;
    print_checks(&mut out, &report.checks)?;
    for run in &report.runs {
        writeln!(out, "{} run {}: {}", verdict(run.verdict), run.run_id, render::count(run.facts, "fact"))?;
        if run.verdict != Verdict::Verified {
            print_checks(&mut out, &run.checks)?;
        }
    }
    let runs = render::count(report.runs.len() as u64, "run");
    writeln!(out, "{} store {}: {runs}", verdict(report.verdict), report.store_id)?;
    print_trust(&mut out, &report.trust)?;
    Ok(())
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Verified => styled(GOOD, "verified"),
        Verdict::Undecided => styled(UNSURE, "could not decide"),
        Verdict::Failed => styled(BAD, "NOT VERIFIED"),
    }
}

fn print_checks(out: &mut impl Write, checks: &[Check]) -> std::io::Result<()> {
    for check in checks {
        let (style, mark) = match check.state {
            CheckState::Pass => (GOOD, "pass"),
            CheckState::Warning => (UNSURE, "note"),
            CheckState::Undecided => (UNSURE, "open"),
            CheckState::Fail => (BAD, "FAIL"),
            CheckState::Skipped => (QUIET, "skip"),
        };
        writeln!(out, "  {}  {:<14} {}", styled(style, mark), check.name, check.note)?;
        for finding in &check.findings {
            writeln!(out, "        {}: {}", styled(style, finding.outcome.name()), finding.message)?;
        }
        if let Some(count) = check.finding_count {
            writeln!(out, "        {} in all", render::count(count, "finding"))?;
        }
    }
    Ok(())
}

fn print_trust(out: &mut impl Write, trust: &Trust) -> std::io::Result<()> {
    writeln!(out, "  trust: {}", trust.meaning)?;
    for limit in &trust.cannot_prove {
        writeln!(out, "  {}", styled(QUIET, format!("not proven: {limit}")))?;
    }
    Ok(())
}
