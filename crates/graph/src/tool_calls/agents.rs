//! Which process is the agent, seen from its hooks.
//!
//! A hook is a child of the agent, or a grandchild where the agent starts hooks through a shell. The agent is the nearest
//! ancestor that two hooks of the session share; with one hook alone, its parent, a shell that only starts the hook
//! left out.

use super::calls::Saying;
use crate::processes::ProcessTable;
use agentprov_model::declared::{Ancestor, HOOK_ARGUMENT, ProcessAnchor, takes_hooks};
use agentprov_model::{OsBytes, ProcessId, SessionId};
use std::collections::{BTreeSet, HashMap};

/// The agent's process for each saying, by its place; None where no process carried it.
pub(super) fn agents(sayings: &[Saying], processes: &ProcessTable) -> Vec<Option<ProcessId>> {
    let lookup = Lookup::new(processes);
    let chains: Vec<Vec<ProcessId>> = sayings.iter().map(|saying| lookup.ancestors(saying)).collect();
    let mut shared: HashMap<(Option<&SessionId>, ProcessId), u32> = HashMap::new();
    for (saying, chain) in sayings.iter().zip(&chains) {
        for ancestor in chain {
            *shared.entry((saying.declared.session.as_ref(), *ancestor)).or_default() += 1;
        }
    }
    let agent = |saying: &Saying, chain: &[ProcessId]| {
        let session = saying.declared.session.as_ref();
        let two = chain.iter().find(|ancestor| shared.get(&(session, **ancestor)).is_some_and(|count| *count > 1));
        two.copied().or_else(|| alone(chain, processes))
    };
    sayings.iter().zip(&chains).map(|(saying, chain)| agent(saying, chain)).collect()
}

fn alone(chain: &[ProcessId], processes: &ProcessTable) -> Option<ProcessId> {
    let parent = *chain.first()?;
    let starter = processes.find(&parent).and_then(|process| process.argv()).is_some_and(starts_a_hook);
    if starter { chain.get(1).copied() } else { Some(parent) }
}

/// True for `sh -c "agentprov hook AGENT"`.
pub(super) fn starts_a_hook(argv: &[OsBytes]) -> bool {
    let shell_text = argv.len() >= 3 && argv.iter().any(|word| word.as_bytes() == b"-c");
    shell_text
        && argv.last().and_then(OsBytes::as_str).is_some_and(|text| {
            let mut words = text.split_whitespace();
            let program = words.next().unwrap_or_default().trim_matches(['\'', '"']);
            program.rsplit('/').next().is_some_and(takes_hooks) && words.next() == Some(HOOK_ARGUMENT)
        })
}

/// Finds recorded processes by what a hook saw of them.
pub(super) struct Lookup<'p> {
    processes: &'p ProcessTable,
    /// By pid inside the innermost pid namespace, and start.
    inner: HashMap<(u32, u64), ProcessId>,
}

impl<'p> Lookup<'p> {
    pub(super) fn new(processes: &'p ProcessTable) -> Self {
        let mut inner = HashMap::new();
        let mut doubled = BTreeSet::new();
        for process in processes.iter() {
            let Some(pid) = process.started.ns_pid else { continue };
            let key = (pid, process.started.start_ticks);
            if inner.insert(key, process.id).is_some() {
                doubled.insert(key);
            }
        }
        // Two namespaces may count alike: then neither is named.
        doubled.iter().for_each(|key| {
            inner.remove(key);
        });
        Self { processes, inner }
    }

    /// The carrier's ancestors, nearest first.
    fn ancestors(&self, saying: &Saying) -> Vec<ProcessId> {
        let Some(anchor) = &saying.declared.anchor else { return Vec::new() };
        anchor.ancestors.iter().map(|ancestor| self.id(anchor, ancestor)).collect()
    }

    /// The recorded process, else the id that the hook's own view of it makes.
    pub(super) fn id(&self, anchor: &ProcessAnchor, process: &Ancestor) -> ProcessId {
        let id = anchor.key(process).id();
        if self.processes.find(&id).is_some() {
            return id;
        }
        self.inner.get(&(process.pid, process.start_ticks)).copied().unwrap_or(id)
    }
}
