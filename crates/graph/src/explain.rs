//! `explain/v1`: where something comes from, and what came of it.

mod declared;
mod edge;
mod judged;
mod model_calls;
mod neighbourhood;
mod received;
mod rows;
mod story;
mod target;

pub use edge::{Edge, EdgeKind, Side};
pub use received::Telemetry;
pub use rows::{EvidenceRow, ProcessObservation, ReplayRef, RuntimeEvent};
pub use target::Target;

use crate::blame::{Blame, blame};
use crate::diff::{FileDiff, file_diff};
use crate::error::GraphError;
use crate::objects::{Catalogue, ObjectRow, start_of_page};
use crate::processes::ProcessTable;
use crate::result_set::{Cursor, Mark, Pin, page_hash};
use crate::scope_context::Scopes;
use crate::security::{DecisionRow, Response, Standing, policy_decisions, security_responses};
use crate::timeline::RowBuilder;
use crate::tool_calls::ToolCalls;
use crate::versions::{FilePath, history};
use agentprov_model::schema;
use agentprov_store::{Reader, RunRow};
use neighbourhood::Neighbourhood;
use serde::Serialize;
use std::collections::BTreeSet;
use target::Found;

/// What to explain.
#[derive(Clone, Debug)]
pub struct ExplainQuery {
    /// The thing.
    pub target: Target,
    /// How many steps from the target towards effects. Causes are followed to their end.
    pub depth: u32,
    /// Edges on a page of `causality_path`; 0 for all.
    pub limit: u64,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// The contract's default depth.
pub const DEFAULT_DEPTH: u32 = 2;
/// The contract's default page size.
pub const DEFAULT_LIMIT: u64 = 100;

impl ExplainQuery {
    /// With the contract's defaults.
    pub fn new(target: Target) -> Self {
        Self { target, depth: DEFAULT_DEPTH, limit: DEFAULT_LIMIT, cursor: None }
    }

    fn canonical(&self) -> String {
        let (kind, name) = self.target.parts();
        serde_json::json!(["explain/v1", kind, name, self.depth]).to_string()
    }
}

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Explanation {
    /// `agentprovenance.explain/v1`.
    pub schema_version: String,
    /// What was asked for.
    pub target: TargetEcho,
    /// How it was asked, and how much was found.
    pub query: QueryEcho,
    /// The answer in lines for people.
    pub summary: Vec<String>,
    /// Edges that lead to the target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<Edge>,
    /// Edges that lead on from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub downstream: Vec<Edge>,
    /// A page of all edges, causes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causality_path: Vec<Edge>,
    /// What the recorder says about its evidence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceRow>,
    /// Content-addressed objects of what is named here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectRow>,
    /// Whether anybody looked for risks.
    pub risk_state: &'static str,
    /// Decisions about the facts that are named here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<DecisionRow>,
    /// What was done about them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<Response>,
    /// Where to look for a way to run it again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replay_refs: Vec<ReplayRef>,
    /// Processes that are named here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub process_observations: Vec<ProcessObservation>,
    /// Edges that telemetry made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtime_edges: Vec<Edge>,
    /// How the file changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_diff: Option<FileDiff>,
    /// Who wrote its lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_blame: Option<Blame>,
    /// Facts that are named here, in order of event time.
    pub runtime_events: Vec<RuntimeEvent>,
}

/// What was asked for. `type` comes first: the contract says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TargetEcho {
    /// Kind.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// File.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// How it was asked, and how much was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QueryEcho {
    /// Steps towards effects.
    pub depth: u32,
    /// Edges on a page.
    pub limit: u64,
    /// The cursor that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over this page of `causality_path`.
    pub page_hash: String,
    /// True where the page does not hold every edge.
    pub truncated: bool,
    /// Edges found.
    pub edge_count: u64,
    /// Nodes found.
    pub node_count: u64,
    /// True where more lies beyond the depth.
    pub frontier_hit: bool,
    /// Facts that were left out because there are too many.
    pub facts_left_out: u64,
}

/// Explains something in a run.
///
/// # Errors
/// [`GraphError::NotFound`] where the run does not know it, [`GraphError::Argument`] for a cursor of something
/// else or of a shorter log, or what the store says.
pub fn explain(reader: &Reader, run: &RunRow, query: &ExplainQuery) -> Result<Explanation, GraphError> {
    let canonical = query.canonical();
    let pin = Pin::head(run)?;
    let start = start_of_page(query.cursor.as_deref(), &canonical, run, &pin)?;
    let found = Found::look_up(reader, run, &query.target)?;
    let scopes = Scopes::load(reader, run)?;
    let processes = ProcessTable::load(reader, run)?;
    let tool_calls = ToolCalls::load(reader, run, &processes)?;
    let mut near = Neighbourhood::new(reader, run, &scopes, &processes, &tool_calls);
    explore(reader, run, &found, query.depth, &mut near)?;

    let mut rows = RowBuilder::new(reader, run, &scopes, run.size);
    let summary = story::tell(&near, &found);
    let file = file_of(&found);
    let mut explanation = Explanation {
        schema_version: schema::v1("explain"),
        target: target_echo(run, &query.target, file),
        query: QueryEcho {
            depth: query.depth,
            limit: query.limit,
            cursor: query.cursor.clone(),
            next_cursor: None,
            result_set_id: pin.result_set_id(&canonical, run),
            page_hash: String::new(),
            truncated: false,
            edge_count: 0,
            node_count: 0,
            frontier_hit: near.frontier_hit,
            facts_left_out: near.facts_left_out,
        },
        summary,
        upstream: Vec::new(),
        downstream: Vec::new(),
        causality_path: Vec::new(),
        evidence: rows::evidence(reader, run, &near)?,
        objects: objects_near(reader, run, &near)?,
        risk_state: Standing::of(reader, run)?.state,
        risks: Vec::new(),
        responses: Vec::new(),
        replay_refs: rows::replay_refs(&near),
        process_observations: rows::observations(&near),
        runtime_edges: Vec::new(),
        file_diff: file.map(|file| file_diff(reader, run, file)).transpose()?,
        file_blame: file.map(|file| blame(reader, run, file, None)).transpose()?,
        runtime_events: rows::runtime_events(&near, &mut rows)?,
    };
    explanation.take_judgements(reader, run, &near)?;
    explanation.take_edges(near.into_edges(), start, pin, &canonical, run);
    Ok(explanation)
}

