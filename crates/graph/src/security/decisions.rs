//! `policy_decisions/v1`.

use super::document::{Found, SecurityDocument, found, runs_of};
use crate::error::GraphError;
use agentprov_model::{EventType, MatchedRule, RuleMode, Severity, Verdict, What};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DecisionsBody {
    /// How many.
    pub count: usize,
    /// Newest first.
    pub decisions: Vec<DecisionRow>,
}

/// A decision in the contract's words.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DecisionRow {
    /// Id of its fact.
    pub id: String,
    /// Run.
    pub run_id: String,
    /// The event.
    pub event_id: String,
    /// Session; empty where not known.
    pub session_id: String,
    /// The rule that decided.
    pub rule_id: String,
    /// The verdict that applied.
    pub decision: Verdict,
    /// Why.
    pub reason: String,
    /// When it was appended.
    pub created_at: String,
    /// The verdict if everything had been enforced.
    pub intended: Verdict,
    /// The mode in which the rules ran.
    pub mode: RuleMode,
    /// The heaviest severity of the rules that matched.
    pub severity: Severity,
    /// What the event acted on.
    pub object: String,
    /// Process; empty where not known.
    pub process_id: String,
    /// Every rule that matched.
    pub matched: Vec<MatchedRule>,
    /// Controls that the deciding rule serves.
    pub controls: Vec<String>,
    /// Digest of the rule set.
    pub ruleset: String,
}

/// The decisions of a run, or of all runs.
///
/// # Errors
/// What the store says.
pub fn policy_decisions(reader: &Reader, run: Option<&RunRow>) -> Result<SecurityDocument<DecisionsBody>, GraphError> {
    let runs = runs_of(reader, run)?;
    let decisions: Vec<DecisionRow> =
        found(reader, &runs, EventType::PolicyDecision)?.into_iter().filter_map(row).collect();
    let body = DecisionsBody { count: decisions.len(), decisions };
    SecurityDocument::new("policy_decisions", reader, run, &runs, body)
}

fn row(found: Found<'_>) -> Option<DecisionRow> {
    let Found { run, fact, context, .. } = found;
    let What::Decision(decision) = fact.what else { return None };
    Some(DecisionRow {
        id: fact.id.to_string(),
        run_id: run.id.to_string(),
        event_id: decision.event.to_string(),
        session_id: context.session_id.unwrap_or_default(),
        rule_id: decision.rule,
        decision: decision.verdict,
        reason: decision.reason,
        created_at: fact.recorded.to_rfc3339(),
        intended: decision.intended,
        mode: decision.mode,
        severity: decision.severity,
        object: decision.object.lossy().into_owned(),
        process_id: context.process_id.unwrap_or_default(),
        matched: decision.matched,
        controls: decision.controls,
        ruleset: decision.ruleset,
    })
}
