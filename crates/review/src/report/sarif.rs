//! SARIF 2.1.0, within what GitHub code scanning takes.

use crate::attribution::LineStatus;
use crate::change::{Change, ChangedFile, Origin};
use crate::finding::{Finding, Severity};
use crate::report::line_hash::line_hashes;
use crate::report::version_control::VersionControl;
use crate::review::{FindingStatus, Review, ReviewedFinding};
use agentprov_graph::diff::split_lines;
use agentprov_model::EventTime;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Results that GitHub keeps of one run.
const MAX_RESULTS: usize = 5000;
/// Notifications of one run.
const MAX_NOTIFICATIONS: usize = 500;
/// Characters of a help text.
const MAX_HELP: usize = 1024;
/// Characters of the id of a rule.
const MAX_RULE_ID: usize = 255;

/// What paths are relative to.
const SOURCE_ROOT: &str = "%SRCROOT%";

/// The review as a SARIF log. Where results are cut, the worst stay and the log says how many went.
pub fn sarif(
    review: &Review,
    change: &Change,
    version_control: Option<&VersionControl>,
    (started, ended): (EventTime, EventTime),
) -> Value {
    let mut order: Vec<&ReviewedFinding> = review.findings.iter().collect();
    order.sort_by_key(|finding| std::cmp::Reverse(finding.finding.severity));
    let cut = order.len().saturating_sub(MAX_RESULTS);
    order.truncate(MAX_RESULTS);
    let mut rules: BTreeMap<String, &Finding> = BTreeMap::new();
    for finding in &order {
        rules.entry(rule_id(&finding.finding)).or_insert(&finding.finding);
    }
    let places: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
    let mut hashes = LineHashes { change, known: BTreeMap::new() };
    let results: Vec<Value> =
        order.iter().map(|finding| result(finding, review, &places, &mut hashes, change)).collect();
    let mut notifications: Vec<Value> = review.gaps.iter().take(MAX_NOTIFICATIONS).map(notification).collect();
    if cut > 0 {
        let text = format!("{cut} findings of lower severity were left out: {MAX_RESULTS} are kept");
        notifications.push(json!({"level": "warning", "message": {"text": text}}));
    }
    let unsaid = review.gaps.len().saturating_sub(MAX_NOTIFICATIONS);
    if unsaid > 0 {
        let text = format!("{unsaid} more parts of the change were not scanned");
        notifications.push(json!({"level": "warning", "message": {"text": text}}));
    }
    let mut run = json!({
        "tool": {"driver": {
            "name": "agentprov",
            "version": env!("CARGO_PKG_VERSION"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules.values().map(|finding| rule(finding)).collect::<Vec<_>>(),
        }},
        "automationDetails": {"id": "agentprov/review/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{
            "executionSuccessful": review.gaps.is_empty(),
            "startTimeUtc": started.to_rfc3339(),
            "endTimeUtc": ended.to_rfc3339(),
            "toolExecutionNotifications": notifications,
        }],
        "results": results,
        "properties": {
            "outcome": review.outcome,
            "rationale": review.rationale,
            "policy_version": review.policy_version,
            "revision": revision(&change.origin),
        },
    });
    if let Some(version_control) = version_control {
        run["versionControlProvenance"] = version_control_details(version_control, &change.origin);
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    })
}

/// Where the reviewed files can be had. What is not committed has no revision.
fn version_control_details(version_control: &VersionControl, origin: &Origin) -> Value {
    let mut details = json!({
        "repositoryUri": version_control.repository_uri,
        "mappedTo": {"uriBaseId": SOURCE_ROOT},
    });
    if let Some(revision) = revision(origin) {
        details["revisionId"] = revision.into();
    }
    if let Some(branch) = &version_control.branch {
        details["branch"] = branch.as_str().into();
    }
    json!([details])
}

fn revision(origin: &Origin) -> Option<&str> {
    match origin {
        Origin::Range { head, .. } | Origin::Payload { head, .. } => Some(head),
        Origin::Staged { .. } | Origin::Worktree { .. } | Origin::Diff => None,
    }
}

fn rule_id(finding: &Finding) -> String {
    finding.rule.as_str().chars().take(MAX_RULE_ID).collect()
}

fn rule(finding: &Finding) -> Value {
    let help: String = finding.help.chars().take(MAX_HELP).collect();
    let help = if help.is_empty() { finding.message.clone() } else { help };
    let mut tags = vec!["security".to_owned(), finding.category.as_str().to_owned()];
    tags.extend(finding.cwe.map(|cwe| format!("external/cwe/cwe-{:03}", cwe.number())));
    json!({
        "id": rule_id(finding),
        "name": pascal_case(&rule_id(finding)),
        "shortDescription": {"text": finding.message},
        "fullDescription": {"text": finding.message},
        "help": {"text": help},
        "defaultConfiguration": {"level": level(finding.severity)},
        "properties": {
            "tags": tags,
            "precision": "medium",
            "security-severity": security_severity(finding.severity),
            "problem.severity": problem_severity(finding.severity),
        },
    })
}

