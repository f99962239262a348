//! What a step came to, and the sum of all of them.

use std::path::Path;
use std::time::Duration;

use crate::logged_command::Finished;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// A test that did not run, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Tests that a step ran. A step without any counts as one itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    pub(crate) skips: Vec<Skip>,
}

pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) note: String,
    /// Shown when the step failed.
    pub(crate) details: String,
    pub(crate) counts: Option<Counts>,
}

/// More than this many lines are left to the log.
const SHOWN_LINES: usize = 300;

impl Outcome {
    pub(crate) fn passed(note: impl Into<String>) -> Self {
        Self::new(Verdict::Passed, note, "")
    }

    pub(crate) fn failed(note: impl Into<String>, details: impl Into<String>) -> Self {
        Self::new(Verdict::Failed, note, details)
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Skipped, reason, "")
    }

    /// The outcome of a step that is one command.
    pub(crate) fn of(finished: Finished) -> Self {
        if finished.success() { Self::passed("") } else { Self::failed(finished.ending(), finished.output) }
    }

    pub(crate) fn with_counts(mut self, counts: Counts) -> Self {
        self.counts = Some(counts);
        self
    }

    fn new(verdict: Verdict, note: impl Into<String>, details: impl Into<String>) -> Self {
        Self { verdict, note: note.into(), details: details.into(), counts: None }
    }

    pub(crate) fn line(&self, step: &str, took: Duration) -> String {
        let verdict = match self.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
        };
        let line = format!("{step:<11} {verdict:<8} {:>7.1}s  {}", took.as_secs_f64(), self.note);
        line.trim_end().to_owned()
    }

    pub(crate) fn shown_details(&self, log: &Path) -> String {
        let lines: Vec<&str> = self.details.trim_end().lines().collect();
        let hidden = lines.len().saturating_sub(SHOWN_LINES);
        let mut shown = String::new();
        if hidden > 0 {
            shown = format!("    ({hidden} lines before these: {})\n", log.display());
        }
        for line in &lines[hidden..] {
            shown.push_str("    ");
            shown.push_str(line);
            shown.push('\n');
        }
        shown
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally(Counts);

impl Tally {
    pub(crate) fn add(&mut self, step: &str, outcome: Outcome) {
        let failed_by_itself =
            outcome.verdict == Verdict::Failed && outcome.counts.as_ref().is_none_or(|counts| counts.failed == 0);
        if let Some(counts) = outcome.counts {
            self.0.passed += counts.passed;
            self.0.failed += counts.failed;
            self.0.skipped += counts.skipped;
            self.0.skips.extend(counts.skips);
        } else if outcome.verdict == Verdict::Passed {
            self.0.passed += 1;
        } else if outcome.verdict == Verdict::Skipped {
            self.0.skipped += 1;
            self.0.skips.push(Skip { name: step.to_owned(), reason: outcome.note });
        }
        self.0.failed += usize::from(failed_by_itself);
    }

    pub(crate) fn is_good(&self) -> bool {
        self.0.failed == 0
    }

    /// What was skipped, by name, and the sum as the last line.
    pub(crate) fn closing_lines(&self) -> String {
        let mut lines = String::from("\n");
        for skip in &self.0.skips {
            lines.push_str(&format!("skipped {}: {}\n", skip.name, skip.reason));
        }
        let Counts { passed, failed, skipped, .. } = &self.0;
        lines.push_str(&format!("{passed} passed, {failed} failed, {skipped} skipped\n"));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
        Counts { passed, failed, skipped, skips: Vec::new() }
    }

    fn last_line(tally: &Tally) -> String {
        tally.closing_lines().lines().last().unwrap().to_owned()
    }

    #[test]
    fn steps_and_tests_are_added_up() {
        let mut tally = Tally::default();
        tally.add("fmt", Outcome::passed(""));
        tally.add("deny", Outcome::skipped("not installed"));
        tally.add("tests", Outcome::passed("").with_counts(counts(10, 0, 2)));
        assert_eq!(last_line(&tally), "11 passed, 0 failed, 3 skipped");
        assert!(tally.closing_lines().contains("skipped deny: not installed\n"));
        assert!(tally.is_good());
    }

    #[test]
    fn failing_tests_are_counted_once() {
        let mut tally = Tally::default();
        tally.add("tests", Outcome::failed("", "").with_counts(counts(1, 2, 0)));
        assert_eq!(last_line(&tally), "1 passed, 2 failed, 0 skipped");
        assert!(!tally.is_good());
    }

    #[test]
    fn a_test_run_that_breaks_without_a_failing_test_is_a_failure() {
        let mut tally = Tally::default();
        tally.add("tests", Outcome::failed("", "").with_counts(counts(5, 0, 0)));
        assert_eq!(last_line(&tally), "5 passed, 1 failed, 0 skipped");
        assert!(!tally.is_good());
    }

    #[test]
    fn long_details_end_with_their_last_lines() {
        let details: String = (0..SHOWN_LINES + 5).map(|line| format!("line {line}\n")).collect();
        let shown = Outcome::failed("", details).shown_details(Path::new("step.log"));
        assert!(shown.starts_with("    (5 lines before these: step.log)\n    line 5\n"));
    }
}
