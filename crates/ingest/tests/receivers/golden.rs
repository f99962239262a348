//! `*.in.json` beside `*.out.json`, one pair a shape.
//!
//! An input is one row, or `{"lines": [...]}` where a source spreads an event over lines. With `UPDATE_GOLDEN` set the
//! outputs are written anew, to be read before they are committed.

use agentprov_ingest::receivers::{DetectedFormat, Format, Received, Receivers, RowError};
use agentprov_model::ClassTable;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every line of every input.
pub(crate) fn every_line() -> Vec<String> {
    let mut all = Vec::new();
    for format in DetectedFormat::ALL {
        for path in inputs(format) {
            all.extend(lines(&std::fs::read_to_string(&path).expect("the input is readable")));
        }
    }
    all
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn lines(input: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(input).expect("the input is JSON");
    match value.get("lines").and_then(Value::as_array) {
        Some(lines) => lines.iter().map(|line| line.as_str().expect("a line").to_owned()).collect(),
        None => vec![input.replace('\n', " ")],
    }
}

fn shown(outcome: &Result<Received, RowError>) -> Value {
    match outcome {
        Ok(Received::Event(draft)) => json!({
            "outcome": "event",
            "type": draft.event.event_type().name(),
            "at": draft.at.map(|at| at.to_rfc3339()),
            "vantage": draft.vantage.name(),
            "event": draft.event,
        }),
        Ok(Received::Loss(loss)) => json!({
            "outcome": "loss",
            "at": loss.at.map(|at| at.to_rfc3339()),
            "vantage": loss.vantage.name(),
            "source": loss.source,
            "host": loss.host,
            "count": loss.count,
            "classes": loss.classes,
            "detail": loss.detail,
        }),
        Ok(Received::Skipped(why)) => json!({"outcome": "skipped", "why": why}),
        Ok(Received::Part) => json!({"outcome": "part"}),
        Err(error) => json!({"outcome": "failed", "why": error.to_string()}),
    }
}

fn run(input: &str, format: Format) -> Value {
    let mut receivers = Receivers::new(format, false, Arc::new(ClassTable::default()));
    let mut rows: Vec<Value> = Vec::new();
    for (number, line) in (1u64..).zip(lines(input)) {
        let reading = receivers.read(number, line.as_bytes());
        let mut row = shown(&reading.outcome);
        row["line"] = number.into();
        row["format"] = reading.format.map(DetectedFormat::name).into();
        rows.push(row);
    }
    for (line, outcome) in receivers.finish() {
        let mut row = shown(&outcome);
        row["line"] = line.into();
        row["at_end"] = true.into();
        rows.push(row);
    }
    Value::Array(rows)
}

fn inputs(format: DetectedFormat) -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(folder().join(format.name()))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".in.json"))
        .collect();
    inputs.sort();
    inputs
}

fn check(format: DetectedFormat, least: usize) {
    let inputs = inputs(format);
    assert!(inputs.len() >= least, "{} has {} shapes, {least} are due", format.name(), inputs.len());
    for path in inputs {
        let input = std::fs::read_to_string(&path).expect("the input is readable");
        let found = run(&input, Format::Auto);
        assert_eq!(found, run(&input, Format::Fixed(format)), "{}: auto and fixed differ", path.display());
        let expected_path = PathBuf::from(path.to_string_lossy().replace(".in.json", ".out.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(&found).expect("it serialises"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected_path, &text).expect("the output is writable");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        assert_eq!(text, expected, "{}", path.display());
    }
}

#[test]
fn native_rows() {
    check(DetectedFormat::Native, 8);
}

#[test]
fn falco_rows() {
    check(DetectedFormat::Falco, 12);
}

#[test]
fn tetragon_rows() {
    check(DetectedFormat::Tetragon, 12);
}

#[test]
fn loongcollector_rows() {
    check(DetectedFormat::Loongcollector, 8);
}

#[test]
fn audit_rows() {
    check(DetectedFormat::Auditd, 8);
}
