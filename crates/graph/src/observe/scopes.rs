//! `observability_scopes/v1`: the tool calls of a run, and what happened inside each.

use super::{Document, EvidenceRef, seqs_of_type};
use crate::attempts::AttemptState;
use crate::error::GraphError;
use crate::scope_context::Scopes;
use crate::timeline::{Totals, command_line};
use agentprov_model::{AttemptNo, EventType, Lane};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeMap;

/// The body.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScopesBody {
    /// All scopes.
    pub scope_count: u64,
    /// Those asked for.
    pub scopes: Vec<ScopeRow>,
}

/// One tool call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScopeRow {
    /// Tool call.
    pub tool_call_id: String,
    /// Session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<String>,
    /// Command as a shell line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// `running`, `passed` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// The finer state.
    pub state: &'static str,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Processes seen in it.
    pub process_count: u64,
    /// Runtime facts in it.
    pub runtime_events: u64,
    /// The same by type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runtime_events_by_type: BTreeMap<&'static str, u64>,
    /// Risk signals.
    pub risk_signals: u64,
    /// Policy decisions.
    pub policy_decisions: u64,
    /// Responses.
    pub response_actions: u64,
    /// Whether anybody looked for risks.
    pub risk_state: &'static str,
    /// Facts worth a look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence_refs: Vec<EvidenceRef>,
    /// Commands that look closer.
    pub recommended_drilldowns: Vec<String>,
}

/// The scopes of a run, at most `limit`; 0 for all.
///
/// # Errors
/// What the store says.
pub fn observe_scopes(reader: &Reader, run: &RunRow, limit: usize) -> Result<Document<ScopesBody>, GraphError> {
    let scopes = Scopes::load(reader, run)?;
    let counts = counts_by_attempt(reader, run, &scopes)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut rows = Vec::new();
    for scope in scopes.iter().take(limit) {
        let started = &scope.attempt.started;
        let (status, state) = scope.status();
        let own: BTreeMap<EventType, u64> = counts
            .iter()
            .filter(|((no, _), _)| *no == scope.attempt.no)
            .map(|((_, kind), count)| (*kind, *count))
            .collect();
        let runtime: BTreeMap<&'static str, u64> = own
            .iter()
            .filter(|(kind, _)| Totals::lane_of(**kind) == Lane::RuntimeTelemetry)
            .map(|(kind, count)| (kind.name(), *count))
            .collect();
        let of = |kind: EventType| own.get(&kind).copied().unwrap_or(0);
        let ended_at = match &scope.attempt.state {
            AttemptState::Ended { at, .. } => Some(at.to_rfc3339()),
            // When the recorder died is not known, only when that was noticed.
            AttemptState::Interrupted { .. } | AttemptState::Open => None,
        };
        let (run_id, tool_call) = (&run.id, &started.tool_call_id);
        rows.push(ScopeRow {
            tool_call_id: tool_call.to_string(),
            session_id: Some(started.session_id.to_string()),
            attempt_id: Some(started.attempt_id.to_string()),
            command: Some(command_line(&started.argv)),
            status: Some(status),
            state,
            started_at: Some(scope.attempt.started_at.to_rfc3339()),
            ended_at,
            process_count: of(EventType::ExecStart) + of(EventType::ProcessObserved),
            runtime_events: runtime.values().sum(),
            runtime_events_by_type: runtime,
            risk_signals: of(EventType::RiskSignal),
            policy_decisions: of(EventType::PolicyDecision),
            response_actions: of(EventType::ResponseAction),
            risk_state: if of(EventType::PolicyRules) > 0 { "judged" } else { "not_judged" },
            evidence_refs: vec![EvidenceRef::to(&reader.fact(run.no, scope.attempt.started_seq)?)],
            recommended_drilldowns: vec![
                format!("timeline --run {run_id} --tool-call {tool_call} --view causality --json"),
                format!("graph explain --tool-call {tool_call} --json"),
            ],
        });
    }
    let body = ScopesBody { scope_count: scopes.iter().count() as u64, scopes: rows };
    Document::new("observability_scopes", &[&limit.to_string()], run, body)
}

/// Facts by attempt and type. Where only one attempt's range holds a fact, the range decides; else the fact is asked.
fn counts_by_attempt(
    reader: &Reader,
    run: &RunRow,
    scopes: &Scopes,
) -> Result<BTreeMap<(AttemptNo, EventType), u64>, GraphError> {
    let ranges = scopes.ranges(run.size);
    let mut counts = BTreeMap::new();
    for &kind in EventType::ALL {
        for seq in seqs_of_type(reader, run, kind)? {
            let mut holders = ranges.iter().filter(|(_, from, to)| (*from..=*to).contains(&seq));
            let attempt = match (holders.next(), holders.next()) {
                (Some((attempt, ..)), None) => *attempt,
                (None, _) => continue,
                (Some(_), Some(_)) => reader.fact(run.no, seq)?.attempt,
            };
            *counts.entry((attempt, kind)).or_default() += 1;
        }
    }
    Ok(counts)
}
