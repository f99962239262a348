//! `security_risks/v1`.

use super::document::{Found, Query, SecurityDocument, found, runs_of};
use crate::error::GraphError;
use agentprov_model::{EventType, RiskKind, Severity, Verdict, What};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use serde_json::json;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RisksBody {
    /// How many.
    pub count: usize,
    /// Newest first.
    pub risks: Vec<RiskItem>,
}

/// A risk, and where to look on.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RiskItem {
    /// The risk.
    pub risk: Risk,
    /// Commands that look closer.
    pub query: Query,
}

/// A risk signal in the contract's words.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Risk {
    /// Id of its fact.
    pub id: String,
    /// Run.
    pub run_id: String,
    /// Session; empty where not known.
    pub session_id: String,
    /// Tool call; empty where not known.
    pub tool_call_id: String,
    /// Process; empty where not known.
    pub process_id: String,
    /// Snapshot; our recorder takes none.
    pub snapshot_id: String,
    /// The event.
    pub event_id: String,
    /// The decision about it.
    pub policy_decision_id: String,
    /// What it stands on.
    pub signal_type: RiskKind,
    /// How much it weighs.
    pub severity: Severity,
    /// Why.
    pub reason: String,
    /// What the rule asks for.
    pub recommended_action: Verdict,
    /// Rule and object as JSON text, as the contract has it.
    pub payload: String,
    /// The rule.
    pub rule_id: String,
    /// What the event acted on.
    pub object: String,
    /// When it was appended.
    pub created_at: String,
    /// When the event happened.
    pub event_time: String,
}

/// The risks of a run, or of all runs.
///
/// # Errors
/// What the store says.
pub fn security_risks(reader: &Reader, run: Option<&RunRow>) -> Result<SecurityDocument<RisksBody>, GraphError> {
    let runs = runs_of(reader, run)?;
    let risks: Vec<RiskItem> = found(reader, &runs, EventType::RiskSignal)?.into_iter().filter_map(item).collect();
    SecurityDocument::new("security_risks", reader, run, &runs, RisksBody { count: risks.len(), risks })
}

fn item(found: Found<'_>) -> Option<RiskItem> {
    let Found { run, fact, context, .. } = found;
    let What::RiskSignal(risk) = fact.what else { return None };
    let drilldowns = vec![
        format!("observe event --run {} --event {} --json", run.id, risk.event),
        format!("graph explain --event {} --json", risk.event),
        format!("graph explain --risk {} --json", risk.decision),
        format!("security responses --run {} --json", run.id),
        format!("policy decisions --run {} --json", run.id),
    ];
    Some(RiskItem {
        risk: Risk {
            id: fact.id.to_string(),
            run_id: run.id.to_string(),
            session_id: context.session_id.unwrap_or_default(),
            tool_call_id: context.tool_call_id.unwrap_or_default(),
            process_id: context.process_id.unwrap_or_default(),
            snapshot_id: String::new(),
            event_id: risk.event.to_string(),
            policy_decision_id: risk.decision.to_string(),
            signal_type: risk.kind,
            severity: risk.severity,
            reason: risk.reason,
            recommended_action: risk.recommended,
            payload: json!({ "rule_id": risk.rule, "object": risk.object.lossy() }).to_string(),
            rule_id: risk.rule,
            object: risk.object.lossy().into_owned(),
            created_at: fact.recorded.to_rfc3339(),
            event_time: fact.at.to_rfc3339(),
        },
        query: Query { drilldowns },
    })
}
