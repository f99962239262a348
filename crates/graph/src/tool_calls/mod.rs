//! Declared tool calls bound to what processes did.
//!
//! A view: what agents said of themselves on one side, what the recorder saw on the other, and the ladder between them.
//! Every link names its rung, its evidence and its alternatives; where two calls fit, both are named.

mod agents;
mod binding;
mod calls;
mod clients;
mod containers;
mod early;
mod edits;
mod effects;
mod ladder;
mod mcp;
pub mod scaffolding;
mod servers;
mod sessions;
mod traces;
mod witnesses;

pub use binding::{Binding, BindingState, CallNo, Rung};
pub use calls::{Call, CallWindow, ClosedBy, Saying, Told};
pub use containers::Contained;
pub use effects::{Deed, Effect};
pub use mcp::{McpAnswer, McpCall};
pub use sessions::Session;
pub use witnesses::{Aspect, CallWitnesses, Contradiction, call_witnesses};

use crate::attempts::attempts;
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use crate::processes::{Process, ProcessTable};
use agentprov_model::{EventId, EventTime, EventType, GapKind, ProcessId, SessionId, What};
use agentprov_store::{Reader, RunRow, Seq};
use ladder::Ladder;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The declared calls of a run and what belongs to them.
#[derive(Clone, Debug, Default)]
pub struct ToolCalls {
    /// Sessions, in order of their first message.
    pub sessions: Vec<Session>,
    /// Calls, in order of their beginning.
    pub calls: Vec<Call>,
    /// Files and connections, in order of time.
    pub effects: Vec<Effect>,
    /// Requests to MCP servers that agents made, in order of the log.
    pub mcp: Vec<McpCall>,
    /// Containers that sensors told of, in order of first appearance.
    pub containers: Vec<Contained>,
    /// Messages of hooks that were lost.
    pub hooks_lost: u64,
    /// Calls that opened the file that they name for writing and left it as it was.
    unchanged: HashMap<CallNo, EventId>,
    processes: HashMap<ProcessId, Binding>,
    effect_of: HashMap<Seq, usize>,
    /// By call: processes in order of start, and places in `effects`.
    of_call: HashMap<CallNo, OfCall>,
}

/// What may belong to one call.
#[derive(Clone, Debug, Default)]
struct OfCall {
    processes: Vec<ProcessId>,
    effects: Vec<usize>,
}

