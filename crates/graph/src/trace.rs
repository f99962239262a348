//! `graph trace`: headed sections of `key=value` rows.

mod rows;

pub use rows::{Row, Section, render};

use crate::attempts::facts_of_type;
use crate::error::GraphError;
use crate::explain::{Edge, ExplainQuery, Explanation, Target, explain};
use crate::observe::seqs_of_type;
use crate::processes::ProcessTable;
use crate::scope_context::Scopes;
use crate::timeline::{command_line, outcome, sentence};
use crate::versions::changed_files;
use agentprov_model::EventType;
use agentprov_store::{Reader, RunRow};

/// Rows of a section; a longer one says how many more there are.
const MOST_ROWS: usize = 200;

/// The sections about something in a run.
///
/// # Errors
/// [`GraphError::NotFound`] where the run does not know it, or what the store says.
pub fn trace(reader: &Reader, run: &RunRow, target: &Target) -> Result<Vec<Section>, GraphError> {
    let explanation = explain(reader, run, &ExplainQuery { limit: 1, ..ExplainQuery::new(target.clone()) })?;
    Ok(sections_of(&explanation))
}

/// The sections about a whole run.
///
/// # Errors
/// What the store says.
pub fn trace_run(reader: &Reader, run: &RunRow) -> Result<Vec<Section>, GraphError> {
    let scopes = Scopes::load(reader, run)?;
    let mut head = Row::new().put("run", &run.id).put("facts", run.size);
    head = head.put("attempts", scopes.iter().count()).put("recorded", run.created);
    let mut attempts = Section::new("attempts");
    for scope in scopes.iter() {
        let started = &scope.attempt.started;
        let row = Row::new().put("attempt", &started.attempt_id).put("tool_call", &started.tool_call_id);
        let row =
            row.put("session", &started.session_id).put("status", scope.status().0).put("state", scope.status().1);
        attempts.push(row.put("started_at", scope.attempt.started_at).put("command", command_line(&started.argv)));
    }
    let mut processes = Section::new("processes");
    for process in ProcessTable::load(reader, run)?.iter() {
        let parent = process.started.parent.map(|parent| parent.to_string()).unwrap_or_default();
        let end = process.outcome.as_ref().map(outcome).unwrap_or_default();
        let row = Row::new().put("process", process.id).put("pid", process.started.pid).put("parent", parent);
        processes.push(row.put("end", end).put("command", process.argv().map(command_line).unwrap_or_default()));
    }
    let mut files = Section::new("files");
    for file in changed_files(reader, run, None)? {
        let writers: Vec<String> = file.writers.iter().map(ToString::to_string).collect();
        let row = Row::new().put("file", file.display().lossy()).put("change", file.change.name());
        files.push(row.put("versions", file.versions).put("writers", writers.join(",")));
    }
    let mut network = Section::new("network");
    for kind in [EventType::NetworkConnect, EventType::PrivateCidr, EventType::MetadataIp, EventType::NetworkBind] {
        for seq in seqs_of_type(reader, run, kind)? {
            if network.is_full() {
                network.more += 1;
                continue;
            }
            let fact = reader.fact(run.no, seq)?;
            let process = fact.process.map(|process| process.to_string()).unwrap_or_default();
            network.push(Row::new().put("event", fact.id).put("process", process).put("summary", sentence(&fact)));
        }
    }
    let mut gaps = Section::new("gaps");
    for (_, fact) in facts_of_type(reader, run, EventType::CoverageGap)? {
        gaps.push(Row::new().put("event", fact.id).put("summary", sentence(&fact)));
    }
    let head = Section { name: "run", rows: vec![head], more: 0 };
    Ok(vec![head, attempts, processes, files, network, gaps])
}

fn sections_of(explanation: &Explanation) -> Vec<Section> {
    let target = &explanation.target;
    let mut head = Section::new("target");
    let name = target.id.as_deref().or(target.file.as_deref()).unwrap_or_default();
    let run = target.run_id.as_deref().unwrap_or_default();
    head.push(Row::new().put("type", target.kind).put("id", name).put("run", run));
    let mut summary = Section::new("summary");
    for line in &explanation.summary {
        summary.push(Row::new().put("line", line));
    }
    let mut processes = Section::new("processes");
    for seen in &explanation.process_observations {
        let row = Row::new().put("process", &seen.process_id).put("pid", seen.pid).put("ppid", seen.ppid);
        processes.push(row.put("first_seen", &seen.first_seen).put("command", &seen.command));
    }
    let mut events = Section::new("events");
    for event in &explanation.runtime_events {
        let row = Row::new().put("time", &event.time).put("type", event.event_type).put("event", &event.id);
        events.push(row.put("process", &event.process_id).put("summary", &event.summary));
    }
    let upstream = edges("upstream", &explanation.upstream);
    vec![head, summary, upstream, edges("downstream", &explanation.downstream), processes, events]
}

fn edges(name: &'static str, edges: &[Edge]) -> Section {
    let mut section = Section::new(name);
    for edge in edges {
        let row = Row::new().put("edge", edge.edge_type.name()).put("from", &edge.from_id).put("to", &edge.to_id);
        section.push(row.put("count", edge.count).put("event", &edge.source_event_id));
    }
    section
}
