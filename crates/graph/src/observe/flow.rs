//! `observability_flow/v1`: what the run did, in order, beside the tool call that it belongs to.

use super::Document;
use crate::error::GraphError;
use crate::scope_context::{Scopes, Status};
use crate::timeline::{Totals, event_drilldowns, sentence};
use agentprov_model::Lane;
use agentprov_store::{Position, Reader, RunRow};
use serde::Serialize;

/// Rows of the order index that are looked at together.
const CHUNK: usize = 1024;

/// The body.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FlowBody {
    /// Runtime facts of the run.
    pub flow_count: u64,
    /// Those asked for.
    pub flows: Vec<Flow>,
}

/// One runtime fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Flow {
    /// Event time.
    pub time: String,
    /// Lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<&'static str>,
    /// How much of its context is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_status: Option<Status>,
    /// Tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// Id of the fact.
    pub event_id: String,
    /// Event type.
    pub event_type: &'static str,
    /// Who reported it.
    pub event_source: String,
    /// One line for people.
    pub summary: String,
    /// Commands that look closer.
    pub drilldowns: Vec<String>,
}

/// The runtime facts of a run in order of event time, at most `limit`; 0 for all.
///
/// # Errors
/// What the store says.
pub fn observe_flow(reader: &Reader, run: &RunRow, limit: usize) -> Result<Document<FlowBody>, GraphError> {
    let scopes = Scopes::load(reader, run)?;
    let wanted = if limit == 0 { usize::MAX } else { limit };
    let mut flows = Vec::new();
    let mut after: Option<Position> = None;
    'pages: loop {
        let rows = reader.events(run.no, after, run.size, CHUNK)?;
        for row in &rows {
            let fact = reader.fact(run.no, row.position.seq)?;
            if fact.lane() != Lane::RuntimeTelemetry {
                continue;
            }
            if flows.len() == wanted {
                break 'pages;
            }
            let (context, correlation) = scopes.resolve(&fact);
            flows.push(Flow {
                time: fact.at.to_rfc3339(),
                lane: Some(fact.lane().name()),
                correlation_status: Some(correlation.status),
                tool_call_id: context.tool_call_id,
                process_id: context.process_id,
                event_id: fact.id.to_string(),
                event_type: fact.event_type().name(),
                event_source: fact.source().to_owned(),
                summary: sentence(&fact),
                drilldowns: event_drilldowns(run.id.as_str(), &fact),
            });
        }
        if rows.len() < CHUNK {
            break;
        }
        after = rows.last().map(|row| row.position);
    }
    let body = FlowBody { flow_count: Totals::load(reader, run, run.size)?.runtime(), flows };
    Document::new("observability_flow", &[&limit.to_string()], run, body)
}
