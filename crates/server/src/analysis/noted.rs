//! Decisions as facts of the store's log.

use agentprov_attest::Decision;
use agentprov_attest::decision::Outcome;
use agentprov_model::{ReviewDecision, ReviewOutcome};

/// What the log keeps of a decision: who wants the rest has the statement, and its digests.
pub fn fact_of(decision: &Decision) -> ReviewDecision {
    let digests = &decision.digests;
    ReviewDecision {
        decision_id: decision.decision_id.clone(),
        analysis_id: decision.analysis_id.clone(),
        repository: decision.repository.clone(),
        base_commit: decision.base_commit.clone(),
        head_commit: decision.head_commit.clone(),
        outcome: match decision.outcome {
            Outcome::Allow => ReviewOutcome::Allow,
            Outcome::Warn => ReviewOutcome::Warn,
            Outcome::Block => ReviewOutcome::Block,
        },
        reasons: decision.reasons.iter().map(|reason| reason.code.clone()).collect(),
        inputs_sha256: digests.inputs,
        lines_sha256: digests.lines,
        findings_sha256: digests.findings,
        policy_sha256: digests.policy,
        rules_sha256: digests.rules,
        version: decision.tool.version.clone(),
    }
}