impl Explanation {
    fn take_judgements(&mut self, reader: &Reader, run: &RunRow, near: &Neighbourhood<'_>) -> Result<(), GraphError> {
        let named: BTreeSet<String> = near.facts.values().map(|fact| fact.id.to_string()).collect();
        self.risks = policy_decisions(reader, Some(run))?.body.decisions;
        self.risks.retain(|decision| named.contains(&decision.id) || named.contains(&decision.event_id));
        let decisions: BTreeSet<&str> = self.risks.iter().map(|decision| decision.id.as_str()).collect();
        let responses = security_responses(reader, Some(run))?.body.responses.into_iter().map(|item| item.response);
        self.responses =
            responses.filter(|response| decisions.contains(response.policy_decision_id.as_str())).collect();
        Ok(())
    }

    fn take_edges(&mut self, edges: Vec<Edge>, start: u64, pin: Pin, canonical: &str, run: &RunRow) {
        let nodes: BTreeSet<&str> =
            edges.iter().flat_map(|edge| [edge.from_id.as_str(), edge.to_id.as_str()]).collect();
        self.query.edge_count = edges.len() as u64;
        self.query.node_count = nodes.len() as u64;
        let count = edges.len() as u64;
        let end = if self.query.limit == 0 { count } else { start.saturating_add(self.query.limit).min(count) };
        let page: Vec<Edge> =
            edges.iter().skip(start as usize).take(end.saturating_sub(start) as usize).cloned().collect();
        self.query.page_hash = page_hash(&page);
        self.query.truncated = (page.len() as u64) < count;
        self.query.next_cursor = (end < count).then(|| Cursor { pin, after: Mark(end, 0) }.encode(canonical, run));
        self.causality_path = page;
        self.runtime_edges = edges.iter().filter(|edge| edge.edge_type.is_runtime()).cloned().collect();
        let (upstream, downstream) = edges.into_iter().partition(|edge| edge.side == Side::Upstream);
        self.upstream = upstream;
        self.downstream = downstream;
    }
}

fn file_of(found: &Found) -> Option<&FilePath> {
    match found {
        Found::File(file) => Some(file),
        _ => None,
    }
}

fn target_echo(run: &RunRow, target: &Target, file: Option<&FilePath>) -> TargetEcho {
    let (kind, name) = target.parts();
    TargetEcho {
        kind,
        id: file.is_none().then_some(name),
        run_id: Some(run.id.to_string()),
        file: file.map(|file| file.display().lossy().into_owned()),
    }
}

fn explore(
    reader: &Reader,
    run: &RunRow,
    found: &Found,
    depth: u32,
    near: &mut Neighbourhood<'_>,
) -> Result<(), GraphError> {
    match found {
        Found::File(file) => {
            near.causes_of_versions(&history(reader, run, &file.path)?.versions)?;
            near.uses_of_file(&file.path, depth)
        }
        Found::Versions(versions) => near.causes_of_versions(versions),
        Found::Attempt(attempt) => {
            near.causes_of_attempt(*attempt);
            near.effects_of_attempt(*attempt, depth)
        }
        Found::ToolCall(attempt) => {
            near.causes_of_tool_call(*attempt);
            near.effects_of_tool_call(*attempt, depth)
        }
        Found::DeclaredCall(name) => match near.tool_calls.find(name) {
            Some((no, _)) => {
                near.declared_call(no)?;
                near.intents_of(no)
            }
            None => Ok(()),
        },
        Found::Process(process) => {
            let attempt = near.processes.find(process).map(|process| process.attempt).unwrap_or_default();
            near.causes_of_process(*process, attempt);
            near.effects_of_process(*process, depth)
        }
        Found::Event(seq, fact) => {
            near.causes_of_event(*seq, fact);
            near.effects_of_event(*seq, fact, depth);
            near.effects_of_model_call(fact);
            near.judgements_of(fact.id)
        }
        Found::Judged(judged) => {
            judged.explore(near);
            Ok(())
        }
    }
}

/// Objects of the attempts, tool calls, processes and facts that the explanation names.
fn objects_near(reader: &Reader, run: &RunRow, near: &Neighbourhood<'_>) -> Result<Vec<ObjectRow>, GraphError> {
    let catalogue = Catalogue::load(reader, run)?;
    let mut rows = Vec::new();
    for attempt in &near.attempts {
        if let Some(scope) = near.scopes.of(*attempt) {
            let started = &scope.attempt.started;
            rows.extend(catalogue.actor(started.attempt_id.as_str()).map(|object| object.row.clone()));
            rows.extend(catalogue.actor(started.tool_call_id.as_str()).map(|object| object.row.clone()));
        }
    }
    for process in near.processes.iter().filter(|process| near.actors.contains(&process.id)) {
        rows.extend(catalogue.actor(&process.id.to_string()).map(|object| object.row.clone()));
    }
    for seq in near.facts.keys() {
        rows.push(catalogue.fact_object(*seq)?.row);
    }
    Ok(rows)
}
