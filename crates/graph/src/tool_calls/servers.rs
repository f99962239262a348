//! MCP servers behind relays: what their processes do while a request is open is held to be the request's deed.
//!
//! A server lives as long as its agent, so no lineage leads from a call to it. A relay knows when a request went in and
//! when its answer came out; a deed between the two is the request's, unless another one was open too.

use super::binding::{Binding, BindingState, CallNo, Rung};
use super::mcp::McpCall;
use super::scaffolding::MCP_SERVER;
use super::{Call, Tree};
use crate::processes::Process;
use agentprov_model::{EventId, EventTime, ProcessId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A request, from when it was asked until it was answered.
struct Served {
    from: EventTime,
    until: Option<EventTime>,
    /// Calls that it may be of; none where nobody declared it.
    calls: Vec<CallNo>,
    evidence: Vec<EventId>,
}

/// The servers of a run.
#[derive(Default)]
pub(super) struct Servers<'s> {
    calls: &'s [Call],
    /// The relay above each process of a server, the relay itself included.
    relay_of: HashMap<ProcessId, ProcessId>,
    /// Relays and the processes above them.
    leading: HashSet<ProcessId>,
    requests: HashMap<ProcessId, Vec<Served>>,
}

impl<'s> Servers<'s> {
    pub(super) fn new(asked: &[McpCall], calls: &'s [Call], tree: &Tree<'_>) -> Self {
        let mut servers = Self { calls, ..Self::default() };
        for request in asked {
            let Some(relay) = request.relay.filter(|relay| tree.processes.find(relay).is_some()) else { continue };
            let answer = request.answer.as_ref();
            servers.requests.entry(relay).or_default().push(Served {
                from: request.at,
                until: answer.map(|answer| answer.at),
                calls: request.binding.calls.clone(),
                evidence: std::iter::once(request.event).chain(answer.map(|answer| answer.event)).collect(),
            });
        }
        for relay in servers.requests.keys() {
            servers.leading.insert(*relay);
            servers.leading.extend(tree.processes.find(relay).into_iter().flat_map(|relay| tree.ancestors(relay)));
            servers.relay_of.extend(tree.subtree(*relay).into_iter().map(|process| (process, *relay)));
        }
        servers
    }

    /// True for a relay, and for what an agent started to come to one.
    pub(super) fn leads(&self, process: &ProcessId) -> bool {
        self.leading.contains(process)
    }

    /// What a server starts while a request is open.
    pub(super) fn started(&self, process: &Process, parent: &Binding) -> Option<Binding> {
        let of_server = parent.rule == Some(MCP_SERVER.id) && !self.leads(&process.id);
        let open = self.open(&process.id, process.started_at).filter(|_| of_server)?;
        self.choose(process.started_event, &open, &[], "the server started it")
    }

    /// What a process of a server did. None where the process says whose it is.
    pub(super) fn did(&self, event: EventId, at: EventTime, process: &ProcessId, binding: &Binding) -> Option<Binding> {
        let open = self.open(process, at)?;
        if binding.rule == Some(MCP_SERVER.id) {
            return self.choose(event, &open, &[], "the server did it");
        }
        // A worker that outlives the request which it was started for may work for a later one.
        let later = binding.state == BindingState::Bound && !open.iter().any(|served| served.calls == binding.calls);
        if later { self.choose(event, &open, &binding.calls, "a process of the server did it") } else { None }
    }

    /// Requests that were open at the server of a process; None where it belongs to none, or none was open.
    fn open(&self, process: &ProcessId, at: EventTime) -> Option<Vec<&Served>> {
        let requests = self.requests.get(self.relay_of.get(process)?)?;
        let holds = |served: &&Served| {
            let ended = match served.until {
                Some(until) => at > until,
                None => !served.calls.iter().any(|call| self.calls[*call].window.holds(at)),
            };
            served.from <= at && !ended
        };
        let open: Vec<&Served> = requests.iter().filter(holds).collect();
        (!open.is_empty()).then_some(open)
    }

    fn choose(&self, event: EventId, open: &[&Served], others: &[CallNo], what: &str) -> Option<Binding> {
        let calls: BTreeSet<CallNo> = open.iter().flat_map(|served| &served.calls).chain(others).copied().collect();
        let calls: Vec<CallNo> = calls.into_iter().collect();
        let evidence = std::iter::once(event).chain(open.iter().flat_map(|served| served.evidence.clone())).collect();
        match (calls.as_slice(), open) {
            ([], _) => None,
            ([call], [_]) => {
                let why = format!("{what} while the call's request was the only open one");
                Some(Binding::bound(Rung::RequestWindow, *call, evidence, why))
            }
            _ => {
                let why = format!("{what} while several requests were open or may be its cause");
                Some(Binding::ambiguous(Rung::RequestWindow, calls, evidence, why))
            }
        }
    }
}
