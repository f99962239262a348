//! `observability_process/v1`: one process looked at closely.

use super::event::QueryHints;
use super::related::{Related, Subject};
use super::{Document, EvidenceRef};
use crate::error::GraphError;
use crate::scope_context::{Context, Scopes};
use crate::security::Standing;
use crate::timeline::{Evidence, RowBuilder, command_line, known_process, outcome};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{EventType, Fact, What};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;

/// Facts of the process that the document points to.
const SHOWN_EVENTS: usize = 50;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProcessBody {
    /// The process.
    pub process: ProcessDetail,
    /// Where it stands.
    pub context: Context,
    /// How it looks in a timeline.
    pub query: QueryHints,
    /// Its first facts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtime_events: Vec<EvidenceRef>,
    /// All of its facts.
    pub runtime_event_count: u64,
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

/// A process.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProcessDetail {
    /// Id.
    pub id: String,
    /// When it was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, where that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// One line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What is known of its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// `process/<id>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<String>,
}

/// One process of the run.
///
/// # Errors
/// [`GraphError::NotFound`] where no fact of the run names it, or what the store says.
pub fn observe_process(reader: &Reader, run: &RunRow, id: &str) -> Result<Document<ProcessBody>, GraphError> {
    let process = known_process(reader, run, id)?;
    let scopes = Scopes::load(reader, run)?;
    let seqs = reader.postings(run.no, IndexKey { kind: KeyKind::Process, value: process.as_bytes() })?;
    let mut rows = RowBuilder::new(reader, run, &scopes, run.size);
    let life = rows.lifetime(&process)?;
    let facts = seqs.iter().take(SHOWN_EVENTS).map(|&seq| Ok((seq, reader.fact(run.no, seq)?)));
    let facts: Vec<(Seq, Fact)> = facts.collect::<Result<_, GraphError>>()?;
    let shown = facts.iter().map(|(_, fact)| EvidenceRef::to(fact)).collect();
    let first = facts.iter().find(|(_, fact)| matches!(fact.what, What::ProcessStarted(_))).or_else(|| facts.first());
    let Some((seq, fact)) = first else {
        return Err(GraphError::not_in(run, "process", id));
    };
    let row = rows.row(*seq, fact)?;
    let how = match (&life.outcome, life.outlived) {
        (Some(end), _) => outcome(end),
        (None, true) => "was alive when the recording ended".to_owned(),
        (None, false) => "no end was seen".to_owned(),
    };
    let run_id = &run.id;
    let related = Related::to(reader, run, Subject::Process(process))?;
    let body = ProcessBody {
        process: ProcessDetail {
            id: process.to_string(),
            started_at: life.first_seen.map(|at| at.to_rfc3339()),
            ended_at: life.ended_at.map(|at| at.to_rfc3339()),
            summary: Some(format!("{}: {how}", command_line(&life.argv))),
            evidence: row.evidence.clone(),
            object_ref: Some(format!("process/{process}")),
        },
        query: QueryHints::of(&row),
        context: row.context,
        runtime_events: shown,
        runtime_event_count: seqs.len() as u64,
        related_risks: related.risks,
        related_policies: related.policies,
        related_responses: related.responses,
        risk_state: Standing::of(reader, run)?.state,
        recommended_views: vec![
            format!("timeline --run {run_id} --process {process} --json"),
            format!("timeline --run {run_id} --process {process} --type {} --json", EventType::FileWrite.name()),
            format!("graph explain --process {process} --json"),
            format!("graph verify --run {run_id} --json"),
        ],
    };
    Document::new("observability_process", &[id], run, body)
}
