//! The `observability_*` documents: what a run did, how well it was seen, and single things looked at closely.

mod coverage;
mod event;
mod flow;
mod process;
mod related;
mod scopes;
mod summary;

pub use coverage::{AttemptCoverage, Claim, CorrelationGap, CoverageBody, CoverageSummary, Loss, observe_coverage};
pub use event::{EventBody, EventDetail, QueryHints, observe_event};
pub use flow::{Flow, FlowBody, observe_flow};
pub use process::{ProcessBody, ProcessDetail, observe_process};
pub use scopes::{ScopeRow, ScopesBody, observe_scopes};
pub use summary::{SummaryBody, observe_summary};

pub(crate) use event::find_event;
pub(crate) use related::decision_of;

use crate::error::GraphError;
use crate::result_set::{Pin, page_hash};
use crate::timeline::sentence;
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{EventType, Fact, schema};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;

/// A document about one run: its head, then its body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Document<B> {
    /// Name of the schema.
    pub schema_version: String,
    /// The run.
    pub run_id: String,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the body.
    pub page_hash: String,
    /// The rest.
    #[serde(flatten)]
    pub body: B,
}

impl<B: Serialize> Document<B> {
    /// Puts the head before a body. `query` is all that the body depends on beside the run.
    pub(crate) fn new(name: &str, query: &[&str], run: &RunRow, body: B) -> Result<Self, GraphError> {
        let canonical = serde_json::json!([name, query]).to_string();
        Ok(Self {
            schema_version: schema::v1(name),
            run_id: run.id.to_string(),
            result_set_id: Pin::head(run)?.result_set_id(&canonical, run),
            page_hash: page_hash(&body),
            body,
        })
    }
}

/// A pointer to evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EvidenceRef {
    /// `<kind>/<id>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who reported it.
    pub source: String,
    /// One line for people.
    pub summary: String,
}

impl EvidenceRef {
    /// Points to a fact.
    pub fn to(fact: &Fact) -> Self {
        Self {
            reference: format!("event/{}", fact.id),
            kind: fact.event_type().name(),
            source: fact.source().to_owned(),
            summary: sentence(fact),
        }
    }
}

/// Sequence numbers of the facts of a type.
pub(crate) fn seqs_of_type(reader: &Reader, run: &RunRow, kind: EventType) -> Result<Vec<Seq>, GraphError> {
    Ok(reader.postings(run.no, IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() })?)
}

/// Share of a whole; 0 of nothing.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Commands that look at the whole run from other sides.
pub(crate) fn run_views(run: &RunRow) -> Vec<String> {
    let id = &run.id;
    vec![
        format!("timeline --run {id} --view causality --json"),
        format!("observe coverage --run {id} --json"),
        format!("observe scopes --run {id} --json"),
        format!("graph verify --run {id} --json"),
        format!("evidence manifest --run {id} --json"),
    ]
}