fn result(
    reviewed: &ReviewedFinding,
    review: &Review,
    rules: &BTreeMap<&str, usize>,
    hashes: &mut LineHashes<'_>,
    change: &Change,
) -> Value {
    let finding = &reviewed.finding;
    let id = rule_id(finding);
    let file = change.files.iter().find(|file| file.path == finding.path);
    let (start, end) = columns(finding, file);
    let mut fingerprints = json!({"agentprov/v1": finding.fingerprint.to_string()});
    if let Some(hash) = hashes.of(&finding.path, finding.line.index()) {
        fingerprints["primaryLocationLineHash"] = hash.into();
    }
    let mut result = json!({
        "ruleId": id,
        "ruleIndex": rules.get(id.as_str()),
        "level": level(finding.severity),
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": encoded(&finding.path), "uriBaseId": SOURCE_ROOT},
            "region": {
                "startLine": finding.line,
                "startColumn": start,
                "endLine": finding.end_line,
                "endColumn": end,
            },
        }}],
        "partialFingerprints": fingerprints,
        "properties": properties(reviewed, review),
    });
    if let Some(waiver) = reviewed.waiver.as_ref().filter(|_| reviewed.status == FindingStatus::Suppressed) {
        result["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": format!("{} ({})", waiver.word.reason, waiver.word.by),
        }]);
    }
    result
}

fn properties(reviewed: &ReviewedFinding, review: &Review) -> Value {
    let mut properties = json!({
        "finding_id": reviewed.finding_id,
        "engine_name": reviewed.finding.engine,
        "category": reviewed.finding.category,
        "severity": reviewed.finding.severity,
        "attribution": reviewed.attribution,
    });
    let claim = reviewed.claims.first().filter(|_| reviewed.attribution == LineStatus::Owned);
    if let Some(claim) = claim.map(|id| review.attribution.claim(*id)) {
        properties["agent_id"] = claim.author.name().into();
        properties["basis"] = json!(claim.basis);
        properties["confidence"] = json!(claim.confidence);
        let session = claim.deed.as_ref().and_then(|deed| deed.session_id.clone()).or_else(|| claim.session.clone());
        properties["session_id"] = json!(session);
    }
    if let Some(author) = &reviewed.finding.suppressed_by_author {
        properties["suppression_ignored"] = json!({"marker": author.marker, "line": author.line});
    }
    properties
}

fn notification(gap: &crate::detect::CoverageGap) -> Value {
    let mut notification = json!({"level": "warning", "message": {"text": gap.to_string()}});
    if let Some(path) = &gap.path {
        notification["locations"] = json!([{"physicalLocation": {"artifactLocation": {"uri": encoded(path)}}}]);
    }
    notification
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

const fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "recommendation",
    }
}

/// In the middle of the band that stands for the severity.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}

/// Columns of a finding in characters; detectors count bytes.
fn columns(finding: &Finding, file: Option<&ChangedFile>) -> (u32, u32) {
    let lines = file.map(ChangedFile::new_lines).unwrap_or_default();
    let column = |line: crate::LineNumber, byte: u32| {
        let Some(text) = lines.get(line.index()) else { return byte };
        let before = &text[..text.len().min(byte.saturating_sub(1) as usize)];
        u32::try_from(String::from_utf8_lossy(before).chars().count() + 1).unwrap_or(u32::MAX)
    };
    let start = column(finding.line, finding.start_column);
    let end = column(finding.end_line, finding.end_column);
    (start, if finding.line == finding.end_line { end.max(start) } else { end })
}

/// A path as a relative URI.
fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

/// Hashes of lines, computed once for each file.
struct LineHashes<'a> {
    change: &'a Change,
    known: BTreeMap<String, Vec<String>>,
}

impl LineHashes<'_> {
    /// None where only a part of the file is known: its hash would be that of another file.
    fn of(&mut self, path: &str, line: usize) -> Option<String> {
        if !self.known.contains_key(path) {
            let file = self.change.files.iter().find(|file| file.path == path);
            let whole = file.and_then(|file| match &file.new.content {
                crate::change::FileContent::Text(bytes) => Some(bytes),
                _ => None,
            });
            // GitHub counts lines at carriage returns too; where those differ from ours there is no common number.
            let same = whole.filter(|bytes| split_lines(bytes).iter().all(|line| !has_lone_return(line)));
            self.known.insert(path.to_owned(), same.map(|bytes| line_hashes(bytes)).unwrap_or_default());
        }
        self.known.get(path)?.get(line).cloned()
    }
}

fn has_lone_return(line: &[u8]) -> bool {
    let end = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(line);
    memchr::memchr(b'\r', end).is_some()
}
/// A name for people, which has to differ from the id (SARIF 2.1.0, section 3.49.7): its words, each with a capital.
fn pascal_case(id: &str) -> String {
    let words = id.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect();
    if name == id { format!("Rule{name}") } else { name }
}
