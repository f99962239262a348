//! Trace context: spans of calls as telemetry tells of them, found again in the environment of processes.

use super::calls::{Call, Saying};
use super::{CallNo, Tree, agents};
use crate::processes::Process;
use agentprov_model::declared::{CallId, Deed, IdOrigin, PARENT_SPAN, TraceParent};
use agentprov_model::{EventId, ProcessId, SessionId};
use std::collections::{BTreeSet, HashMap};

/// Spans that are looked through between a process's span and its call's.
const MOST_SPANS: usize = 16;

/// A span: its trace and its own id.
type Span = (String, String);

/// The calls that one span stands for, one as a rule, with the facts that tell of the span.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Named {
    pub(super) calls: BTreeSet<CallNo>,
    pub(super) told: Vec<EventId>,
}

/// What telemetry tells of spans.
#[derive(Default)]
pub(super) struct Traces {
    calls: HashMap<Span, Named>,
    /// The span around each.
    parents: HashMap<Span, (String, EventId)>,
}

impl Traces {
    pub(super) fn new(sayings: &[Saying], calls: &[Call]) -> Self {
        let own_id = calls.iter().enumerate().filter(|(_, call)| call.id.origin == IdOrigin::Agent);
        let by_id: HashMap<(Option<&SessionId>, &CallId), CallNo> =
            own_id.map(|(no, call)| ((call.session.as_ref(), &call.id), no)).collect();
        let mut traces = Self::default();
        // A hook's trace context is what its environment says, which calls can share; a span of telemetry is its own.
        for saying in sayings.iter().filter(|saying| saying.afterwards) {
            let Some(span) = saying.declared.trace.as_ref().map(span) else { continue };
            if let Some(parent) = saying.declared.other.get(PARENT_SPAN).and_then(|parent| parent.as_str()) {
                traces.parents.insert(span.clone(), (parent.to_owned(), saying.event));
            }
            // Log records name the span in which they were written, whosever it is.
            let Deed::CallStarted(start) = &saying.declared.deed else { continue };
            if let Some(no) = by_id.get(&(saying.declared.session.as_ref(), &start.call)) {
                let named = traces.calls.entry(span).or_default();
                named.calls.insert(*no);
                named.told.push(saying.event);
            }
        }
        traces
    }

    /// The calls of the nearest span, from the named one outwards, that stands for any.
    pub(super) fn named(&self, trace: &TraceParent) -> Option<Named> {
        let mut span = span(trace);
        let mut passed = Vec::new();
        for _ in 0..MOST_SPANS {
            if let Some(named) = self.calls.get(&span) {
                let told = named.told.iter().copied().chain(passed).collect();
                return Some(Named { calls: named.calls.clone(), told });
            }
            let (parent, told) = self.parents.get(&span)?;
            passed.push(*told);
            span.1.clone_from(parent);
        }
        None
    }

    /// Every process that got trace context of a call from an agent, or from a process of it that did not have the same:
    /// what is only handed down says nothing of who it is that has it now.
    pub(super) fn processes(
        &self,
        tree: &Tree<'_>,
        calls: &[Call],
        agent_processes: &BTreeSet<ProcessId>,
    ) -> HashMap<ProcessId, Named> {
        let mut found = HashMap::new();
        if self.calls.is_empty() {
            return found;
        }
        for process in tree.processes.iter() {
            if process.execs.first().is_some_and(|exec| agents::starts_a_hook(&exec.exec.argv)) {
                continue;
            }
            let Some(trace) = fresh(process, tree) else { continue };
            let Some(agent) = tree.ancestors(process).find(|ancestor| agent_processes.contains(ancestor)) else {
                continue;
            };
            let Some(mut named) = self.named(trace) else { continue };
            // A nested agent that the environment was handed down to has calls of its own.
            named.calls.retain(|no| calls[*no].agent_process == Some(agent));
            if !named.calls.is_empty() {
                found.insert(process.id, named);
            }
        }
        found
    }
}

/// The trace context with which a process ran its first program, where its parent did not have the same.
fn fresh<'p>(process: &'p Process, tree: &Tree<'p>) -> Option<&'p TraceParent> {
    let trace = process.execs.iter().find_map(|exec| exec.exec.trace.as_ref())?;
    let parent = process.started.parent.and_then(|parent| tree.processes.find(&parent));
    let handed_down = parent.is_some_and(|parent| has(parent, trace));
    (!handed_down).then_some(trace)
}

fn has(process: &Process, trace: &TraceParent) -> bool {
    process.execs.iter().any(|exec| exec.exec.trace.as_ref().is_some_and(|own| span(own) == span(trace)))
}

fn span(trace: &TraceParent) -> Span {
    (trace.trace_id().to_owned(), trace.span_id().to_owned())
}
