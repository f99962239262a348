//! How a fact came in, as explain's rows tell it.

use crate::scope_context::Correlation;
use agentprov_model::{Fact, Lane, SourceName, TelemetryEvent, What};
use serde::Serialize;

/// How a fact came in.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Telemetry {
    /// Who received it: for our own facts the source.
    pub receiver: String,
    /// `jsonl` for rows of a sensor; `normalized` for what never was in another format; the contract has no word for audit
    /// records: `unknown`.
    pub source_format: &'static str,
    /// The id that the source gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_event_id: Option<String>,
    /// Event type.
    pub normalized_event_type: &'static str,
    /// `valid`: facts are typed.
    pub schema_status: &'static str,
    /// Keys by which it was tied to its scope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity_keys: Vec<&'static str>,
    /// How it was tied to its scope.
    pub correlation_method: &'static str,
    /// From 0 to 1.
    pub correlation_confidence: f64,
    /// What kind of evidence that is.
    pub correlation_class: &'static str,
    /// `provided`, `resolved` or `unresolved`.
    pub correlation_status: &'static str,
}

impl Telemetry {
    /// None for what is no telemetry.
    pub(super) fn of(fact: &Fact, correlation: Correlation, has_process: bool) -> Option<Self> {
        if fact.lane() != Lane::RuntimeTelemetry {
            return None;
        }
        let told = told(fact);
        let identity_keys = match told {
            Some(event) => identity_names(event),
            None if has_process => vec!["run_id", "process_id"],
            None => vec!["run_id", "attempt_id"],
        };
        let (receiver, source_format) = told.map_or((fact.source(), "normalized"), |event| receiver(&event.source));
        Some(Self {
            receiver: receiver.to_owned(),
            source_format,
            raw_event_id: told.and_then(|event| event.native_id.clone()),
            normalized_event_type: fact.event_type().name(),
            schema_status: "valid",
            identity_keys,
            correlation_method: correlation.method,
            correlation_confidence: correlation.confidence,
            correlation_class: correlation.class,
            correlation_status: correlation.status.match_status(),
        })
    }
}

/// What a sensor told, where one did.
pub(super) fn told(fact: &Fact) -> Option<&TelemetryEvent> {
    match &fact.what {
        What::Telemetry(event) => Some(event),
        _ => None,
    }
}

fn identity_names(event: &TelemetryEvent) -> Vec<&'static str> {
    let mut names = Vec::new();
    event.identity.visit(|name, _| names.push(name));
    names
}

/// The contract's names of the receiver and of the form in which rows come to it.
fn receiver(source: &SourceName) -> (&str, &'static str) {
    let name = match source {
        source if *source == SourceName::TETRAGON => "tetragon",
        source if *source == SourceName::FALCO => "falco",
        source if *source == SourceName::LOONGCOLLECTOR => "loongcollector",
        source if *source == SourceName::NATIVE => "agentprov_sensor",
        source if *source == SourceName::AUDITD => return (source.as_str(), "unknown"),
        source => return (source.as_str(), "normalized"),
    };
    (name, "jsonl")
}
