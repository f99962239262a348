//! The findings of an analysis as SARIF 2.1.0.

use crate::analysis::report::{Judged, lines_by_place, owner};
use agentprov_model::EventTime;
use agentprov_review::{Finding, Severity};
use agentprov_store::JobRow;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Results of a run that GitHub code scanning takes.
const MAX_RESULTS: usize = 25_000;

/// The document of a finished analysis.
pub(crate) fn document(judged: &Judged, id: &str, created: EventTime, ended: EventTime) -> Value {
    let findings = &judged.review.findings;
    let shown = &findings[..findings.len().min(MAX_RESULTS)];
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in shown.iter().map(|one| &one.finding) {
        rules.entry(finding.rule.as_str()).or_insert(finding);
    }
    let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(at, name)| (*name, at)).collect();
    let mut notifications: Vec<Value> = judged
        .review
        .gaps
        .iter()
        .map(|gap| json!({"level": "warning", "message": {"text": gap.to_string()}}))
        .collect();
    if shown.len() < findings.len() {
        let text = format!("{} of {} findings are shown", shown.len(), findings.len());
        notifications.push(json!({"level": "warning", "message": {"text": text}}));
    }
    let lines = lines_by_place(&judged.payload);
    let results: Vec<Value> = shown
        .iter()
        .map(|one| {
            let finding = &one.finding;
            let by = owner(finding, &lines).map(|line| &line.attribution);
            json!({
                "ruleId": finding.rule,
                "ruleIndex": index.get(finding.rule.as_str()),
                "level": level(finding.severity),
                "message": {"text": finding.message},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": encoded(&finding.path), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": finding.line, "endLine": finding.end_line},
                }}],
                "partialFingerprints": {"agentprov/v1": finding.fingerprint},
                "properties": {
                    "analysis_id": id,
                    "finding_id": one.finding_id,
                    "repo_id": judged.payload.repo,
                    "pr_number": judged.payload.pr_number,
                    "engine_name": finding.engine,
                    "category": finding.category,
                    "agent_id": by.map(|by| &by.agent_id),
                    "session_id": by.and_then(|by| by.agent_session_id.as_ref()),
                },
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Provenance Governance",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.values().map(|finding| rule(finding)).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": format!("agentprov/{id}")},
            "invocations": [{
                "executionSuccessful": judged.review.gaps.is_empty(),
                "startTimeUtc": created.to_rfc3339(),
                "endTimeUtc": ended.to_rfc3339(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

fn rule(finding: &Finding) -> Value {
    let cwe = finding.cwe.map(|cwe| format!("external/cwe/cwe-{:03}", cwe.number()));
    let tags: Vec<String> =
        [Some("security".to_owned()), Some(finding.category.as_str().to_owned()), cwe].into_iter().flatten().collect();
    json!({
        "id": finding.rule,
        "shortDescription": {"text": finding.message},
        "help": {"text": finding.help},
        "defaultConfiguration": {"level": level(finding.severity)},
        "properties": {"tags": tags, "precision": "medium", "security-severity": security_severity(finding.severity)},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// In the middle of the range that GitHub gives the word.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}

/// A path as a relative URI.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => text.push(byte as char),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The document of an analysis that has no findings yet, or will not have any.
pub(crate) fn unfinished(row: &JobRow) -> Value {
    let why = row.problem.as_deref().unwrap_or("the analysis is not finished");
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "Provenance Governance", "rules": []}},
            "invocations": [{
                "executionSuccessful": false,
                "startTimeUtc": row.accepted.to_rfc3339(),
                "endTimeUtc": row.updated.to_rfc3339(),
                "toolExecutionNotifications": [{"level": "error", "message": {"text": why}}],
            }],
            "results": [],
        }],
    })
}
