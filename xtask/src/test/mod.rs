//! `cargo xtask test`: everything that a change must pass, from a fresh clone on.

mod arguments;
mod cargo_deny;
mod checks;
mod docker;
mod libtest;
mod nextest;
mod outcome;
mod pypi;
mod requirements;
mod setup;
mod suite;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::Result;
use crate::logged_command::{self, Finished};
use crate::workspace;
use arguments::Arguments;
use outcome::{Outcome, Tally, Verdict};
pub(crate) use pypi::semgrep;

struct Step {
    name: &'static str,
    /// Whether it makes sense only when the workspace compiles.
    needs_build: bool,
    run: fn(&Surroundings) -> Result<Outcome>,
}

const STEPS: &[Step] = &[
    Step { name: "setup", needs_build: false, run: setup::run },
    Step { name: "pypi", needs_build: false, run: pypi::run },
    Step { name: "docker", needs_build: false, run: docker::run },
    Step { name: "fmt", needs_build: false, run: checks::fmt },
    Step { name: "tidy", needs_build: false, run: checks::tidy },
    Step { name: BUILD, needs_build: false, run: checks::build },
    Step { name: "clippy", needs_build: true, run: checks::clippy },
    Step { name: "deny", needs_build: false, run: cargo_deny::policies },
    Step { name: "advisories", needs_build: false, run: cargo_deny::advisories },
    Step { name: "doc", needs_build: true, run: checks::doc },
    Step { name: "drift", needs_build: true, run: checks::drift },
    Step { name: "tests", needs_build: true, run: suite::run },
];
const BUILD: &str = "build";

/// What a step may know about this run.
struct Surroundings {
    step: &'static str,
    full: bool,
    filter: Vec<String>,
}

impl Surroundings {
    fn log(&self) -> PathBuf {
        log_of(self.step)
    }

    /// Runs a command with its output in the step's log.
    fn logged(&self, command: &mut std::process::Command) -> Result<Finished> {
        logged_command::run(command, &self.log(), None)
    }

    fn logged_within(&self, limit: Duration, command: &mut std::process::Command) -> Result<Finished> {
        logged_command::run(command, &self.log(), Some(limit))
    }
}

fn log_of(step: &str) -> PathBuf {
    workspace::target_dir().join("xtask").join(format!("{step}.log"))
}

/// `cargo xtask test [--full] [--only STEP,...] [-- FILTER...]`.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    let arguments = Arguments::parse(arguments, &names)?;
    let mut tally = Tally::default();
    let mut build_is_broken = false;
    for step in STEPS.iter().filter(|step| arguments.wants(step.name)) {
        let start = Instant::now();
        let outcome = if build_is_broken && step.needs_build {
            Outcome::skipped("the workspace does not compile")
        } else {
            run_step(step, &arguments)
        };
        build_is_broken |= step.name == BUILD && outcome.verdict == Verdict::Failed;
        println!("{}", outcome.line(step.name, start.elapsed()));
        if outcome.verdict == Verdict::Failed && !outcome.details.is_empty() {
            println!("{}", outcome.shown_details(&log_of(step.name)));
        }
        tally.add(step.name, outcome);
    }
    print!("{}", tally.closing_lines());
    Ok(tally.is_good())
}

fn run_step(step: &Step, arguments: &Arguments) -> Outcome {
    let log = log_of(step.name);
    // An older log must not be taken for this run's; that there is none is the usual case.
    let _ = std::fs::remove_file(&log);
    let surroundings = Surroundings { step: step.name, full: arguments.full, filter: arguments.filter.clone() };
    (step.run)(&surroundings).unwrap_or_else(|message| Outcome::failed("could not run", message))
}
