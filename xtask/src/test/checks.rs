//! The steps that are one look at the workspace each.

use super::Surroundings;
use super::outcome::Outcome;
use crate::Result;
use crate::generate::{self, Drift};
use crate::tidy as tidy_rules;
use crate::workspace;

pub(crate) fn fmt(surroundings: &Surroundings) -> Result<Outcome> {
    if !has_subcommand("fmt") {
        return Ok(Outcome::skipped(
            "rustfmt is not installed; run `rustup component add rustfmt`, or install your system's rustfmt",
        ));
    }
    let mut command = workspace::cargo();
    command.args(["fmt", "--all", "--check", "--", "--files-with-diff"]);
    let finished = surroundings.logged(&mut command)?;
    let good = finished.success();
    let mut outcome = Outcome::of(finished);
    if !good {
        outcome.note = "run `cargo fmt --all`".to_owned();
    }
    Ok(outcome)
}

pub(crate) fn clippy(surroundings: &Surroundings) -> Result<Outcome> {
    if !has_subcommand("clippy") {
        return Ok(Outcome::skipped(
            "clippy is not installed; run `rustup component add clippy`, or install your system's clippy",
        ));
    }
    let mut command = workspace::cargo();
    command.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    surroundings.logged(&mut command).map(Outcome::of)
}

/// Builds exactly what the tests will run, so that a broken build is told once.
pub(crate) fn build(surroundings: &Surroundings) -> Result<Outcome> {
    let mut command = workspace::cargo();
    command.args(["test", "--quiet", "--workspace", "--no-run"]);
    surroundings.logged(&mut command).map(Outcome::of)
}

pub(crate) fn tidy(_: &Surroundings) -> Result<Outcome> {
    let report = tidy_rules::check_workspace()?;
    if report.violations.is_empty() {
        return Ok(Outcome::passed(report.summary));
    }
    let note = format!("{} violations", report.violations.len());
    Ok(Outcome::failed(note, report.violations.join("\n")))
}

pub(crate) fn doc(surroundings: &Surroundings) -> Result<Outcome> {
    let mut command = workspace::cargo();
    command.args(["doc", "--quiet", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings");
    surroundings.logged(&mut command).map(Outcome::of)
}

/// Compares every generated file that is committed with what its generator writes today.
pub(crate) fn drift(_: &Surroundings) -> Result<Outcome> {
    let program = generate::build_program()?;
    let mut differing = Vec::new();
    let mut unsupported = Vec::new();
    for entry in generate::GENERATED {
        let fresh = generate::fresh(entry, &program)?;
        let committed = generate::committed(entry)?;
        match generate::compare(entry, fresh.as_deref(), committed.as_deref()) {
            Drift::Same => {}
            Drift::NotSupported => unsupported.push(entry.name),
            Drift::Differs(reason) => differing.push(reason),
        }
    }
    let same = generate::GENERATED.len() - unsupported.len();
    Ok(if !differing.is_empty() {
        Outcome::failed(format!("{} files differ", differing.len()), differing.join("\n"))
    } else if unsupported.is_empty() {
        Outcome::passed(format!("{same} generated files match"))
    } else {
        let names = unsupported.join(", ");
        Outcome::skipped(format!("agentprov has no generator for {names}; {same} generated files match"))
    })
}

fn has_subcommand(name: &str) -> bool {
    workspace::cargo().args([name, "--version"]).output().is_ok_and(|output| output.status.success())
}
