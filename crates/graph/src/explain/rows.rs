//! The rows that an explanation carries beside its edges.

use super::neighbourhood::Neighbourhood;
use super::received::{Telemetry, told};
use crate::attempts::facts_of_type;
use crate::diff::rollout_id;
use crate::error::GraphError;
use crate::scope_context::{Context, Status, has_status};
use crate::timeline::{RowBuilder, command_line, event_drilldowns};
use agentprov_model::{Basis, EventType, Fact};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;

/// A fact as a telemetry row.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RuntimeEvent {
    /// Id.
    pub id: String,
    /// Run.
    pub run_id: String,
    /// Session; empty where not known.
    pub session_id: String,
    /// Tool call; empty where not known.
    pub tool_call_id: String,
    /// Process; empty where not known.
    pub process_id: String,
    /// Snapshot; our recorder takes none.
    pub snapshot_id: String,
    /// Id at an outside source; empty where there is none.
    pub raw_event_id: String,
    /// How it was tied to its scope.
    pub correlation_method: &'static str,
    /// From 0 to 1.
    pub correlation_confidence: f64,
    /// Label under which outside sensors may name the scope.
    pub container_id: String,
    /// Inode of the scope's cgroup; empty where it has none of its own.
    pub cgroup_id: String,
    /// Pid; 0 where the process is not known, as the contract has it.
    pub pid: u32,
    /// Thread group id.
    pub tgid: u32,
    /// Pid of the parent.
    pub ppid: u32,
    /// Who reported it.
    pub source: String,
    /// Event type.
    pub event_type: &'static str,
    /// What it says, as a string of JSON.
    pub payload: String,
    /// When it was appended.
    pub created_at: String,
    /// Lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<&'static str>,
    /// How much of its context is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_status: Option<Status>,
    /// Commands that look closer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drilldowns: Vec<String>,
    /// How it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
    /// When it happened.
    pub time: String,
    /// The same in nanoseconds since the epoch.
    pub event_time_ns: i64,
    /// Leaf in the run's log.
    pub seq: Seq,
    /// Who saw it.
    pub vantage: &'static str,
    /// On what ground it stands.
    pub basis: Basis,
    /// One line for people.
    pub summary: String,
}

/// What the recorder says about its evidence.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EvidenceRow {
    /// Id.
    pub id: String,
    /// Run.
    pub run_id: String,
    /// Group of attempts.
    pub rollout_id: String,
    /// Attempt; empty where not known.
    pub attempt_id: String,
    /// Session; empty where not known.
    pub session_id: String,
    /// Tool call; empty where not known.
    pub tool_call_id: String,
    /// The fact that it is.
    pub event_id: String,
    /// Event type.
    pub event_type: &'static str,
    /// `high` where it weakens claims.
    pub priority: &'static str,
    /// `processed`: a fact is final when it is appended.
    pub status: &'static str,
    /// What it says, as a string of JSON.
    pub payload: String,
    /// One line for people.
    pub summary: String,
    /// When it happened.
    pub created_at: String,
}

/// Something that may be run again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReplayRef {
    /// Kind.
    pub kind: &'static str,
    /// Id.
    pub id: String,
    /// The command that plans it.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// A process as it was observed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ProcessObservation {
    /// Pid.
    pub pid: u32,
    /// Pid of the parent.
    pub ppid: u32,
    /// Last command as a shell line.
    pub command: String,
    /// When it came.
    pub first_seen: String,
    /// When it was last seen.
    pub last_seen: String,
    /// It was alive when the recording ended.
    pub outlived_root: bool,
    /// What makes it part of the scope.
    pub boundary: &'static str,
    /// What happens to processes that outlive the root.
    pub orphan_policy: String,
    /// The fact that says that it came.
    pub source_event_id: String,
    /// Id.
    pub process_id: String,
    /// Its parent, inside the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_process_id: Option<String>,
    /// Tool call; empty where not known.
    pub tool_call_id: String,
    /// Start in 10 ms ticks since boot: with pid and boot the identity.
    pub start_ticks: u64,
}

pub(super) fn runtime_events(
    near: &Neighbourhood<'_>,
    rows: &mut RowBuilder<'_>,
) -> Result<Vec<RuntimeEvent>, GraphError> {
    let mut facts: Vec<(Seq, &Fact)> = near.facts.iter().map(|(seq, fact)| (*seq, fact)).collect();
    facts.sort_by_key(|(seq, fact)| (fact.at, *seq));
    facts.into_iter().map(|(seq, fact)| runtime_event(near, rows, seq, fact)).collect()
}

