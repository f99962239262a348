//! `observability_event/v1`: one fact looked at closely. Any id of a timeline row is accepted.

use super::related::{Related, Subject};
use super::{Document, EvidenceRef};
use crate::error::GraphError;
use crate::scope_context::{Context, Scopes, Status};
use crate::security::Standing;
use crate::timeline::{Evidence, RowBuilder, TimelineRow};
use agentprov_model::{Basis, EventId, Fact};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventBody {
    /// The fact.
    pub event: EventDetail,
    /// Where it stands.
    pub context: Context,
    /// How it looks in a timeline.
    pub query: QueryHints,
    /// Risks that rules saw in it. None says something only where they judged: see `risk_state`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_risks: Vec<EvidenceRef>,
    /// Decisions that name it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_policies: Vec<EvidenceRef>,
    /// Responses that name it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_responses: Vec<EvidenceRef>,
    /// Whether anybody looked for risks.
    pub risk_state: &'static str,
    /// Commands that look further.
    pub recommended_views: Vec<String>,
}

/// A fact in full.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventDetail {
    /// Id.
    pub id: String,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who reported it.
    pub source: String,
    /// Event time.
    pub time: String,
    /// One line for people.
    pub summary: String,
    /// `<kind>/<id>` of what it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<String>,
    /// How it was tied to its scope.
    pub correlation_method: &'static str,
    /// From 0 to 1.
    pub correlation_confidence: f64,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Event time in nanoseconds since the epoch.
    pub event_time_ns: i64,
    /// When it was appended.
    pub recorded_at: String,
    /// Leaf in the run's log.
    pub seq: Seq,
    /// Who saw it.
    pub vantage: &'static str,
    /// On what ground it stands.
    pub basis: Basis,
}

/// How a thing looks in a timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QueryHints {
    /// Lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<&'static str>,
    /// How much of its context is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_status: Option<Status>,
    /// Commands that look closer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drilldowns: Vec<String>,
}

impl QueryHints {
    pub(super) fn of(row: &TimelineRow) -> Self {
        Self { lane: Some(row.lane), correlation_status: row.correlation_status, drilldowns: row.drilldowns.clone() }
    }
}

/// Finds a fact of the run by the id of its timeline row.
pub(crate) fn find_event(reader: &Reader, run: &RunRow, id: &str) -> Result<(Seq, Fact), GraphError> {
    let unknown = || GraphError::not_in(run, "event", id);
    let event: EventId = id.parse().map_err(|_| unknown())?;
    let row = reader.event(run.no, &event)?.ok_or_else(unknown)?;
    Ok((row.position.seq, reader.fact(run.no, row.position.seq)?))
}

/// One fact of the run.
///
/// # Errors
/// [`GraphError::NotFound`] where the run has no such fact, or what the store says.
pub fn observe_event(reader: &Reader, run: &RunRow, id: &str) -> Result<Document<EventBody>, GraphError> {
    let (seq, fact) = find_event(reader, run, id)?;
    let scopes = Scopes::load(reader, run)?;
    let row = RowBuilder::new(reader, run, &scopes, run.size).row(seq, &fact)?;
    let (_, correlation) = scopes.resolve_judged(reader, run, &fact)?;
    let mut recommended_views = row.drilldowns.clone();
    recommended_views.push(format!("graph verify --run {} --json", run.id));
    let related = Related::to(reader, run, Subject::Event(fact.id))?;
    let body = EventBody {
        query: QueryHints::of(&row),
        context: row.context,
        event: EventDetail {
            id: row.id,
            kind: row.kind,
            source: row.source,
            time: row.time,
            summary: row.summary,
            object_ref: row.object_ref,
            correlation_method: correlation.method,
            correlation_confidence: correlation.confidence,
            evidence: row.evidence,
            event_time_ns: row.event_time_ns,
            recorded_at: row.recorded_at,
            seq,
            vantage: row.vantage,
            basis: row.basis,
        },
        related_risks: related.risks,
        related_policies: related.policies,
        related_responses: related.responses,
        risk_state: Standing::of(reader, run)?.state,
        recommended_views,
    };
    Document::new("observability_event", &[id], run, body)
}
