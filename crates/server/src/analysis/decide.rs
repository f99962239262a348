//! The decision, signed: as an in-toto statement, and as the bundle of the existing service.

use crate::analysis::Analyst;
use crate::analysis::report::{Judged, analysis_id, confidence, digest, named};
use crate::error::ServerError;
use agentprov_attest::decision::{ChangedBlob, Decision, DecisionSubjects, Digests, Outcome, Pinned, Reason, Tool};
use agentprov_attest::digest::{Algorithm, DigestSet};
use agentprov_attest::envelope::IN_TOTO;
use agentprov_attest::service_bundle::ServiceBundle;
use agentprov_attest::{Envelope, Statement, Subject};
use agentprov_model::{ContentId, EventTime};
use agentprov_review::detect::Capability;
use agentprov_review::governance::{self, FiredRule, Limits};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Evidence that is with GitHub.
const GITHUB_REVIEW: &str = "provenance:github_review";

/// A decision with its two signed forms.
pub(crate) struct Signed {
    pub(crate) decision: Decision,
    pub(crate) bundle: ServiceBundle,
    pub(crate) statement: Value,
}

pub(crate) fn sign(analyst: &Analyst, judged: &Judged, id: &str, now: EventTime) -> Result<Signed, ServerError> {
    let decision = decision(analyst, judged, id, &now.to_rfc3339());
    let statement = Statement { subjects: subjects(judged)?, predicate: decision };
    let payload = statement.to_bytes().map_err(|error| ServerError::Statement(error.to_string()))?;
    let mut envelope = Envelope { payload_type: IN_TOTO.to_owned(), payload, signatures: Vec::new() };
    analyst.signers.iter().for_each(|key| envelope.add_signature(key));
    let text = envelope.to_json().map_err(|error| ServerError::Statement(error.to_string()))?;
    Ok(Signed {
        bundle: ServiceBundle::sign(&bundle_payload(&statement.predicate, judged), &analyst.signers),
        statement: serde_json::from_str(&text).map_err(|error| ServerError::Statement(error.to_string()))?,
        decision: statement.predicate,
    })
}

/// The predicate. All but its time is a function of input, rules, policy and program.
pub(crate) fn decision(analyst: &Analyst, judged: &Judged, id: &str, decided_at: &str) -> Decision {
    let policy = &judged.policy;
    // The policy's own digest is over its settings and the waivers; it is 64 hex digits by its construction.
    let policy_digest = policy.digest().parse().unwrap_or_else(|_| digest(json!(policy).to_string().as_bytes()));
    let rules_digest = rules_digest(&judged.capabilities);
    let (payload, review) = (&judged.payload, &judged.review);
    let identity = [judged.inputs, policy_digest, rules_digest].map(|one| one.to_hex()).concat();
    Decision {
        decision_id: named("pd", digest(identity.as_bytes())),
        analysis_id: id.to_owned(),
        repository: payload.repo.clone(),
        pr_number: Some(payload.pr_number.clone()),
        base_commit: payload.base_sha.clone(),
        head_commit: payload.head_sha.clone(),
        decided_at: decided_at.to_owned(),
        outcome: outcome(review.outcome),
        rationale: review.rationale.clone(),
        reasons: review.reasons.iter().map(reason).collect(),
        risk_summary: judged.risk_summary.clone(),
        gaps: review.gaps.iter().map(|gap| json!(gap)).collect(),
        policy_version: review.policy_version.clone(),
        settings: json!(policy),
        digests: Digests {
            inputs: judged.inputs,
            lines: judged.lines_digest,
            findings: judged.findings_digest,
            policy: policy_digest,
            rules: rules_digest,
        },
        detectors: judged.capabilities.iter().map(pinned).collect(),
        tool: Tool {
            name: "agentprov".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            argv: analyst.argv.clone(),
        },
    }
}

/// Over the rules of all engines.
pub(crate) fn rules_digest(capabilities: &[Capability]) -> ContentId {
    let rules = capabilities.iter().map(|one| format!("{}={}\n", one.name, one.digest.as_deref().unwrap_or("-")));
    digest(rules.collect::<String>().as_bytes())
}

