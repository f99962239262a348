//! What became of a line.

use crate::receivers::DetectedFormat;
use agentprov_model::telemetry::RuntimeIdentity;
use agentprov_model::{EventId, EventType, ResolutionState, RunId, SourceName, TelemetryEvent};

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
    /// Identities that a binding can match.
    pub identity: IdentityKeys,
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
            identity: IdentityKeys::default(),
            correlation_method: None,
            bound: false,
            decisions: Vec::new(),
            context_dropped: Vec::new(),
            error: None,
        }
    }

    /// With what the event says of itself.
    pub(super) fn about(mut self, told: TelemetryEvent) -> Self {
        self.event_type = Some(told.event_type());
        self.correlation_method = Some(told.correlation.method_name());
        self.bound = told.correlation.state == ResolutionState::Bound;
        self.source = Some(told.source);
        self.raw_event_id = told.native_id;
        self.identity = IdentityKeys::of(told.identity);
        self
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.error = Some(why.into());
        self
    }
}

/// Identities of a row that a binding can match.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IdentityKeys {
    pid: Option<u32>,
    tgid: Option<u32>,
    ppid: Option<u32>,
    cgroup: Option<String>,
    container: Option<String>,
}

impl IdentityKeys {
    pub(super) fn of(identity: RuntimeIdentity) -> Self {
        let RuntimeIdentity { pid, tgid, ppid, cgroup, container, .. } = identity;
        Self { pid, tgid, ppid, cgroup, container }
    }

    /// Names of those that the row has.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let has = [
            ("pid", self.pid.is_some()),
            ("tgid", self.tgid.is_some()),
            ("ppid", self.ppid.is_some()),
            ("cgroup_id", self.cgroup.is_some()),
            ("container_id", self.container.is_some()),
        ];
        has.into_iter().filter_map(|(name, has)| has.then_some(name))
    }

    /// Each as `name=value`.
    pub fn texts(&self) -> Vec<String> {
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        let values =
            [number(self.pid), number(self.tgid), number(self.ppid), self.cgroup.clone(), self.container.clone()];
        self.names().zip(values.into_iter().flatten()).map(|(name, value)| format!("{name}={value}")).collect()
    }
}
