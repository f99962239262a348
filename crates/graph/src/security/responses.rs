//! `security_responses/v1`: one row a response, folded from its steps.

use super::document::{Found, Query, SecurityDocument, found, runs_of};
use crate::error::GraphError;
use agentprov_model::{EventId, EventType, ResponseAction, ResponseKind, ResponseState, ResponseTarget, What};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ResponsesBody {
    /// How many.
    pub count: usize,
    /// Newest first.
    pub responses: Vec<ResponseItem>,
}

/// A response, and where to look on.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ResponseItem {
    /// The response.
    pub response: Response,
    /// Commands that look closer.
    pub query: Query,
}

/// A response in the contract's words.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Response {
    /// Id of the fact that requested it.
    pub id: String,
    /// Run.
    pub run_id: String,
    /// Session; empty where not known.
    pub session_id: String,
    /// Process; empty where not known.
    pub process_id: String,
    /// Snapshot; our recorder takes none.
    pub snapshot_id: String,
    /// The risk.
    pub risk_signal_id: String,
    /// The decision behind it.
    pub policy_decision_id: String,
    /// What is done.
    pub action_type: ResponseKind,
    /// Kind of target.
    pub target_type: &'static str,
    /// The target.
    pub target_id: String,
    /// The contract's word for how far it came.
    pub status: &'static str,
    /// The fact that says how it ended.
    pub result_ref: String,
    /// The steps as JSON text, as the contract has it.
    pub payload: String,
    /// Every step with its evidence.
    pub steps: Vec<ResponseStep>,
    /// When the request was appended.
    pub created_at: String,
    /// How far it came.
    pub state: ResponseState,
    /// What shows it.
    pub evidence: String,
}

/// One step of a response.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ResponseStep {
    /// How far it had come.
    pub state: ResponseState,
    /// When.
    pub at: String,
    /// What shows it.
    pub evidence: String,
    /// The fact that says so.
    pub event_id: String,
}

/// The responses of a run, or of all runs.
///
/// # Errors
/// What the store says.
pub fn security_responses(
    reader: &Reader,
    run: Option<&RunRow>,
) -> Result<SecurityDocument<ResponsesBody>, GraphError> {
    let runs = runs_of(reader, run)?;
    let mut order: Vec<EventId> = Vec::new();
    let mut steps: BTreeMap<EventId, Vec<(Found<'_>, ResponseAction)>> = BTreeMap::new();
    let mut facts = found(reader, &runs, EventType::ResponseAction)?;
    // Folded in the order of the log: that of the times may differ between judge and responder.
    facts.sort_by(|a, b| (&a.run.id, a.seq).cmp(&(&b.run.id, b.seq)));
    for found in facts {
        let What::ResponseAction(action) = &found.fact.what else { continue };
        let action = action.clone();
        let request = action.request.unwrap_or(found.fact.id);
        let of_request = steps.entry(request).or_default();
        if of_request.is_empty() {
            order.push(request);
        }
        of_request.push((found, action));
    }
    let mut rows: Vec<_> = order.into_iter().filter_map(|id| Some((id, steps.remove(&id)?))).collect();
    rows.sort_by_key(|(_, steps)| std::cmp::Reverse(steps.first().map(|(found, _)| (found.fact.at, found.seq))));
    let responses: Vec<ResponseItem> = rows.into_iter().filter_map(|(id, steps)| item(id, &steps)).collect();
    let body = ResponsesBody { count: responses.len(), responses };
    SecurityDocument::new("security_responses", reader, run, &runs, body)
}

fn item(id: EventId, steps: &[(Found<'_>, ResponseAction)]) -> Option<ResponseItem> {
    let (first, request) = steps.first()?;
    let (last, end) =
        steps.iter().max_by_key(|(found, action)| (action.state >= ResponseState::Confirmed, found.seq))?;
    let listed: Vec<ResponseStep> = steps.iter().map(|(found, action)| step(found, action)).collect();
    let run = &first.run.id;
    Some(ResponseItem {
        response: Response {
            id: id.to_string(),
            run_id: run.to_string(),
            session_id: first.context.session_id.clone().unwrap_or_default(),
            process_id: first.context.process_id.clone().unwrap_or_default(),
            snapshot_id: String::new(),
            risk_signal_id: request.risk.to_string(),
            policy_decision_id: request.decision.to_string(),
            action_type: request.action,
            target_type: request.target.kind(),
            target_id: target_id(&request.target),
            status: status(end),
            result_ref: format!("event/{}", last.fact.id),
            payload: json!({ "steps": listed }).to_string(),
            steps: listed,
            created_at: first.fact.recorded.to_rfc3339(),
            state: end.state,
            evidence: end.evidence.clone(),
        },
        query: Query {
            drilldowns: vec![
                format!("security risks --run {run} --json"),
                format!("observe event --run {run} --event {} --json", last.fact.id),
            ],
        },
    })
}

fn step(found: &Found<'_>, action: &ResponseAction) -> ResponseStep {
    ResponseStep {
        state: action.state,
        at: action.reached.to_rfc3339(),
        evidence: action.evidence.clone(),
        event_id: found.fact.id.to_string(),
    }
}

/// The contract has no word for "not possible here"; `skipped` is the one that claims nothing.
fn status(end: &ResponseAction) -> &'static str {
    match (end.state, end.action) {
        (ResponseState::Confirmed, ResponseKind::Audit) => "recorded",
        (ResponseState::Confirmed, _) => "succeeded",
        (ResponseState::Requested, _) => "pending",
        (ResponseState::Attempted, _) => "running",
        (ResponseState::Failed, _) => "failed",
        (ResponseState::Unsupported, _) => "skipped",
    }
}

fn target_id(target: &ResponseTarget) -> String {
    match target {
        ResponseTarget::Process(key) => key.id().to_string(),
        ResponseTarget::Event(id) => id.to_string(),
        ResponseTarget::Receiver(name) => name.clone(),
        ResponseTarget::UnknownProcess => String::new(),
    }
}
