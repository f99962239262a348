//! Reads what `cargo test -- --show-output` prints.
//!
//! `--show-output` prints what a test wrote after all tests of its binary have ended, under the
//! test's own heading, so that lines of tests that run side by side stay apart.

use std::collections::BTreeSet;

use super::outcome::{Counts, Skip};

/// Counts the tests of a run. A test that prints `SKIP <name>: <reason>` did not pass, it skipped.
pub(crate) fn counts(output: &str) -> Counts {
    let mut counts = Counts::default();
    let mut skips = BTreeSet::new();
    let mut skipping_tests = 0;
    let mut heading = Heading::None;
    for line in output.lines() {
        match read(line) {
            Line::Successes => heading = Heading::None,
            Line::Failures => heading = Heading::Failures,
            Line::Test => {
                heading = match heading {
                    Heading::Failures | Heading::FailedTest => Heading::FailedTest,
                    _ => Heading::PassedTest { skipped: false },
                };
            }
            Line::Skip(skip) => match &mut heading {
                Heading::FailedTest | Heading::Failures => {}
                Heading::PassedTest { skipped } => {
                    skipping_tests += usize::from(!*skipped);
                    *skipped = true;
                    skips.insert(skip);
                }
                // A process of a test that wrote past the capture.
                Heading::None => skipping_tests += usize::from(skips.insert(skip)),
            },
            Line::Result(result) => {
                heading = Heading::None;
                counts.passed += result.passed;
                counts.failed += result.failed;
                counts.skipped += result.ignored;
            }
            Line::Other => {}
        }
    }
    counts.passed = counts.passed.saturating_sub(skipping_tests);
    counts.skipped += skipping_tests;
    counts.skips.extend(skips);
    counts
}

/// The output without what tests that passed have printed.
pub(crate) fn without_successes(output: &str) -> String {
    let mut kept = String::new();
    let mut in_successes = false;
    for line in output.lines() {
        match read(line) {
            Line::Successes => in_successes = true,
            Line::Failures | Line::Result(_) => in_successes = false,
            _ => {}
        }
        let passed = line.starts_with("test ") && line.ends_with(" ... ok");
        if !in_successes && !passed && !line.trim().is_empty() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// A `SKIP <name>: <reason>` line.
pub(crate) fn skip_line(line: &str) -> Option<Skip> {
    let (name, reason) = line.trim().strip_prefix("SKIP ")?.split_once(": ")?;
    Some(Skip { name: name.trim().to_owned(), reason: reason.trim().to_owned() })
}

enum Heading {
    None,
    Failures,
    FailedTest,
    PassedTest { skipped: bool },
}

enum Line {
    Successes,
    Failures,
    Test,
    Skip(Skip),
    Result(TestResult),
    Other,
}

struct TestResult {
    passed: usize,
    failed: usize,
    ignored: usize,
}

fn read(line: &str) -> Line {
    if line == "successes:" {
        Line::Successes
    } else if line == "failures:" {
        Line::Failures
    } else if line.starts_with("---- ") && line.ends_with(" stdout ----") {
        Line::Test
    } else if let Some(skip) = skip_line(line) {
        Line::Skip(skip)
    } else if let Some(result) = result_line(line) {
        Line::Result(result)
    } else {
        Line::Other
    }
}

fn result_line(line: &str) -> Option<TestResult> {
    // A process of a test may have left its last line open before this one.
    let (_, result) = line.split_once("test result: ")?;
    let (_, numbers) = result.split_once(". ")?;
    let mut parts = numbers.split("; ");
    let mut number = |word: &str| -> Option<usize> { parts.next()?.strip_suffix(word)?.trim().parse().ok() };
    Some(TestResult { passed: number("passed")?, failed: number("failed")?, ignored: number("ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str = "measured; 0 filtered out; finished in 0.01s";

    fn output(block: &str, verdict: &str, numbers: &str) -> String {
        format!("\nrunning 3 tests\ntest a ... ok\n\n{block}\ntest result: {verdict}. {numbers}; 0 {RESULT}\n")
    }

    #[test]
    fn results_of_all_binaries_are_added_up() {
        let both =
            output("", "ok", "3 passed; 0 failed; 1 ignored") + &output("", "FAILED", "2 passed; 4 failed; 0 ignored");
        let expected = Counts { passed: 5, failed: 4, skipped: 1, skips: Vec::new() };
        assert_eq!(counts(&both), expected);
    }

    #[test]
    fn a_test_that_skips_did_not_pass() {
        let block = "successes:\n\n---- a stdout ----\nSKIP strace oracle: strace is not installed\nSKIP strace replay: strace is not installed\n\n---- b stdout ----\nfine\n\nsuccesses:\n    a\n    b\n";
        let found = counts(&output(block, "ok", "3 passed; 0 failed; 0 ignored"));
        assert_eq!((found.passed, found.skipped), (2, 1));
        assert_eq!(found.skips.len(), 2);
        assert_eq!(found.skips[0].name, "strace oracle");
        assert_eq!(found.skips[0].reason, "strace is not installed");
    }

    #[test]
    fn a_failing_test_did_not_skip_whatever_it_printed() {
        let block = "successes:\n\nsuccesses:\n    b\n\nfailures:\n\n---- a stdout ----\nSKIP x: y\nthread 'a' panicked\n\nfailures:\n    a\n";
        let found = counts(&output(block, "FAILED", "2 passed; 1 failed; 0 ignored"));
        let expected = Counts { passed: 2, failed: 1, skipped: 0, skips: Vec::new() };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_result_behind_an_unfinished_line_counts() {
        let found = counts("partial output test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured");
        assert_eq!(found.passed, 1);
    }

    #[test]
    fn only_what_matters_to_a_failure_is_kept() {
        let block = "successes:\n\n---- a stdout ----\nchatter\n\nsuccesses:\n    a\n\nfailures:\n\n---- b stdout ----\nreason\n";
        let kept = without_successes(&output(block, "FAILED", "1 passed; 1 failed; 0 ignored"));
        assert!(kept.contains("reason") && kept.contains("test result"));
        assert!(!kept.contains("chatter") && !kept.contains("test a ... ok"), "{kept}");
    }
}
