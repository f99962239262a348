//! What became of a line.

use crate::receivers::DetectedFormat;
use agentprov_model::telemetry::RuntimeIdentity;
use agentprov_model::{EventId, EventType, RunId, SourceName};

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RowStatus {
    /// It is a fact now, or was one already.
    Ingested,
    /// It says nothing that is kept.
    Skipped,
    /// It could not be understood.
    Failed,
    /// It binds to no scope and the caller asked to leave such rows out.
    DroppedUncorrelated,
}

impl RowStatus {
    /// The contract's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingested => "ingested",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::DroppedUncorrelated => "dropped_uncorrelated",
        }
    }
}

/// Result of one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowResult {
    /// Its number, from 1.
    pub line: u64,
    /// What became of it.
    pub status: RowStatus,
    /// Its format.
    pub format: Option<DetectedFormat>,
    /// Id of its fact.
    pub event_id: Option<EventId>,
    /// The log that its fact is in.
    pub log: Option<RunId>,
    /// Type of its event.
    pub event_type: Option<EventType>,
    /// Source of its event.
    pub source: Option<SourceName>,
    /// The id that the source gave it.
    pub raw_event_id: Option<String>,
    /// Identities that a binding can match, `name=value`.
    pub identity_keys: Vec<String>,
    /// How it was tied to its scope.
    pub correlation_method: Option<&'static str>,
    /// It was tied to one scope.
    pub bound: bool,
    /// What rules decided about it.
    pub decisions: Vec<EventId>,
    /// Places of application context in it, which was not believed.
    pub context_dropped: Vec<String>,
    /// Why it failed or was skipped.
    pub error: Option<String>,
}

impl RowResult {
    pub(super) fn of(line: u64, status: RowStatus, format: Option<DetectedFormat>) -> Self {
        Self {
            line,
            status,
            format,
            event_id: None,
            log: None,
            event_type: None,
            source: None,
            raw_event_id: None,
            identity_keys: Vec::new(),
            correlation_method: None,
            bound: false,
            decisions: Vec::new(),
            context_dropped: Vec::new(),
            error: None,
        }
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.error = Some(why.into());
        self
    }
}

pub(super) fn identity_keys(identity: &RuntimeIdentity) -> Vec<String> {
    let mut keys = Vec::with_capacity(4);
    identity.visit(|name, value| keys.push(format!("{name}={value}")));
    keys
}
