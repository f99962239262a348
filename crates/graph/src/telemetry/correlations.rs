//! `telemetry correlations`: how each event came to its scope, with the binding that was used then.

use super::bindings::{BindingRow, known_bindings};
use super::late::Late;
use crate::error::GraphError;
use crate::result_set::{Pin, page_hash};
use agentprov_model::index::CountGroup;
use agentprov_model::{
    EventId, EventType, Fact, IndexKey, KeyKind, Method, ResolutionState, ScopeBinding, TelemetryEvent, What, schema,
};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Correlations {
    /// `agentprovenance.telemetry_correlations/v1`.
    pub schema_version: String,
    /// Run that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Event that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the rows.
    pub page_hash: String,
    /// Rows.
    pub count: u64,
    /// The rows, in order of the log.
    pub correlations: Vec<CorrelationRow>,
}

/// One event.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CorrelationRow {
    /// Which event.
    pub event: Value,
    /// What the source said of the process.
    pub raw_identity: Value,
    /// The scope it came to.
    pub resolved_context: Value,
    /// The binding that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Value>,
    /// How.
    #[serde(rename = "match")]
    pub matched: Value,
    /// Commands that look closer.
    pub drilldowns: Vec<String>,
}

/// Correlations of the telemetry in a run, or of one event of it.
///
/// # Errors
/// [`GraphError::NotFound`] for an event that is not there, or what the store says.
pub fn correlations(reader: &Reader, run: &RunRow, event: Option<EventId>) -> Result<Correlations, GraphError> {
    let bindings = known_bindings(reader)?;
    let late = Late::load(reader)?;
    let facts = match event {
        Some(id) => {
            let row = reader.event(run.no, &id)?;
            let row = row.ok_or_else(|| GraphError::not_in(run, "event", id.to_string()))?;
            let mut fact = reader.fact(run.no, row.position.seq)?;
            late.apply(&run.id, row.position.seq, &mut fact);
            vec![fact]
        }
        None => {
            let mut facts = telemetry_facts(reader, run, &late)?;
            facts.extend(late.elsewhere(reader, run)?);
            facts
        }
    };
    let rows: Vec<CorrelationRow> = facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Telemetry(told) => Some(row(run, fact, told, &bindings)),
            _ => None,
        })
        .collect();
    let event_id = event.map(|id| id.to_string());
    let query = format!("telemetry_correlations|{}", event_id.as_deref().unwrap_or_default());
    Ok(Correlations {
        schema_version: schema::v1("telemetry_correlations"),
        run_id: Some(run.id.to_string()),
        event_id,
        result_set_id: Pin::head(run)?.result_set_id(&query, run),
        page_hash: page_hash(&rows),
        count: rows.len() as u64,
        correlations: rows,
    })
}

/// Telemetry of a log, by the types that are counted in it.
fn telemetry_facts(reader: &Reader, run: &RunRow, late: &Late) -> Result<Vec<Fact>, GraphError> {
    let mut seqs = Vec::new();
    for name in reader.tallies(run.no, CountGroup::Type)?.keys() {
        if EventType::from_name(name).is_some() {
            seqs.extend(reader.postings(run.no, IndexKey { kind: KeyKind::Type, value: name.as_bytes() })?);
        }
    }
    seqs.sort_unstable();
    seqs.dedup();
    let mut facts = Vec::new();
    for seq in seqs {
        let mut fact = reader.fact(run.no, seq)?;
        if matches!(fact.what, What::Telemetry(_)) {
            late.apply(&run.id, seq, &mut fact);
            facts.push(fact);
        }
    }
    Ok(facts)
}