fn runtime_event(
    near: &Neighbourhood<'_>,
    rows: &mut RowBuilder<'_>,
    seq: Seq,
    fact: &Fact,
) -> Result<RuntimeEvent, GraphError> {
    let (context, correlation) = rows.correlation(fact)?;
    let scope = near.scopes.of(fact.attempt);
    let process = fact.process.and_then(|process| near.processes.find(&process));
    let run = near.scopes.run().to_string();
    let Context { session_id, tool_call_id, process_id, .. } = context;
    let has_process = process_id.is_some();
    let seen = told(fact).map(|event| event.identity.clone()).unwrap_or_default();
    Ok(RuntimeEvent {
        id: fact.id.to_string(),
        drilldowns: event_drilldowns(&run, fact),
        run_id: run,
        session_id: session_id.unwrap_or_default(),
        tool_call_id: tool_call_id.unwrap_or_default(),
        process_id: process_id.unwrap_or_default(),
        snapshot_id: String::new(),
        raw_event_id: told(fact).and_then(|event| event.native_id.clone()).unwrap_or_default(),
        correlation_method: correlation.method,
        correlation_confidence: correlation.confidence,
        container_id: seen.container.or_else(|| scope.map(|scope| scope.container_id())).unwrap_or_default(),
        cgroup_id: seen.cgroup.or_else(|| scope.map(|scope| scope.cgroup_id())).unwrap_or_default(),
        pid: seen.pid.or_else(|| process.map(|process| process.started.pid)).unwrap_or(0),
        tgid: seen.tgid.or_else(|| process.map(|process| process.started.pid)).unwrap_or(0),
        ppid: seen.ppid.or_else(|| process.map(|process| process.started.ppid)).unwrap_or(0),
        source: fact.source().to_owned(),
        event_type: fact.event_type().name(),
        payload: serde_json::Value::Object(rows.evidence(fact)?).to_string(),
        created_at: fact.recorded.to_rfc3339(),
        lane: Some(fact.lane().name()),
        correlation_status: has_status(fact.lane()).then_some(correlation.status),
        telemetry: Telemetry::of(fact, correlation, has_process),
        time: fact.at.to_rfc3339(),
        event_time_ns: fact.at.as_nanos(),
        seq,
        vantage: fact.vantage.name(),
        basis: fact.basis,
        summary: crate::timeline::sentence(fact),
    })
}

/// Gaps and kept output of the attempts that are named.
pub(super) fn evidence(
    reader: &Reader,
    run: &RunRow,
    near: &Neighbourhood<'_>,
) -> Result<Vec<EvidenceRow>, GraphError> {
    let mut rows = Vec::new();
    for kind in [EventType::CoverageGap, EventType::Interrupted, EventType::Output] {
        for (_, fact) in facts_of_type(reader, run, kind)? {
            if !near.attempts.contains(&fact.attempt) {
                continue;
            }
            let (context, _) = near.scopes.resolve(&fact);
            rows.push(EvidenceRow {
                id: fact.id.to_string(),
                run_id: run.id.to_string(),
                rollout_id: rollout_id(run),
                attempt_id: context.attempt_id.unwrap_or_default(),
                session_id: context.session_id.unwrap_or_default(),
                tool_call_id: context.tool_call_id.unwrap_or_default(),
                event_id: fact.id.to_string(),
                event_type: kind.name(),
                priority: if kind == EventType::Output { "normal" } else { "high" },
                status: "processed",
                payload: serde_json::Value::Object(crate::timeline::evidence_of(&fact)).to_string(),
                summary: crate::timeline::sentence(&fact),
                created_at: fact.at.to_rfc3339(),
            });
        }
    }
    Ok(rows)
}

pub(super) fn replay_refs(near: &Neighbourhood<'_>) -> Vec<ReplayRef> {
    let scopes = near.attempts.iter().filter_map(|attempt| near.scopes.of(*attempt));
    scopes
        .map(|scope| {
            let id = scope.attempt.started.attempt_id.to_string();
            ReplayRef { kind: "attempt", reference: format!("graph replay --attempt {id} --json"), id }
        })
        .collect()
}

pub(super) fn observations(near: &Neighbourhood<'_>) -> Vec<ProcessObservation> {
    let named = near.processes.iter().filter(|process| near.actors.contains(&process.id));
    named
        .map(|process| {
            let scope = near.scopes.of(process.attempt);
            let started = scope.map(|scope| &scope.attempt.started);
            let last_exec = process.execs.last().map(|exec| exec.at);
            let last_seen = process.ended_at.or(last_exec).unwrap_or(process.started_at);
            ProcessObservation {
                pid: process.started.pid,
                ppid: process.started.ppid,
                command: process.argv().map(command_line).unwrap_or_default(),
                first_seen: process.started_at.to_rfc3339(),
                last_seen: last_seen.to_rfc3339(),
                outlived_root: process.outlived,
                boundary: crate::timeline::SCOPE_BOUNDARY,
                orphan_policy: started.map(|started| started.orphan_policy.clone()).unwrap_or_default(),
                source_event_id: process.started_event.to_string(),
                process_id: process.id.to_string(),
                parent_process_id: process.started.parent.map(|parent| parent.to_string()),
                tool_call_id: started.map(|started| started.tool_call_id.to_string()).unwrap_or_default(),
                start_ticks: process.started.start_ticks,
            }
        })
        .collect()
}
