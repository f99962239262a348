//! `verify/v1`: the contract's form of a report.

use crate::verify::outcome::{Check, Finding, Outcome, Verdict, Weight};
use crate::verify::{RunReport, Trust};
use agentprov_model::schema;
use serde::Serialize;

/// `verify/v1`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct VerifyDocument {
    /// `agentprovenance.verify/v1`.
    pub schema_version: String,
    /// Run.
    pub run_id: String,
    /// `ok` or `failed`.
    pub status: &'static str,
    /// The finer state: verified, undecided or failed.
    pub state: Verdict,
    /// Errors and warnings.
    pub issue_count: u64,
    /// Errors.
    pub error_count: u64,
    /// Warnings.
    pub warning_count: u64,
    /// In the order of the checks.
    pub issues: Vec<Issue>,
    /// Facts that were examined.
    pub examined_facts: u64,
    /// The first failed check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// Every check.
    pub checks: Vec<Check>,
    /// Whose word it rests on.
    pub trust: Trust,
}

/// One issue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Issue {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Code.
    pub kind: &'static str,
    /// What it concerns.
    pub id: String,
    /// In words.
    pub message: String,
}

impl RunReport {
    /// The contract's form.
    pub fn document(&self) -> VerifyDocument {
        let issues: Vec<Issue> = self
            .checks
            .iter()
            .flat_map(|check| check.findings.iter().map(|finding| issue(&self.run_id, check, finding)))
            .collect();
        let errors = issues.iter().filter(|issue| issue.severity == "error").count() as u64;
        VerifyDocument {
            schema_version: schema::v1("verify"),
            run_id: self.run_id.clone(),
            status: if self.verdict == Verdict::Failed { "failed" } else { "ok" },
            state: self.verdict,
            issue_count: issues.len() as u64,
            error_count: errors,
            warning_count: issues.len() as u64 - errors,
            issues,
            examined_facts: self.facts,
            first_failure: self.first_failure().map(|(check, _)| check.name.to_owned()),
            checks: self.checks.clone(),
            trust: self.trust.clone(),
        }
    }
}

fn issue(run: &str, check: &Check, finding: &Finding) -> Issue {
    let severity = if finding.outcome.weight() == Weight::Bad { "error" } else { "warning" };
    let place = &finding.place;
    let id = match (&place.name, place.leaf, place.ledger_entry) {
        (Some(name), ..) => name.clone(),
        (None, Some(leaf), _) => format!("{run}/fact/{leaf}"),
        (None, None, Some(entry)) => format!("ledger/{entry}"),
        (None, None, None) => run.to_owned(),
    };
    Issue { severity, kind: code(check.name, finding.outcome), id, message: finding.message.clone() }
}

/// The contract's code where one fits, else our own.
fn code(check: &str, outcome: Outcome) -> &'static str {
    match (check, outcome) {
        ("links", Outcome::BrokenLink) => "missing_process",
        (_, Outcome::AlteredFact | Outcome::CorruptContent) => "object_hash_mismatch",
        (_, Outcome::MissingBody | Outcome::MissingContent) => "missing_provenance_object",
        ("root" | "sealed_heads", Outcome::BrokenLink | Outcome::SplitView) => "record_manifest_mismatch",
        (_, Outcome::Malformed) => "invalid_provenance_object_json",
        (_, Outcome::Valid) => "valid",
        (_, Outcome::InvalidSignature) => "invalid_signature",
        (_, Outcome::Unsigned) => "unsigned",
        (_, Outcome::UnknownKey) => "unknown_key",
        (_, Outcome::SubjectMismatch) => "subject_mismatch",
        (_, Outcome::BrokenLink) => "broken_link",
        (_, Outcome::Truncated) => "log_truncated",
        (_, Outcome::ExtraFacts) => "facts_beyond_signed_head",
        (_, Outcome::Duplicate) => "duplicate_fact",
        (_, Outcome::Reordered) => "reordered_fact",
        (_, Outcome::Rollback) => "rollback",
        (_, Outcome::SplitView) => "split_view",
        (_, Outcome::Removed) => "run_removed",
        (_, Outcome::Unlisted) => "run_not_in_ledger",
        (_, Outcome::ExternalMissing) => "external_content_missing",
        (_, Outcome::Pruned) => "bodies_pruned",
        (_, Outcome::IncompleteCoverage) => "incomplete_coverage",
        (_, Outcome::Interrupted) => "attempt_interrupted",
        (_, Outcome::Nothing) => "nothing_to_verify",
    }
}
