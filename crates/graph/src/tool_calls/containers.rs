//! Containers: what sensors saw in them, to the call whose client started them.
//!
//! A container's processes are children of a daemon: no lineage leads from a call to them, and no recorder that follows
//! children sees them. What a call has is the client, `docker` or one like it. It may name the container, or it ran
//! when the container first showed itself.

use super::binding::{Binding, CallNo, Rung};
use super::{Call, Tree};
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use crate::processes::Process;
use crate::timeline::sentence;
use agentprov_model::index::container_prefix;
use agentprov_model::telemetry::ScopeIds;
use agentprov_model::{EventId, EventTime, EventType, Fact, ProcessId, TelemetryEvent, What};
use agentprov_store::{Reader, RunRow};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Programs that ask a daemon for containers.
const CLIENTS: [&str; 8] =
    ["docker", "docker-compose", "podman", "podman-compose", "nerdctl", "buildah", "ctr", "crictl"];

/// Words by which they ask for one to be started.
const STARTS: [&str; 7] = ["run", "create", "start", "restart", "up", "build", "exec"];

/// What a sensor may tell of a container, as far as a call can be held against it.
const KINDS: [EventType; 9] = [
    EventType::Execve,
    EventType::FileWrite,
    EventType::FileRename,
    EventType::FileUnlink,
    EventType::NetworkConnect,
    EventType::NetworkSend,
    EventType::MetadataIp,
    EventType::PrivateCidr,
    EventType::SecretPath,
];

/// A container that sensors told of.
#[derive(Clone, Debug)]
pub struct Contained {
    /// Its id, cut to what every sensor gives.
    pub container: String,
    /// When it first showed itself.
    pub first_at: EventTime,
    /// Its events, in order of time.
    pub events: Vec<EventId>,
    /// What was done in it, each once.
    pub deeds: Vec<String>,
    /// To which call it belongs.
    pub binding: Binding,
}

/// A client of a call, as long as it ran.
struct Client<'t> {
    process: &'t Process,
    calls: &'t [CallNo],
    /// Words of its command line.
    words: Vec<&'t str>,
}

/// What is known when containers are bound.
pub(super) struct Yard<'y> {
    pub(super) tree: &'y Tree<'y>,
    pub(super) calls: &'y [Call],
    pub(super) bound: &'y HashMap<ProcessId, Binding>,
}

