//! Who holds something of a secret.
//!
//! A taint begins where a secret is read and spreads to children, through pipes, through files that a tainted process
//! wrote, and through sockets on this host. It spreads forward in event time only: what happened before the secret was
//! read is not touched by it. It never wears off a process; a name that is removed loses it.

use crate::processes::Processes;
use agentprov_model::{
    Access, Destination, EventTime, Fact, FileOp, NetworkOp, OsBytes, ProcessId, ProcessKey, SocketAddress, What,
};
use std::collections::HashMap;

/// The pipe ends that a process holds now.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PipeEnds {
    /// Inodes of pipes and socket pairs that it can read.
    pub reads: Vec<u64>,
    /// Inodes of those that it can write.
    pub writes: Vec<u64>,
}

/// Where pipe ends are seen. No event names pipes, so they are looked up while the process is alive.
pub trait PipeView: Send {
    /// What the process holds now; empty where that can't be seen.
    fn ends(&self, process: &ProcessKey) -> PipeEnds;
}

/// Pipes are not seen: a taint does not cross them.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPipes;

impl PipeView for NoPipes {
    fn ends(&self, _process: &ProcessKey) -> PipeEnds {
        PipeEnds::default()
    }
}

/// The taints of an attempt, each with the time from which it holds.
pub(crate) struct Taint {
    processes: HashMap<ProcessId, EventTime>,
    paths: HashMap<OsBytes, EventTime>,
    pipes: HashMap<u64, EventTime>,
    /// Who was bound to a local address: a taint goes to the server, and from it to whoever connects.
    servers: HashMap<String, ProcessId>,
    view: Box<dyn PipeView>,
}

impl Taint {
    pub(crate) fn new(view: Box<dyn PipeView>) -> Self {
        Self { processes: HashMap::new(), paths: HashMap::new(), pipes: HashMap::new(), servers: HashMap::new(), view }
    }

    /// True where the process held something at that time.
    pub(crate) fn holds(&self, process: Option<ProcessId>, at: EventTime) -> bool {
        process.and_then(|id| self.processes.get(&id)).is_some_and(|since| *since <= at)
    }

    /// Marks a process from a time on, and everything that reads from its pipes.
    pub(crate) fn mark(&mut self, process: ProcessId, from: EventTime, processes: &Processes) {
        let mut reached = vec![process];
        while let Some(id) = reached.pop() {
            let since = self.processes.entry(id).or_insert(from);
            if *since < from {
                continue;
            }
            *since = from;
            let Some(key) = processes.key(id) else { continue };
            let written = self.view.ends(&key).writes;
            if written.is_empty() {
                continue;
            }
            for pipe in &written {
                earliest(&mut self.pipes, *pipe, from);
            }
            let readers = processes.alive().filter(|(other, key)| {
                !self.processes.contains_key(other)
                    && self.view.ends(key).reads.iter().any(|pipe| written.contains(pipe))
            });
            reached.extend(readers.map(|(other, _)| other));
        }
    }

    /// What a process reads now, before an event of it is judged: pipes that were there before it was.
    pub(crate) fn look_at_pipes(&mut self, process: Option<ProcessId>, at: EventTime, processes: &Processes) {
        let Some(id) = process.filter(|id| !self.pipes.is_empty() && !self.processes.contains_key(id)) else { return };
        let Some(key) = processes.key(id) else { return };
        let since = self.view.ends(&key).reads.iter().filter_map(|pipe| self.pipes.get(pipe)).min().copied();
        if let Some(since) = since.filter(|since| *since <= at) {
            self.mark(id, since.max(at), processes);
        }
    }

    /// Takes in where an event carries a taint to.
    pub(crate) fn spread(&mut self, fact: &Fact, processes: &Processes) {
        let at = fact.at;
        match &fact.what {
            What::ProcessStarted(started) if self.holds(started.parent, at) => {
                if let Some(child) = fact.process {
                    self.mark(child, at, processes);
                }
            }
            What::FileOpened(open) => {
                let Some(process) =
                    fact.process.filter(|_| !matches!(open.result, agentprov_model::CallResult::Errno(_)))
                else {
                    return;
                };
                let reads = matches!(open.access, Access::Read | Access::ReadWrite);
                if reads && self.paths.get(&open.path).is_some_and(|since| *since <= at) {
                    self.mark(process, at, processes);
                }
                if open.access.writes() && self.holds(Some(process), at) {
                    earliest(&mut self.paths, open.path.clone(), at);
                }
            }
            What::FileVersion(version) => {
                let writer = version.writers.iter().chain(&fact.process).any(|writer| self.holds(Some(*writer), at));
                if writer {
                    earliest(&mut self.paths, version.path.clone(), at);
                }
            }
            What::FileChanged(change) if change.result.succeeded() => {
                self.rename(change.op, &change.path, change.path2.as_ref(), at);
            }
            What::Network(call) => self.local(call.op, &call.address, fact.process, at, processes),
            _ => {}
        }
    }

    fn rename(&mut self, op: FileOp, path: &OsBytes, second: Option<&OsBytes>, at: EventTime) {
        let tainted = self.paths.get(path).is_some_and(|since| *since <= at);
        match (op, second) {
            (FileOp::Unlink, _) => {
                self.paths.remove(path);
            }
            (FileOp::Rename, Some(new)) if tainted => {
                self.paths.remove(path);
                earliest(&mut self.paths, new.clone(), at);
            }
            (FileOp::Rename, Some(new)) => {
                self.paths.remove(new);
            }
            (FileOp::Exchange, Some(other)) if tainted || self.paths.contains_key(other) => {
                earliest(&mut self.paths, path.clone(), at);
                earliest(&mut self.paths, other.clone(), at);
            }
            (FileOp::Link, Some(new)) if tainted => earliest(&mut self.paths, new.clone(), at),
            // The first name of a symbolic link is the new one, the second what it leads to.
            (FileOp::Symlink, Some(target)) if self.paths.get(target).is_some_and(|since| *since <= at) => {
                earliest(&mut self.paths, path.clone(), at);
            }
            _ => {}
        }
    }

    fn local(
        &mut self,
        op: NetworkOp,
        address: &SocketAddress,
        process: Option<ProcessId>,
        at: EventTime,
        processes: &Processes,
    ) {
        let (Some(process), Some(name)) = (process, local_name(address)) else { return };
        if op == NetworkOp::Bind {
            self.servers.insert(name, process);
            return;
        }
        let Some(server) = self.servers.get(&name).copied() else { return };
        match (self.holds(Some(process), at), self.holds(Some(server), at)) {
            (true, false) => self.mark(server, at, processes),
            (false, true) => self.mark(process, at, processes),
            _ => {}
        }
    }
}

fn earliest<K: Eq + std::hash::Hash>(map: &mut HashMap<K, EventTime>, key: K, at: EventTime) {
    let since = map.entry(key).or_insert(at);
    *since = (*since).min(at);
}

/// One name for an address on this host, whichever side gives it.
fn local_name(address: &SocketAddress) -> Option<String> {
    match address {
        SocketAddress::Ip { ip, port } if Destination::of(*ip) == Destination::Loopback => Some(format!("port {port}")),
        SocketAddress::Unix { .. } => Some(address.to_string()),
        _ => None,
    }
}
