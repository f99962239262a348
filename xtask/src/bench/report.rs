//! The results for people and, as JSON, for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::FEWEST_RUNS;
use super::measure::Measured;
use super::row::{Aim, Outcome};

use super::statistics::{median, p95, ratio};
use super::table::table;

pub(crate) struct Report {
    machine: Value,
    runs: usize,
    rows: Vec<Value>,
    failed: usize,
    skipped: usize,
    /// Measured rows whose aim was missed.
    missed: usize,
}

impl Report {
    pub(crate) fn new(machine: Value, runs: usize) -> Self {
        Self { machine, runs, rows: Vec::new(), failed: 0, skipped: 0, missed: 0 }
    }

    pub(crate) fn heading(&self) -> String {
        let fields = ["processors", "model", "memory", "kernel", "architecture"];
        let known = fields.iter().filter_map(|name| match &self.machine[*name] {
            Value::Null => None,
            Value::String(text) => Some(format!("{name} {text}")),
            other => Some(format!("{name} {other}")),
        });
        let machine = known.collect::<Vec<_>>().join(", ");
        let warning = if self.runs < FEWEST_RUNS {
            format!("\nOnly {} runs each: a quick look, not numbers to quote.", self.runs)
        } else {
            String::new()
        };
        format!("{machine}\n{} runs each, in turns{warning}", self.runs)
    }

    /// Takes a row in and returns its part of the table.
    pub(crate) fn add(&mut self, name: String, measures: String, outcome: Outcome) -> String {
        let (text, mut row) = match outcome {
            Outcome::Measured { aim, results } => {
                let outcome = aim.and_then(|aim| aim.outcome(&results));
                self.missed += usize::from(outcome.is_some_and(|(took, allowed)| took > allowed));
                (table(&results, aim), measured_json(&results, aim))
            }
            Outcome::Skipped(reason) => {
                self.skipped += 1;
                (format!("  skipped: {reason}\n"), json!({"status": "skipped", "reason": reason}))
            }
            Outcome::Failed(reason) => {
                self.failed += 1;
                (format!("  FAILED: {reason}\n"), json!({"status": "failed", "reason": reason}))
            }
        };
        row["name"] = json!(name);
        row["measures"] = json!(measures);
        self.rows.push(row);
        format!("\n{name}\n{text}")
    }

    pub(crate) fn json(&self) -> Value {
        json!({"machine": self.machine, "runs": self.runs, "rows": self.rows})
    }

    pub(crate) fn is_good(&self) -> bool {
        self.failed == 0 && self.missed == 0
    }

    pub(crate) fn closing_line(&self) -> String {
        let measured = self.rows.len() - self.failed - self.skipped;
        format!(
            "\n{measured} rows measured, {} of them missed their aim; {} failed, {} skipped",
            self.missed, self.failed, self.skipped
        )
    }
}

fn measured_json(results: &[Measured], aim: Option<Aim>) -> Value {
    let subject = results.first().map(|result| median(&result.samples));
    let contestants = results.iter().enumerate().map(|(index, result)| {
        let median = median(&result.samples);
        let ratio = subject.filter(|_| index > 0).and_then(|subject| ratio(subject, median));
        let samples: Vec<f64> = result.samples.iter().map(Duration::as_secs_f64).collect();
        json!({
            "name": result.name,
            "median_seconds": median.as_secs_f64(),
            "p95_seconds": p95(&result.samples).as_secs_f64(),
            "subject_ratio": ratio,
            "stored_bytes": result.evidence.stored_bytes,
            "seen": result.evidence.done,
            "samples_seconds": samples,
        })
    });
    let contestants: Vec<Value> = contestants.collect();
    let mut row = json!({"status": "measured", "contestants": contestants});
    if let Some((took, allowed)) = aim.and_then(|aim| aim.outcome(results)) {
        row["aim"] = json!({
            "allowed_seconds": allowed.as_secs_f64(),
            "median_seconds": took.as_secs_f64(),
            "met": took <= allowed,
        });
    }
    row
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
    fn the_json_says_whether_an_aim_was_met() {
        let aim = Aim::AboveFirstRival(Duration::from_millis(499));
        assert_eq!(measured_json(&pair(), Some(aim))["aim"]["met"], json!(false));
    }

    #[test]
    fn the_json_holds_every_sample_and_the_ratio() {
        let row = measured_json(&pair(), None);
        assert_eq!(row["contestants"][1]["subject_ratio"], json!(1.5));
        assert_eq!(row["contestants"][0]["samples_seconds"].as_array().map(Vec::len), Some(10));
    }

    #[test]
    fn a_missed_aim_is_counted_and_is_not_good() {
        for (limit, good) in [(2, true), (1, false)] {
            let mut report = Report::new(json!({}), 10);
            let aim = Some(Aim::AtMost(Duration::from_secs(limit)));
            report.add("a".to_owned(), "m".to_owned(), Outcome::Measured { aim, results: pair() });
            assert_eq!(report.is_good(), good);
        }
    }

    #[test]
    fn failed_and_skipped_rows_are_counted() {
        let mut report = Report::new(json!({"kernel": "6"}), 10);
        report.add("a".to_owned(), "m".to_owned(), Outcome::Failed("broken".to_owned()));
        assert!(!report.is_good());
        report.add("b".to_owned(), "m".to_owned(), Outcome::Skipped("no strace".to_owned()));
        assert_eq!(report.closing_line(), "\n0 rows measured, 0 of them missed their aim; 1 failed, 1 skipped");
        assert_eq!(report.json()["rows"][1]["reason"], json!("no strace"));
    }
}
