//! `observability_summary/v1`: a run in numbers. All of them come from counts kept at append.

use super::{Document, EvidenceRef, ratio, run_views, seqs_of_type};
use crate::error::GraphError;
use crate::scope_context::Scopes;
use crate::security::Standing;
use crate::timeline::Totals;
use agentprov_model::EventType;
use agentprov_model::index::CountGroup;
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeMap;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SummaryBody {
    /// Facts.
    pub event_count: u64,
    /// Scopes.
    pub application: Application,
    /// What the kernel or a sensor saw.
    pub runtime: Runtime,
    /// Windows of ingested telemetry.
    pub windows: Windows,
    /// Judgements.
    pub risk: Risk,
    /// Comparison with earlier runs.
    pub baseline: Baseline,
    /// Responses to risks.
    pub response: Response,
    /// Signals for evaluators.
    pub signals: Signals,
    /// Facts by type.
    pub event_types: BTreeMap<String, u64>,
    /// Facts by who reported them.
    pub sources: BTreeMap<String, u64>,
    /// Facts worth a look first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top_evidence_refs: Vec<EvidenceRef>,
    /// Commands that look closer.
    pub recommended_views: Vec<String>,
}

/// Scopes by kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Application {
    /// Sessions.
    pub sessions: u64,
    /// Attempts.
    pub attempts: u64,
    /// Tool calls.
    pub tool_calls: u64,
    /// Processes.
    pub processes: u64,
    /// Snapshots. Our recorder takes none: contents belong to versions.
    pub snapshots: u64,
}

/// Runtime facts and how much of their context is known.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Runtime {
    /// All.
    pub events: u64,
    /// Those with a session.
    pub events_with_session: u64,
    /// Those with a tool call.
    pub events_with_tool_call: u64,
    /// Those with a process.
    pub events_with_process: u64,
    /// Share with a tool call.
    pub tool_call_coverage_ratio: f64,
    /// Share with a process.
    pub process_coverage_ratio: f64,
}

/// Windows of ingested telemetry; a recording has none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Windows {
    /// Windows.
    pub window_count: u64,
    /// Events in them.
    pub event_count: u64,
    /// Bound to a scope.
    pub resolved_count: u64,
    /// Not bound.
    pub unresolved_count: u64,
    /// Of types that count as high risk.
    pub high_risk_count: u64,
    /// Why the numbers are what they are.
    pub state: &'static str,
}

/// Counts of judgements.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Risk {
    /// Risk signals.
    pub signals: u64,
    /// Policy decisions.
    pub policy_decisions: u64,
    /// Risk signals by severity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_severity: BTreeMap<&'static str, u64>,
    /// `not_judged`: the zeros mean that nobody looked, not that all is well.
    pub state: &'static str,
}

/// Counts of deviations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Baseline {
    /// Deviations.
    pub deviations: u64,
    /// `not_compared`: nobody looked.
    pub state: &'static str,
}

/// Counts of responses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Response {
    /// Actions.
    pub actions: u64,
    /// `not_judged`: nothing could be responded to.
    pub state: &'static str,
}

/// Counts of signals.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Signals {
    /// All.
    pub total: u64,
    /// `not_evaluated`: nobody looked.
    pub state: &'static str,
}

/// Types worth a look, the most telling first.
const TELLING: [EventType; 11] = [
    EventType::MetadataIp,
    EventType::Ptrace,
    EventType::Setuid,
    EventType::Setgid,
    EventType::Privilege,
    EventType::PrivateCidr,
    EventType::AbnormalProcessTree,
    EventType::CoverageGap,
    EventType::NetworkConnect,
    EventType::FileWrite,
    EventType::Execve,
];

/// The summary of a run with at most `top` evidence refs.
///
/// # Errors
/// What the store says.
pub fn observe_summary(reader: &Reader, run: &RunRow, top: usize) -> Result<Document<SummaryBody>, GraphError> {
    let body = summary_body(reader, run, top)?;
    Document::new("observability_summary", &[&top.to_string()], run, body)
}

fn summary_body(reader: &Reader, run: &RunRow, top: usize) -> Result<SummaryBody, GraphError> {
    let totals = Totals::load(reader, run, run.size)?;
    let standing = Standing::of(reader, run)?;
    let attempts = Scopes::load(reader, run)?.iter().count() as u64;
    let events = totals.runtime();
    let with_process = events.saturating_sub(totals.without_process);
    Ok(SummaryBody {
        event_count: totals.facts,
        application: Application {
            sessions: attempts,
            attempts,
            tool_calls: attempts,
            processes: totals.of(EventType::ExecStart) + totals.of(EventType::ProcessObserved),
            snapshots: 0,
        },
        runtime: Runtime {
            events,
            events_with_session: events,
            events_with_tool_call: events,
            events_with_process: with_process,
            tool_call_coverage_ratio: ratio(events, events),
            process_coverage_ratio: ratio(with_process, events),
        },
        windows: Windows {
            window_count: 0,
            event_count: 0,
            resolved_count: 0,
            unresolved_count: 0,
            high_risk_count: 0,
            state: "nothing_ingested",
        },
        risk: Risk {
            signals: standing.risks,
            policy_decisions: standing.decisions,
            by_severity: standing.by_severity,
            state: standing.state,
        },
        baseline: Baseline { deviations: 0, state: "not_compared" },
        response: Response { actions: standing.responses, state: standing.state },
        signals: Signals { total: 0, state: "not_evaluated" },
        event_types: reader.tallies(run.no, CountGroup::Type)?,
        sources: reader.tallies(run.no, CountGroup::Source)?,
        top_evidence_refs: telling(reader, run, top)?,
        recommended_views: run_views(run),
    })
}

fn telling(reader: &Reader, run: &RunRow, top: usize) -> Result<Vec<EvidenceRef>, GraphError> {
    let mut refs = Vec::new();
    for kind in TELLING {
        for seq in seqs_of_type(reader, run, kind)? {
            if refs.len() == top {
                return Ok(refs);
            }
            refs.push(EvidenceRef::to(&reader.fact(run.no, seq)?));
        }
    }
    Ok(refs)
}
