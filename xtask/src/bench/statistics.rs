//! Medians and percentiles of run times.

use std::time::Duration;

/// The middle one; of an even number, the mean of the two in the middle.
pub(crate) fn median(samples: &[Duration]) -> Duration {
    let sorted = sorted(samples);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => Duration::ZERO,
        length if length % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2,
    }
}

/// The smallest sample that at least 95 in 100 do not exceed (nearest rank).
pub(crate) fn p95(samples: &[Duration]) -> Duration {
    let sorted = sorted(samples);
    let rank = (sorted.len() * 95).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(Duration::ZERO)
}

/// How many times as long the subject takes as the rival.
pub(crate) fn ratio(subject: Duration, rival: Duration) -> Option<f64> {
    (!rival.is_zero()).then(|| subject.as_secs_f64() / rival.as_secs_f64())
}

fn sorted(samples: &[Duration]) -> Vec<Duration> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(numbers: &[u64]) -> Vec<Duration> {
        numbers.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn the_median_of_odd_and_even_numbers_of_samples() {
        assert_eq!(median(&milliseconds(&[9, 1, 5])), Duration::from_millis(5));
        assert_eq!(median(&milliseconds(&[8, 1, 2, 4])), Duration::from_millis(3));
        assert_eq!(median(&[]), Duration::ZERO);
    }

    #[test]
    fn one_slow_run_of_ten_is_seen_in_p95_and_not_in_the_median() {
        let samples = milliseconds(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 90]);
        assert_eq!(median(&samples), Duration::from_millis(1));
        assert_eq!(p95(&samples), Duration::from_millis(90));
    }

    #[test]
    fn p95_of_twenty_leaves_out_the_slowest() {
        let samples = milliseconds(&(1..=20).collect::<Vec<_>>());
        assert_eq!(p95(&samples), Duration::from_millis(19));
    }

    #[test]
    fn there_is_no_ratio_to_nothing() {
        assert_eq!(ratio(Duration::from_secs(3), Duration::from_secs(2)), Some(1.5));
        assert_eq!(ratio(Duration::from_secs(3), Duration::ZERO), None);
    }
}
