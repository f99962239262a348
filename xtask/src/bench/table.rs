//! A row's results as aligned columns.

use std::time::Duration;

use super::measure::Measured;
use super::row::Aim;
use super::statistics::{median, p95, ratio};

pub(crate) fn table(results: &[Measured], aim: Option<Aim>) -> String {
    let mut cells = vec![["", "median", "p95", "subject/this", "stored", "seen"].map(str::to_owned)];
    let subject = results.first().map(|result| median(&result.samples));
    for (index, result) in results.iter().enumerate() {
        let median = median(&result.samples);
        let ratio = subject.filter(|_| index > 0).and_then(|subject| ratio(subject, median));
        cells.push([
            result.name.clone(),
            seconds(median),
            seconds(p95(&result.samples)),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}x")),
            result.evidence.stored_bytes.map_or_else(String::new, bytes),
            result.evidence.done.clone(),
        ]);
    }
    let mut text = aligned(&cells);
    if let Some(verdict) = aim.and_then(|aim| aim_line(results, aim)) {
        text.push_str(&verdict);
    }
    text
}

/// Columns as wide as their widest cell; words to the left, numbers to the right.
fn aligned(cells: &[[String; 6]]) -> String {
    const NUMBERS: std::ops::Range<usize> = 1..5;
    let mut widths = [0; 6];
    for row in cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in cells {
        let columns = row.iter().zip(widths).enumerate().map(|(index, (cell, width))| {
            if NUMBERS.contains(&index) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let line = columns.collect::<Vec<_>>().join("  ");
        text.push_str(&format!("  {}\n", line.trim_end()));
    }
    text
}

fn aim_line(results: &[Measured], aim: Aim) -> Option<String> {
    let (took, allowed) = aim.outcome(results)?;
    let verdict = if took <= allowed { "met" } else { "MISSED" };
    Some(format!("  aim {verdict}: {}, {} allowed\n", seconds(took), seconds(allowed)))
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1e3)
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}

fn bytes(count: u64) -> String {
    if count < 1024 * 1024 {
        format!("{} KiB", count.div_ceil(1024))
    } else {
        format!("{} MiB", count.div_ceil(1024 * 1024))
    }
}

#[cfg(test)]
mod tests {
    use super::super::contestant::Evidence;
    use super::*;

    fn result(name: &str, milliseconds: u64, stored_bytes: Option<u64>) -> Measured {
        Measured {
            name: name.to_owned(),
            samples: vec![Duration::from_millis(milliseconds); 10],
            evidence: Evidence { done: "7 processes".to_owned(), stored_bytes },
        }
    }

    fn pair() -> Vec<Measured> {
        vec![result("agentprov record", 1500, Some(2048)), result("bare", 1000, None)]
    }

    #[test]
    fn columns_line_up() {
        let expected = "                    median     p95  subject/this  stored  seen
  agentprov record  1.50 s  1.50 s                 2 KiB  7 processes
  bare              1.00 s  1.00 s         1.50x          7 processes
";
        assert_eq!(table(&pair(), None), expected);
    }

    #[test]
    fn an_aim_is_met_or_missed() {
        let aim = |milliseconds| Aim::AboveFirstRival(Duration::from_millis(milliseconds));
        assert!(table(&pair(), Some(aim(500))).ends_with("aim met: 1.50 s, 1.50 s allowed\n"));
        assert!(table(&pair(), Some(aim(499))).contains("aim MISSED"));
        assert!(table(&pair(), Some(Aim::TimesRival { place: 1, times: 1.4 })).contains("aim MISSED"));
        assert!(table(&pair(), Some(Aim::AtMost(Duration::from_secs(2)))).contains("aim met"));
    }
}
