//! `graph log`: what happened, one line a fact.

use crate::error::GraphError;
use crate::timeline::sentence;
use agentprov_model::{EventId, EventTime, EventType};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

/// One fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LogEntry {
    /// When it happened.
    pub time: EventTime,
    /// Event type.
    #[serde(serialize_with = "type_name")]
    pub kind: EventType,
    /// Id.
    pub id: EventId,
    /// One line for people.
    pub summary: String,
}

fn type_name<S: serde::Serializer>(kind: &EventType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

impl LogEntry {
    /// `<time> <kind> <id> <summary>`.
    pub fn line(&self) -> String {
        format!("{} {} {} {}", self.time, self.kind.name(), self.id, self.summary)
    }
}

/// Facts of a run in order of event time, at most `limit`; 0 for all.
///
/// # Errors
/// What the store says.
pub fn run_log(reader: &Reader, run: &RunRow, limit: usize) -> Result<Vec<LogEntry>, GraphError> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let rows = reader.events(run.no, None, run.size, limit)?;
    rows.into_iter()
        .map(|row| {
            let fact = reader.fact(run.no, row.position.seq)?;
            Ok(LogEntry { time: fact.at, kind: fact.event_type(), id: fact.id, summary: sentence(&fact) })
        })
        .collect()
}
