//! Reads what `cargo nextest run --success-output final` prints.

use std::collections::BTreeSet;

use super::libtest::skip_line;
use super::outcome::Counts;

/// The counts of the run's summary line; `None` when there is none.
///
/// What nextest calls skipped was filtered out or belongs to another profile, so it is not counted.
pub(crate) fn counts(output: &str) -> Option<Counts> {
    let summary = output.lines().rfind(|line| line.trim_start().starts_with("Summary [") && line.contains(" run: "))?;
    let (_, numbers) = summary.split_once(" run: ")?;
    let mut counts = Counts::default();
    for part in numbers.split(", ") {
        let mut words = part.split_whitespace();
        let (Some(number), Some(kind)) = (words.next(), words.next()) else {
            continue;
        };
        let number: usize = number.parse().ok()?;
        match kind {
            "passed" => counts.passed = number,
            "skipped" => {}
            // failed, timed out, exec failed: each is a test that did not pass.
            _ => counts.failed += number,
        }
    }
    let skips: BTreeSet<_> = output.lines().filter_map(skip_line).collect();
    counts.passed = counts.passed.saturating_sub(skips.len());
    counts.skipped = skips.len();
    counts.skips.extend(skips);
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn the_summary_and_the_skips_are_read() {
        let output = "        PASS [   0.004s] agentprov-log tree::inclusion\n    SKIP strace oracle: strace is not installed\n     Summary [   0.210s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 5 skipped\n";
        let found = counts(output).unwrap();
        assert_eq!((found.passed, found.failed, found.skipped), (8, 3, 1));
    }

    #[test]
    fn a_run_without_a_summary_has_no_counts() {
        assert_eq!(counts("error: could not compile\n"), None);
    }
}