fn row(run: &RunRow, fact: &Fact, told: &TelemetryEvent, bindings: &BTreeMap<String, ScopeBinding>) -> CorrelationRow {
    let correlation = &told.correlation;
    let binding = correlation.binding.as_ref().and_then(|id| bindings.get(id.as_str()));
    CorrelationRow {
        event: filled([
            ("id", json!(fact.id)),
            ("type", json!(fact.event_type().name())),
            ("source", json!(told.source)),
            ("raw_event_id", json!(told.native_id)),
            ("created_at", json!(fact.recorded.to_rfc3339())),
        ]),
        raw_identity: raw_identity(run, told),
        resolved_context: context(run, told),
        binding: binding.map(|binding| {
            let mut value = json!(BindingRow::of(binding));
            if let Value::Object(members) = &mut value {
                members.insert("identity_keys".to_owned(), json!(binding_keys(binding)));
                members.retain(|_, member| !is_empty(member));
            }
            value
        }),
        matched: matched(told, binding),
        drilldowns: vec![
            format!("graph explain --event {} --json", fact.id),
            format!("timeline --run {} --view causality --json", run.id),
        ],
    }
}

fn raw_identity(run: &RunRow, told: &TelemetryEvent) -> Value {
    let identity = &told.identity;
    let mut keys = Vec::new();
    identity.visit(|name, _| keys.push(name));
    filled([
        ("run_id", json!(told.correlation.run_named.then(|| run.id.to_string()))),
        ("process_id", json!(told.scope.process)),
        ("container_id", json!(identity.container)),
        ("cgroup_id", json!(identity.cgroup)),
        ("pid", json!(identity.pid)),
        ("tgid", json!(identity.tgid)),
        ("ppid", json!(identity.ppid)),
        ("keys", json!(keys)),
    ])
}

fn context(run: &RunRow, told: &TelemetryEvent) -> Value {
    let scope = &told.scope;
    filled([
        ("run_id", json!(run.id)),
        ("session_id", json!(scope.session)),
        ("attempt_id", json!(scope.attempt)),
        ("tool_call_id", json!(scope.tool_call)),
        ("process_id", json!(scope.process)),
        ("snapshot_id", json!(scope.snapshot)),
    ])
}

fn matched(told: &TelemetryEvent, binding: Option<&ScopeBinding>) -> Value {
    let correlation = &told.correlation;
    let (key, words) = match correlation.method {
        Method::ProvidedContext => (None, "whoever ingested it named the context"),
        Method::ProcessId => (Some("process_id"), "the named process is bound"),
        Method::ProcessKey => (Some("process_key"), "pid and start time are those of the bound process"),
        Method::Cgroup => (Some("cgroup_id"), "the cgroup was bound at that time"),
        Method::Container => (Some("container_id"), "the container was bound at that time"),
        Method::Pid => (Some("pid"), "the pid was bound at that time"),
        Method::Unresolved => (None, "no binding fits"),
    };
    let status = match (correlation.state, correlation.method) {
        (ResolutionState::Bound, Method::ProvidedContext) => "provided",
        (ResolutionState::Bound, _) => "resolved",
        _ => "unresolved",
    };
    let reason = match correlation.state {
        ResolutionState::Ambiguous => format!("{} scopes fit; none is preferred", correlation.candidates.len()),
        _ => words.to_owned(),
    };
    let window = binding.map(|binding| {
        let end = binding.ended.map(|ended| ended.to_rfc3339()).unwrap_or_default();
        format!("{}..{end}", binding.started)
    });
    let mut value = filled([
        ("status", json!(status)),
        ("state", json!(correlation.state)),
        ("method", json!(correlation.method_name())),
        ("binding_id", json!(correlation.binding)),
        ("matched_keys", json!(key.into_iter().collect::<Vec<_>>())),
        ("reason", json!(reason)),
        ("time_window", json!(window)),
        ("candidates", json!(correlation.candidates)),
    ]);
    value["confidence"] = json!(correlation.confidence.fraction());
    value
}

fn binding_keys(binding: &ScopeBinding) -> Vec<&'static str> {
    let keys = [
        ("process_id", binding.scope.process.is_some()),
        ("cgroup_id", binding.cgroup.is_some()),
        ("container_id", binding.container.is_some()),
        ("pid", binding.pid.is_some()),
        ("root_pid", binding.root_pid.is_some()),
    ];
    keys.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// An object without what says nothing.
fn filled<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