impl ToolCalls {
    /// Puts a run's calls together and binds what its processes did. Cost follows the number of processes, written
    /// files and connections; a run in which no agent spoke costs a look-up.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(reader: &Reader, run: &RunRow, processes: &ProcessTable) -> Result<Self, GraphError> {
        let sayings = calls::sayings(reader, run, processes)?;
        if sayings.is_empty() {
            return Ok(Self::default());
        }
        let agent_of = agents::agents(&sayings, processes);
        let calls = calls::calls(&sayings, &agent_of, processes);
        let tree = Tree::new(processes);
        let deeds = effects::deeds(reader, run)?;
        let agents: BTreeSet<ProcessId> = agent_of.iter().flatten().copied().collect();
        let carriers: HashSet<ProcessId> = sayings.iter().filter_map(|saying| saying.carrier).collect();
        let active = effects::active(&deeds);
        let traces = traces::Traces::new(&sayings, &calls);
        let mcp = mcp::Switchboard { calls: &calls, traces: &traces, tree: &tree }.bind(reader, run)?;
        let mut traced = traces.processes(&tree, &calls, &agents);
        traced.retain(|process, _| !carriers.contains(process));
        let servers = servers::Servers::new(&mcp, &calls, &tree);
        let ladder = Ladder {
            tree: &tree,
            calls: &calls,
            agents: &agents,
            carriers: &carriers,
            active: &active,
            traced: &traced,
            servers: &servers,
        };
        let bound = ladder.bind();
        let since = sayings.iter().map(|saying| saying.at).min().unwrap_or(EventTime::from_nanos(0));
        let containers = containers::Yard { tree: &tree, calls: &calls, bound: &bound }.bind(reader, run, since)?;
        let mut sessions_of: HashMap<ProcessId, BTreeSet<Option<SessionId>>> = HashMap::new();
        for (saying, agent) in sayings.iter().zip(&agent_of) {
            if let Some(agent) = agent {
                sessions_of.entry(*agent).or_default().insert(saying.declared.session.clone());
            }
        }
        let attempts = attempts(reader, run)?;
        let given_files = attempts.into_iter().flat_map(|attempt| attempt.started.given_files).collect();
        let desk = edits::Desk {
            reader,
            run,
            calls: &calls,
            bound: &bound,
            servers: &servers,
            sessions_of: &sessions_of,
            given_files: &given_files,
        };
        let effects = desk.bind(deeds)?;
        let unchanged = desk.unchanged(&effects)?;
        let effect_of = effects.iter().enumerate().map(|(place, effect)| (effect.seq, place)).collect();
        let sessions = sessions::sessions(&sayings, &agent_of, &calls);
        let hooks_lost = hooks_lost(reader, run)?;
        let of_call = by_call(processes, &bound, &effects);
        Ok(Self {
            sessions,
            calls,
            effects,
            mcp,
            containers,
            hooks_lost,
            unchanged,
            processes: bound,
            effect_of,
            of_call,
        })
    }

    /// True where no agent spoke.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// To which call a process belongs; None for processes that run below no agent.
    pub fn of_process(&self, process: &ProcessId) -> Option<&Binding> {
        self.processes.get(process)
    }

    /// To which call the fact of a written file or a connection belongs.
    pub fn of_fact(&self, seq: Seq) -> Option<&Binding> {
        self.effect_of.get(&seq).and_then(|place| self.effects[*place].binding.as_ref())
    }

    /// The opening with which a call touched the file that it names and left it as it was.
    pub fn unchanged(&self, call: CallNo) -> Option<EventId> {
        self.unchanged.get(&call).copied()
    }

    /// Requests to MCP servers that belong to a call, for certain or perhaps.
    pub fn mcp_of(&self, call: CallNo) -> impl Iterator<Item = &McpCall> {
        self.mcp.iter().filter(move |asked| asked.binding.calls.contains(&call))
    }

    /// Containers that belong to a call, for certain or perhaps.
    pub fn containers_of(&self, call: CallNo) -> impl Iterator<Item = &Contained> {
        self.containers.iter().filter(move |contained| contained.binding.calls.contains(&call))
    }

    /// The call of that name: the id, with `#2` and so on for further calls under one synthetic id.
    pub fn find(&self, name: &str) -> Option<(CallNo, &Call)> {
        self.calls.iter().enumerate().find(|(_, call)| call.name() == name)
    }

    /// Processes that belong to a call, for certain or perhaps, in order of start.
    pub fn processes_of<'t>(
        &'t self,
        call: CallNo,
        table: &'t ProcessTable,
    ) -> impl Iterator<Item = (&'t Process, &'t Binding)> {
        let ids = self.of_call.get(&call).into_iter().flat_map(|found| &found.processes);
        ids.filter_map(|id| Some((table.find(id)?, self.processes.get(id)?)))
    }

    /// Files and connections that belong to a call, for certain or perhaps.
    pub fn effects_of(&self, call: CallNo) -> impl Iterator<Item = &Effect> {
        let places = self.of_call.get(&call).into_iter().flat_map(|found| &found.effects);
        places.filter_map(|place| self.effects.get(*place))
    }
}

fn by_call(
    processes: &ProcessTable,
    bound: &HashMap<ProcessId, Binding>,
    effects: &[Effect],
) -> HashMap<CallNo, OfCall> {
    let mut of_call: HashMap<CallNo, OfCall> = HashMap::new();
    for process in processes.iter() {
        for call in bound.get(&process.id).into_iter().flat_map(|binding| &binding.calls) {
            of_call.entry(*call).or_default().processes.push(process.id);
        }
    }
    for (place, effect) in effects.iter().enumerate() {
        for call in effect.binding.iter().flat_map(|binding| &binding.calls) {
            of_call.entry(*call).or_default().effects.push(place);
        }
    }
    of_call
}

fn hooks_lost(reader: &Reader, run: &RunRow) -> Result<u64, GraphError> {
    let gaps = facts_of_type(reader, run, EventType::CoverageGap)?;
    let lost = gaps.iter().filter_map(|(_, fact)| match &fact.what {
        What::Gap(gap) if gap.kind == GapKind::HooksLost => Some(gap.count),
        _ => None,
    });
    Ok(lost.sum())
}

/// The processes of a run with their children.
struct Tree<'p> {
    processes: &'p ProcessTable,
    children: HashMap<ProcessId, Vec<ProcessId>>,
}

impl<'p> Tree<'p> {
    fn new(processes: &'p ProcessTable) -> Self {
        let mut children: HashMap<ProcessId, Vec<ProcessId>> = HashMap::new();
        for process in processes.iter() {
            if let Some(parent) = process.started.parent {
                children.entry(parent).or_default().push(process.id);
            }
        }
        Self { processes, children }
    }

    /// Ancestors of a process inside the run, nearest first.
    fn ancestors(&self, process: &Process) -> impl Iterator<Item = ProcessId> {
        self.processes.lineage(&process.id).into_iter().skip(1).map(|ancestor| ancestor.id)
    }

    /// A process and everything below it. A damaged log could hold a circle: none is counted twice.
    fn subtree(&self, root: ProcessId) -> Vec<ProcessId> {
        let mut seen = HashSet::from([root]);
        let mut found = vec![root];
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            next += 1;
            for child in self.children.get(&id).into_iter().flatten() {
                if seen.insert(*child) {
                    found.push(*child);
                }
            }
        }
        found
    }
}