impl Yard<'_> {
    /// In order of first appearance. A container in which recorded processes run is where the agent lives, and none of
    /// its deeds; one that was there before the agent spoke is not its doing either.
    pub(super) fn bind(&self, reader: &Reader, run: &RunRow, since: EventTime) -> Result<Vec<Contained>, GraphError> {
        let mut seen: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
        for kind in KINDS {
            for (_, fact) in facts_of_type(reader, run, kind)? {
                if let Some(container) = told(&fact).and_then(container) {
                    seen.entry(container).or_default().push(fact);
                }
            }
        }
        let pids: HashSet<u32> = if seen.is_empty() {
            HashSet::new()
        } else {
            let started = self.tree.processes.iter().map(|process| &process.started);
            started.flat_map(|started| std::iter::once(started.pid).chain(started.ns_pid)).collect()
        };
        let recorded = |fact: &Fact| {
            let identity = told(fact).map(|event| &event.identity);
            identity.and_then(|identity| identity.tgid.or(identity.pid)).is_some_and(|pid| pids.contains(&pid))
        };
        let clients = self.clients();
        let mut found: Vec<Contained> = Vec::new();
        for (container, mut facts) in seen.into_iter().filter(|(_, facts)| !facts.iter().any(recorded)) {
            facts.sort_by_key(|fact| (fact.at, fact.id));
            let Some(first_at) = facts.first().map(|fact| fact.at).filter(|at| *at >= since) else { continue };
            let mut once = HashSet::new();
            let deeds = facts.iter().map(sentence).filter(|deed| once.insert(deed.clone())).collect();
            let binding = self.whose(&container, &facts, first_at, &clients);
            let events = facts.iter().map(|fact| fact.id).collect();
            found.push(Contained { container, first_at, events, deeds, binding });
        }
        found.sort_by_key(|contained| contained.first_at);
        Ok(found)
    }

    fn clients(&self) -> Vec<Client<'_>> {
        self.tree.processes.iter().filter_map(|process| self.client(process)).collect()
    }

    fn client<'c>(&'c self, process: &'c Process) -> Option<Client<'c>> {
        let binding = self.bound.get(&process.id).filter(|binding| binding.has_calls())?;
        let argv = process.execs.iter().map(|exec| &exec.exec.argv);
        let mut lines = argv.map(|argv| argv.iter().filter_map(|word| word.as_str()).collect::<Vec<_>>());
        let words = lines.find(|words| {
            let name = words.first().map(|program| program.rsplit('/').next().unwrap_or(program));
            name.is_some_and(|name| CLIENTS.contains(&name))
        })?;
        Some(Client { process, calls: &binding.calls, words })
    }

    fn whose(&self, container: &str, facts: &[Fact], first_at: EventTime, clients: &[Client<'_>]) -> Binding {
        let first = facts[0].id;
        let scopes = facts.iter().filter_map(told).map(|event| &event.scope);
        let said: BTreeSet<CallNo> = scopes.flat_map(|scope| self.said(scope)).collect();
        if !said.is_empty() {
            let why = "whoever tied the container to the run named the call";
            return chosen(Rung::Container, said, vec![first], why);
        }
        let named = clients.iter().filter(|client| client.words.iter().any(|word| is_prefix(word, container)));
        let (calls, evidence) = of_clients(named, first);
        if !calls.is_empty() {
            return chosen(Rung::Container, calls, evidence, "the call's client names the container");
        }
        let running = clients.iter().filter(|client| {
            let ended = client.process.ended_at.is_some_and(|ended| ended < first_at);
            client.words.iter().any(|word| STARTS.contains(word)) && client.process.started_at <= first_at && !ended
        });
        let (calls, evidence) = of_clients(running, first);
        if !calls.is_empty() {
            let why = "the call's client ran when the container first showed itself";
            return chosen(Rung::ContainerWindow, calls, evidence, why);
        }
        Binding::unattributed(vec![first], "no call's client names the container, and none ran when it began")
    }

    /// Calls by the id that a binding of telemetry gave.
    fn said(&self, scope: &ScopeIds) -> Vec<CallNo> {
        let Some(id) = &scope.tool_call else { return Vec::new() };
        let named = self.calls.iter().enumerate().filter(|(_, call)| call.name() == id.as_str());
        named.map(|(no, _)| no).collect()
    }
}

fn of_clients<'c>(clients: impl Iterator<Item = &'c Client<'c>>, first: EventId) -> (BTreeSet<CallNo>, Vec<EventId>) {
    let mut calls = BTreeSet::new();
    let mut evidence = vec![first];
    for client in clients {
        calls.extend(client.calls);
        evidence.push(client.process.execs.first().map_or(client.process.started_event, |exec| exec.event));
    }
    (calls, evidence)
}

fn chosen(rung: Rung, calls: BTreeSet<CallNo>, evidence: Vec<EventId>, why: &str) -> Binding {
    let calls: Vec<CallNo> = calls.into_iter().collect();
    match calls.as_slice() {
        [call] => Binding::bound(rung, *call, evidence, why),
        _ => Binding::ambiguous(rung, calls, evidence, format!("{why}; so did those of other calls")),
    }
}

fn told(fact: &Fact) -> Option<&TelemetryEvent> {
    match &fact.what {
        What::Telemetry(event) => Some(event),
        _ => None,
    }
}

/// The container of an event; where the sensor gives only a cgroup, by the id in its path.
fn container(event: &TelemetryEvent) -> Option<String> {
    let identity = &event.identity;
    let of_cgroup = || {
        let parts = identity.cgroup.as_deref()?.split(['/', '-', '.']);
        parts.into_iter().find(|part| part.len() == 64 && is_hex(part))
    };
    let id = identity.container.as_deref().filter(|id| id.len() >= 12 && is_hex(id)).or_else(of_cgroup)?;
    Some(container_prefix(id).to_owned())
}

fn is_prefix(word: &str, container: &str) -> bool {
    word.len() >= 12 && is_hex(word) && word.starts_with(container)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
