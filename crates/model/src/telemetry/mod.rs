//! Telemetry: what sensors, hooks and callers reported, in one typed form.

mod batch;
mod binding;
mod body;
mod correlation;
mod identity;
mod leaf_set;
mod vocabulary;

pub use batch::{IngestBatch, Pruned, RawLines, RowTotals};
pub use binding::{Authority, BindingEnded, ScopeBinding};
pub use body::{
    DnsSeen, ExecSeen, ExitSeen, FileAction, FileSeen, MapSeen, NetworkAction, NetworkSeen, PressureSeen,
    PrivilegeSeen, ProcessSeen, SpawnSeen, TelemetryBody, TlsDirection, TlsSeen, TreeSeen, VerdictSeen,
};
pub use correlation::{Candidate, Confidence, Correlation, Method, Resolution, ResolutionState};
pub use identity::{RuntimeIdentity, ScopeIds};
pub use leaf_set::LeafSet;
pub use vocabulary::{Detection, EventClock, RawRef, SourceName, TelemetryFlag};

use crate::content::ContentId;
use crate::event_type::EventType;
use crate::outcome::CallResult;
use crate::special::ClassMatch;
use serde::{Deserialize, Serialize};

/// One reported event after normalisation. What the source did not say is absent, never zero.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TelemetryEvent {
    /// Which receiver or caller it came through, such as `falco_jsonl`.
    pub source: SourceName,
    /// The id that the source gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_id: Option<String>,
    /// The source's own word for what happened, such as `openat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// Which clock the event time was read from.
    pub clock: EventClock,
    /// Host that reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whose doing it was, as the source identified it.
    pub identity: RuntimeIdentity,
    /// What happened.
    pub body: TelemetryBody,
    /// How the call ended, where it was seen.
    #[serde(default = "unknown_result", skip_serializing_if = "is_unknown")]
    pub result: CallResult,
    /// The entry of the classification table that its object matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassMatch>,
    /// What the source itself made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// Application context that the event was given or resolved to.
    #[serde(default, skip_serializing_if = "ScopeIds::is_empty")]
    pub scope: ScopeIds,
    /// How it came to that context.
    pub correlation: Correlation,
    /// Oddities, each a reason to look closer and none a reason to drop the row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<TelemetryFlag>,
    /// Places of application context inside the raw row, which was not believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context_dropped: Vec<String>,
    /// Identity of an event whose source gave no time: its id can't be told from what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untimed_key: Option<ContentId>,
    /// The raw row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawRef>,
}

fn unknown_result() -> CallResult {
    CallResult::Unknown
}

fn is_unknown(result: &CallResult) -> bool {
    *result == CallResult::Unknown
}

impl TelemetryEvent {
    /// The contract's name for it.
    pub fn event_type(&self) -> EventType {
        self.body.event_type(self.class.as_ref())
    }

    /// True where it counts as high risk in windows.
    pub fn is_high_risk(&self) -> bool {
        self.event_type().is_high_risk()
    }
}
