//! The step that runs the tests themselves.

use std::process::Command;
use std::time::Duration;

use super::Surroundings;
use super::docker;
use super::libtest;
use super::nextest;
use super::outcome::{Counts, Outcome};
use super::pypi;
use crate::Result;
use crate::workspace;

/// Tests that take long or much memory run only where this is set.
const FULL: &str = "AGENTPROV_TEST_FULL";

/// A test that hangs must not hide the results of all others until somebody loses patience.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// `--full` runs what is too long for every day.
const FULL_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

pub(crate) fn run(surroundings: &Surroundings) -> Result<Outcome> {
    if workspace::find_program("cargo-nextest").is_some() {
        with_nextest(surroundings)
    } else {
        with_libtest(surroundings, &["--workspace"])
    }
}

fn with_nextest(surroundings: &Surroundings) -> Result<Outcome> {
    let mut command = cargo(surroundings);
    command
        .args(["nextest", "run", "--workspace", "--no-fail-fast", "--success-output", "final"])
        .args(["--no-tests", "pass", "--"])
        .args(&surroundings.filter);
    let finished = surroundings.logged_within(limit(surroundings), &mut command)?;
    let Some(mut counts) = nextest::counts(&finished.output) else {
        return Ok(Outcome::failed("nextest printed no summary", finished.output));
    };
    let documentation = with_libtest(surroundings, &["--workspace", "--doc"])?;
    let documented = documentation.counts.clone().unwrap_or_default();
    counts.passed += documented.passed;
    counts.failed += documented.failed;
    counts.skipped += documented.skipped;
    counts.skips.extend(documented.skips);
    let good = finished.success() && documentation.verdict != super::Verdict::Failed;
    let details = format!("{}{}", finished.output, documentation.details);
    Ok(verdict(good, counts, details, surroundings))
}

fn with_libtest(surroundings: &Surroundings, what: &[&str]) -> Result<Outcome> {
    let mut command = cargo(surroundings);
    command.args(["test", "--no-fail-fast"]).args(what).args(["--", "--show-output"]).args(&surroundings.filter);
    let finished = surroundings.logged_within(limit(surroundings), &mut command)?;
    let counts = libtest::counts(&finished.output);
    if what.contains(&"--doc") {
        // Documentation need not hold examples: that none ran is no sign of a broken run.
        let outcome = Outcome::of(finished).with_counts(counts);
        return Ok(outcome);
    }
    let details = libtest::without_successes(&finished.output);
    Ok(verdict(finished.success(), counts, details, surroundings))
}

fn limit(surroundings: &Surroundings) -> Duration {
    if surroundings.full { FULL_LIMIT } else { LIMIT }
}

fn cargo(surroundings: &Surroundings) -> Command {
    let mut command = workspace::cargo();
    command.envs(pypi::variables()).envs(docker::variable());
    if surroundings.full {
        command.env(FULL, "1");
    }
    command
}

fn verdict(good: bool, counts: Counts, details: String, surroundings: &Surroundings) -> Outcome {
    let Counts { passed, failed, skipped, .. } = counts;
    let note = format!("{passed} passed, {failed} failed, {skipped} skipped");
    let ran_none = passed + failed + skipped == 0 && surroundings.filter.is_empty();
    let outcome = if ran_none {
        Outcome::failed("no test ran", details)
    } else if good && failed == 0 {
        Outcome::passed(note)
    } else {
        Outcome::failed(note, details)
    };
    outcome.with_counts(counts)
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Verdict;
    use super::*;

    fn surroundings(filter: &[&str]) -> Surroundings {
        let filter = filter.iter().map(|word| (*word).to_owned()).collect();
        Surroundings { step: "tests", full: false, filter }
    }

    fn counts(passed: usize, failed: usize) -> Counts {
        Counts { passed, failed, ..Counts::default() }
    }

    #[test]
    fn a_run_passes_only_with_tests_and_without_failures() {
        let none = surroundings(&[]);
        let of = |good, counts| verdict(good, counts, String::new(), &none).verdict;
        assert_eq!(of(true, counts(3, 0)), Verdict::Passed);
        assert_eq!(of(true, counts(3, 1)), Verdict::Failed);
        assert_eq!(of(false, counts(3, 0)), Verdict::Failed);
        assert_eq!(of(true, counts(0, 0)), Verdict::Failed);
    }

    #[test]
    fn a_filter_may_match_nothing() {
        let filtered = verdict(true, counts(0, 0), String::new(), &surroundings(&["x"]));
        assert_eq!(filtered.verdict, Verdict::Passed);
    }
}
