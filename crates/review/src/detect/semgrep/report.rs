//! What Semgrep writes.

use super::CONFIG_FOLDER;
use super::config::RuleSnapshot;
use crate::detect::gap::GapReason;
use crate::detect::input::ScanFile;
use crate::detect::language::{self, Spoken};
use crate::detect::outside::{Place, Reported};
use crate::finding::{Category, Cwe, RuleId, Severity};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::ExitStatus;

/// Ended with findings or without; all else is a fault, whatever the report says.
const GOOD_CODES: [i32; 2] = [0, 1];
/// With `--strict`, a file that was read in part; that file has an entry of its own.
const PARTIAL_CODE: i32 = 3;

#[derive(Debug, Deserialize)]
pub(super) struct Report {
    results: Vec<ResultEntry>,
    #[serde(default)]
    errors: Vec<ErrorEntry>,
    #[serde(default)]
    paths: Paths,
    #[serde(skip)]
    fault: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ResultEntry {
    check_id: String,
    path: String,
    start: Position,
    end: Position,
    extra: Extra,
}

#[derive(Debug, Deserialize)]
struct Position {
    line: usize,
    col: u32,
}

#[derive(Debug, Deserialize)]
struct Extra {
    message: String,
    severity: String,
    #[serde(default)]
    metadata: Value,
}

#[derive(Debug, Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    message: String,
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Paths {
    #[serde(default)]
    scanned: Vec<String>,
    #[serde(default)]
    skipped: Vec<SkippedEntry>,
}

#[derive(Debug, Deserialize)]
struct SkippedEntry {
    path: String,
    #[serde(default)]
    reason: String,
}

impl Report {
    /// From its output; `None` where that is no report.
    pub(super) fn parse(output: &[u8]) -> Option<Self> {
        serde_json::from_slice(output).ok()
    }

    /// A bad end is a fault even where the report tells of none.
    pub(super) fn with_status(mut self, status: ExitStatus) -> Self {
        let explained = status.code() == Some(PARTIAL_CODE) && !self.errors.is_empty();
        let good = status.code().is_some_and(|code| GOOD_CODES.contains(&code)) || explained;
        self.fault = (!good).then(|| status.to_string());
        self
    }

    /// Findings, and what was not scanned.
    pub(super) fn read(
        self,
        files: &[&ScanFile],
        rules: &RuleSnapshot,
    ) -> (Vec<Reported>, Vec<(Option<String>, GapReason)>) {
        let mut gaps: Vec<(Option<String>, GapReason)> = Vec::new();
        let fault = self.fault.map(|detail| (None, GapReason::EngineFailed { detail }));
        gaps.extend(fault);
        for error in self.errors {
            let detail = first_line(&error.message);
            gaps.push(match error.path.map(|path| relative(&path)) {
                Some(path) if files.iter().any(|file| file.path == path) => (Some(path), GapReason::Skipped { detail }),
                _ => (None, GapReason::EngineFailed { detail }),
            });
        }
        let scanned: BTreeSet<String> = self.paths.scanned.iter().map(|path| relative(path)).collect();
        let skipped: BTreeSet<String> = self.paths.skipped.iter().map(|entry| relative(&entry.path)).collect();
        for entry in self.paths.skipped {
            gaps.push((Some(relative(&entry.path)), GapReason::Skipped { detail: entry.reason }));
        }
        let missed = files.iter().filter(|file| !scanned.contains(&file.path) && !skipped.contains(&file.path));
        for file in missed.filter(|file| has_rules(file, rules)) {
            gaps.push((
                Some(file.path.clone()),
                GapReason::Skipped { detail: "not among the files it scanned".into() },
            ));
        }
        (self.results.into_iter().map(reported).collect(), gaps)
    }
}

/// A language without rules in the configuration was not asked for.
fn has_rules(file: &ScanFile, rules: &RuleSnapshot) -> bool {
    matches!(language::of_file(file), Spoken::Languages(languages) if languages.iter().any(|&one| rules.covers(one)))
}

fn reported(result: ResultEntry) -> Reported {
    let metadata = &result.extra.metadata;
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    let cwe = match metadata.get("cwe") {
        Some(Value::Array(all)) => all.first().and_then(Value::as_str),
        Some(Value::String(one)) => Some(one.as_str()),
        _ => None,
    };
    let id =
        result.check_id.strip_prefix(CONFIG_FOLDER).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&result.check_id);
    Reported {
        category: Category::new(category(id, metadata)),
        // A word that is not known must not make a finding less than it may be.
        severity: Severity::parse(&result.extra.severity).unwrap_or(Severity::High),
        rule: RuleId::new(id),
        rule_version: text("version").unwrap_or_else(|| "1.0.0".into()),
        cwe: cwe.and_then(Cwe::parse),
        message: result.extra.message,
        help: text("help").or_else(|| text("source")).unwrap_or_default(),
        place: Place {
            path: relative(&result.path),
            line: result.start.line,
            end_line: Some(result.end.line),
            start_column: Some(result.start.col),
            end_column: Some(result.end.col),
        },
    }
}

/// The categories under which the existing service reports its own rules, then what the rule says of itself.
fn category(id: &str, metadata: &Value) -> String {
    let known = match id.rsplit('.').next().unwrap_or(id) {
        "sql-injection-concat" => Some("sqli"),
        "dangerous-eval" | "dangerous-exec" => Some("code_execution"),
        _ => None,
    };
    let own = || metadata.get("category").and_then(Value::as_str);
    known.or_else(own).unwrap_or("general").to_owned()
}

fn relative(path: &str) -> String {
    path.strip_prefix("./").unwrap_or(path).to_owned()
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::LineSet;

    const REPORT: &str = r#"{"version": "1.0", "results": [{"check_id": "rules.team.sql-injection-concat", "path": "a.py",
        "start": {"line": 2, "col": 3, "offset": 9}, "end": {"line": 2, "col": 9, "offset": 15},
        "extra": {"message": "m", "severity": "SEVERE", "metadata": {"cwe": ["CWE-89: x"], "category": "security"}}}],
        "errors": [{"code": 3, "level": "warn", "type": ["PartialParsing", []], "message": "Syntax error\nmore", "path": "./a.py"},
                   {"code": 2, "level": "error", "type": "SemgrepError", "message": "out of memory"}],
        "paths": {"scanned": ["a.py"], "skipped": [{"path": "b.py", "reason": "too_big"}]}}"#;

    #[test]
    fn errors_skips_and_silence_are_gaps() {
        let files =
            ["a.py", "b.py", "c.py", "d.md", "e.go"].map(|path| ScanFile::whole(path, b"x".to_vec(), LineSet::all()));
        let files: Vec<&ScanFile> = files.iter().collect();
        let (found, gaps) = Report::parse(REPORT.as_bytes()).unwrap().read(&files, &RuleSnapshot::own());
        assert_eq!((found[0].rule.as_str(), found[0].category.as_str()), ("team.sql-injection-concat", "sqli"));
        assert_eq!((found[0].severity, found[0].cwe), (Severity::High, Some(Cwe::new(89))));
        let paths: Vec<_> = gaps.iter().map(|(path, _)| path.as_deref()).collect();
        assert_eq!(paths, [Some("a.py"), None, Some("b.py"), Some("c.py")]);
    }

    #[test]
    fn what_is_no_report_is_none() {
        assert!(Report::parse(b"").is_none());
        assert!(Report::parse(b"{}").is_none());
    }
}
