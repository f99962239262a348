//! One event as the contract prints it.

use crate::scope_context::{Context, Correlation};
use crate::timeline::evidence_of;
use agentprov_model::{Fact, RunId, What};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// An event.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventDocument {
    /// Id.
    pub id: String,
    /// The log that it stands in.
    pub run_id: String,
    /// Session; empty where it is not known, like the ids that follow.
    pub session_id: String,
    /// Attempt.
    pub attempt_id: String,
    /// Tool call.
    pub tool_call_id: String,
    /// Process, by the application's name or ours.
    pub process_id: String,
    /// Snapshot.
    pub snapshot_id: String,
    /// The id that the source gave it.
    pub raw_event_id: String,
    /// How it was tied to its scope.
    pub correlation_method: &'static str,
    /// From 0 to 1.
    pub correlation_confidence: f64,
    /// Whose word it is.
    pub correlation_class: &'static str,
    /// Who made the binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding_source: Option<String>,
    /// Container.
    pub container_id: String,
    /// Cgroup.
    pub cgroup_id: String,
    /// Pid; 0 where it is not known, as the contract has it.
    pub pid: u32,
    /// Thread group id.
    pub tgid: u32,
    /// Pid of the parent.
    pub ppid: u32,
    /// Source.
    pub source: String,
    /// Type.
    pub event_type: &'static str,
    /// JSON in a string.
    pub payload: String,
    /// When it was taken in.
    pub created_at: String,
    /// When it happened, ns since the epoch.
    pub event_time_ns: String,
    /// `bound`, `ambiguous` or `unattributed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
}

impl EventDocument {
    pub(super) fn of(run: &RunId, fact: &Fact, context: Context, correlation: Correlation) -> Self {
        let text = |id: Option<String>| id.unwrap_or_default();
        let told = match &fact.what {
            What::Telemetry(event) => Some(event),
            _ => None,
        };
        let identity = told.map(|event| &event.identity);
        Self {
            id: fact.id.to_string(),
            run_id: run.to_string(),
            session_id: text(context.session_id),
            attempt_id: text(context.attempt_id),
            tool_call_id: text(context.tool_call_id),
            process_id: text(context.process_id),
            snapshot_id: text(context.snapshot_id),
            raw_event_id: text(told.and_then(|event| event.native_id.clone())),
            correlation_method: correlation.method,
            correlation_confidence: correlation.confidence,
            correlation_class: correlation.class,
            binding_source: told.and_then(|event| event.correlation.binding_source.as_deref().map(str::to_owned)),
            container_id: text(identity.and_then(|identity| identity.container.clone())),
            cgroup_id: text(identity.and_then(|identity| identity.cgroup.clone())),
            pid: identity.and_then(|identity| identity.pid).unwrap_or(0),
            tgid: identity.and_then(|identity| identity.tgid).unwrap_or(0),
            ppid: identity.and_then(|identity| identity.ppid).unwrap_or(0),
            source: fact.source().to_owned(),
            event_type: fact.event_type().name(),
            payload: Value::Object(payload(fact)).to_string(),
            created_at: fact.recorded.to_rfc3339(),
            event_time_ns: fact.at.as_nanos().to_string(),
            state: told.map(|event| json!(event.correlation.state)),
        }
    }
}

/// The body under the contract's keys.
pub(super) fn payload(fact: &Fact) -> Map<String, Value> {
    let What::Telemetry(event) = &fact.what else { return evidence_of(fact) };
    // A body is an object of one key, its kind, over its fields.
    let mut fields = match serde_json::to_value(&event.body) {
        Ok(Value::Object(outer)) => match outer.into_iter().next() {
            Some((_, Value::Object(fields))) => fields,
            _ => Map::new(),
        },
        _ => Map::new(),
    };
    if let Some(ip) = fields.get("ip").cloned() {
        fields.insert("dst".to_owned(), ip.clone());
        fields.insert("dst_ip".to_owned(), ip);
    }
    if let Some(verdict) = fields.get("verdict").cloned() {
        fields.insert("decision".to_owned(), verdict);
    }
    if let Some(outcome) = fields.remove("outcome") {
        if let agentprov_model::TelemetryBody::Exit(exit) = &event.body {
            fields.insert("exit_code".to_owned(), exit.outcome.as_ref().map(|outcome| outcome.shell_status()).into());
        }
        fields.insert("outcome".to_owned(), outcome);
    }
    if let Some(class) = &event.class {
        fields.insert("class".to_owned(), json!(class));
    }
    if !event.flags.is_empty() {
        fields.insert("flags".to_owned(), json!(event.flags));
    }
    if let Some(detection) = &event.detection {
        fields.insert("detection".to_owned(), json!(detection));
    }
    fields
}