pub(crate) fn outcome(outcome: governance::Outcome) -> Outcome {
    match outcome {
        governance::Outcome::Allow => Outcome::Allow,
        governance::Outcome::Warn => Outcome::Warn,
        governance::Outcome::Block => Outcome::Block,
    }
}

pub(crate) fn reason(rule: &FiredRule) -> Reason {
    Reason {
        code: rule.code.clone(),
        outcome: outcome(rule.outcome),
        count: rule.count,
        threshold: Some(rule.threshold),
        message: rule.message.clone(),
        to_clear: Some(rule.to_clear.clone()),
        evidence: match rule.code.as_str() {
            "bot_block_override" | "force_push_after_approval" => vec![GITHUB_REVIEW.to_owned()],
            _ => rule.evidence.clone(),
        },
    }
}

pub(crate) fn pinned(capability: &Capability) -> Pinned {
    Pinned {
        name: capability.name.clone(),
        version: capability.engine_version.clone(),
        sha256: capability.digest.as_deref().and_then(|hex| hex.parse().ok()),
    }
}

/// What the statement is about. A posted head that is no commit id can't be a subject as one: then the input is the
/// subject, under a name that says so.
fn subjects(judged: &Judged) -> Result<Vec<Subject>, ServerError> {
    let refuse = |error: agentprov_attest::digest::DigestError| ServerError::Statement(error.to_string());
    let blobs: Vec<ChangedBlob> = judged
        .change
        .files
        .iter()
        .filter_map(|file| Some((file, file.new.text()?)))
        .map(|(file, text)| ChangedBlob { path: file.path.clone(), git: file.new.blob, sha256: digest(text) })
        .collect();
    let repository = judged.payload.repo.clone();
    let about = DecisionSubjects { repository, commit: judged.payload.head_sha.clone(), tree: None, blobs };
    // Of a posted change only fragments are known: their digests name no blob, so the input stands for them.
    let input = Subject { name: analysis_id(judged.inputs), digest: sha256(judged.inputs).map_err(refuse)? };
    match about.to_subjects() {
        Ok(subjects) => Ok(subjects.into_iter().take(1).chain([input]).collect()),
        Err(_) => Ok(vec![input]),
    }
}

fn sha256(digest: ContentId) -> Result<DigestSet, agentprov_attest::digest::DigestError> {
    DigestSet::new([(Algorithm::Sha256, digest.to_hex())])
}

/// The payload of the existing service, with what it lacks to bind the decision.
fn bundle_payload(decision: &Decision, judged: &Judged) -> Value {
    let category = &judged.policy.category;
    let limits = |of: fn(&Limits) -> Option<u64>| -> BTreeMap<&String, u64> {
        category.iter().filter_map(|(name, limits)| Some((name, of(limits)?))).collect()
    };
    json!({
        "analysis_id": decision.analysis_id,
        "repo_id": decision.repository,
        "pr_number": decision.pr_number,
        "decided_at": decision.decided_at.replace('Z', "+00:00"),
        "outcome": decision.outcome,
        "policy_version": decision.policy_version,
        "rationale": decision.rationale,
        "risk_summary": decision.risk_summary,
        "provenance_confidence": confidence(&judged.lines),
        "thresholds": {"warn": limits(|limits| limits.warn), "block": limits(|limits| limits.block)},
        "detector_capabilities": judged.capabilities,
        "line_count": judged.lines.total,
        "finding_count": judged.review.findings.len(),
        "inputs_sha256": decision.digests.inputs,
        "decision_id": decision.decision_id,
        "base_sha": decision.base_commit,
        "head_sha": decision.head_commit,
        "reasons": decision.reasons,
        "evidence_links": evidence_of(&decision.reasons),
        "findings_sha256": decision.digests.findings,
        "lines_sha256": decision.digests.lines,
        "policy_sha256": decision.digests.policy,
        "rules_sha256": decision.digests.rules,
        "settings": decision.settings,
        "gaps": decision.gaps,
    })
}

/// The evidence of all reasons, each piece once.
pub fn evidence_of(reasons: &[Reason]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = reasons.iter().flat_map(|reason| &reason.evidence);
    all.filter(|link| seen.insert(link.as_str())).cloned().collect()
}
