//! Processes to calls: the ladder for everything that runs below an agent.
//!
//! First every process below an agent whose command is a declared one becomes a *root*, its subtree the root's. Then roots
//! and calls are paired: by windows, and where a window holds several equal ones by elimination; what is left over is
//! ambiguous. Then bindings go down the tree, whenever the work happens.

use super::binding::{Binding, BindingState, CallNo, Rung};
use super::calls::Call;
use super::scaffolding::{self, HOOK, MCP_SERVER, NO_PROGRAM};
use super::servers::Servers;
use super::traces::Named;
use super::{Tree, agents};
use crate::processes::{Exec, Process};
use agentprov_model::declared::{CallStatus, CommandDigest, LAUNCH_NAME, LAUNCH_WRAPPER, ToolClass, ToolInput};
use agentprov_model::{EventId, ProcessId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Rounds of elimination: each pairs at least one root.
const MOST_ROUNDS: usize = 10_000;

/// A process whose command is a declared one.
struct Root<'t> {
    process: &'t Process,
    exec: &'t Exec,
    wrapper: bool,
    candidates: Vec<CallNo>,
    /// Other calls with this command have their processes by trace context.
    narrowed: bool,
    /// What its trace context names.
    named: Option<&'t Named>,
}

/// Calls by the command that they declare.
type ByDigest = HashMap<CommandDigest, Vec<CallNo>>;

/// What is known when processes are bound.
pub(super) struct Ladder<'t> {
    pub(super) tree: &'t Tree<'t>,
    pub(super) calls: &'t [Call],
    /// Processes of agents.
    pub(super) agents: &'t BTreeSet<ProcessId>,
    /// Processes that carried messages.
    pub(super) carriers: &'t HashSet<ProcessId>,
    /// Processes that wrote files of the workspace or reached the network: no scaffolding does.
    pub(super) active: &'t HashSet<ProcessId>,
    /// Processes that got trace context of calls.
    pub(super) traced: &'t HashMap<ProcessId, Named>,
    /// Servers that agents talk to through relays.
    pub(super) servers: &'t Servers<'t>,
}

impl<'t> Ladder<'t> {
    /// A binding for every process below an agent, agents included.
    pub(super) fn bind(&self) -> HashMap<ProcessId, Binding> {
        let roots = self.roots();
        let paired = self.pair(&roots);
        let carried = self.carried(&paired);
        let mut bindings: HashMap<ProcessId, Binding> = HashMap::new();
        for process in self.tree.processes.iter() {
            if let Some(binding) = self.one(process, &paired, &carried, &bindings) {
                bindings.insert(process.id, binding);
            }
        }
        bindings
    }

    // --- roots ---

    /// From the top down; below a root nothing else is a root, for its children run what the command says.
    fn roots(&self) -> Vec<Root<'t>> {
        let mut by_digest = ByDigest::new();
        for (no, call) in self.calls.iter().enumerate() {
            if let ToolInput::Shell(shell) = &call.input {
                by_digest.entry(shell.digest).or_default().push(no);
            }
        }
        let claimed = self.claimed(&by_digest);
        let mut roots = Vec::new();
        let mut below: HashMap<ProcessId, ProcessId> = HashMap::new();
        for process in self.tree.processes.iter() {
            let parent = process.started.parent;
            let above = parent.and_then(|parent| below.get(&parent).copied());
            // A nested agent has calls of its own.
            let covered = above.filter(|_| parent.is_none_or(|parent| !self.agents.contains(&parent)));
            if let Some(root) = covered {
                below.insert(process.id, root);
                continue;
            }
            if let Some(root) = self.root(process, &by_digest, &claimed) {
                // A shell that an agent keeps has the trace context of the first call that it runs, and commands of others.
                if root.named.is_none() || !self.of_command(process, &by_digest).is_empty() {
                    below.insert(process.id, process.id);
                }
                roots.push(root);
            }
        }
        roots
    }

    /// Calls that have a process by trace context which runs their command: no other process is theirs.
    fn claimed(&self, by_digest: &ByDigest) -> HashSet<CallNo> {
        let mut claimed = HashSet::new();
        for process in self.tree.processes.iter() {
            let Some(named) = self.traced.get(&process.id).filter(|named| named.calls.len() == 1) else { continue };
            let equal = self.of_command(process, by_digest);
            claimed.extend(equal.into_iter().filter(|call| named.calls.contains(call)));
        }
        claimed
    }

    /// The calls whose command a process runs, at whatever time.
    fn of_command(&self, process: &Process, by_digest: &ByDigest) -> BTreeSet<CallNo> {
        let digests = process.execs.iter().flat_map(|exec| &exec.exec.commands);
        digests.filter_map(|digest| by_digest.get(digest)).flatten().copied().collect()
    }

    fn root(&self, process: &'t Process, by_digest: &ByDigest, claimed: &HashSet<CallNo>) -> Option<Root<'t>> {
        let Some(named) = self.traced.get(&process.id) else {
            let mut root = self.root_by_command(process, by_digest)?;
            let equal = root.candidates.len();
            root.candidates.retain(|call| !claimed.contains(call));
            root.narrowed = root.candidates.len() < equal;
            return (!root.candidates.is_empty()).then_some(root);
        };
        let mut root = self.root_by_command(process, by_digest).or_else(|| {
            let exec = process.execs.iter().find(|exec| exec.exec.trace.is_some())?;
            Some(Root { process, exec, wrapper: false, candidates: Vec::new(), narrowed: false, named: None })
        })?;
        let both: Vec<CallNo> = root.candidates.iter().copied().filter(|call| named.calls.contains(call)).collect();
        // Where command and trace context name different calls, both are candidates.
        root.candidates = match both.is_empty() {
            true => named.calls.iter().copied().chain(root.candidates).collect(),
            false => both,
        };
        root.candidates.sort_unstable();
        root.named = Some(named);
        Some(root)
    }

    fn root_by_command(&self, process: &'t Process, by_digest: &ByDigest) -> Option<Root<'t>> {
        let lineage: HashSet<ProcessId> = self.tree.ancestors(process).collect();
        for exec in &process.execs {
            let equal = exec.exec.commands.iter().filter_map(|digest| by_digest.get(digest)).flatten();
            let fits = |no: &&CallNo| {
                let call = &self.calls[**no];
                call.agent_process.is_some_and(|agent| lineage.contains(&agent)) && call.window.holds(exec.at)
            };
            let mut candidates: Vec<CallNo> = equal.filter(fits).copied().collect();
            candidates.sort_unstable();
            candidates.dedup();
            if !candidates.is_empty() {
                let wrapper = process.execs.iter().any(is_wrapper);
                return Some(Root { process, exec, wrapper, candidates, narrowed: false, named: None });
            }
        }
        None
    }

    // --- pairing ---

    /// Pairs roots with calls. A call has one root: a second process with the same command in its window makes both
    /// ambiguous, for one of them nobody declared.
    fn pair(&self, roots: &[Root<'_>]) -> HashMap<ProcessId, Binding> {
        let mut paired = HashMap::new();
        let (named, unnamed): (Vec<usize>, Vec<usize>) =
            (0..roots.len()).partition(|place| roots[*place].named.is_some());
        for place in named {
            paired.insert(roots[place].process.id, self.by_trace(&roots[place]));
        }
        for group in groups(roots, unnamed) {
            self.pair_group(roots, &group, &mut paired);
        }
        paired
    }

    /// Trace context says whose a process is: any number of them can be of one call.
    fn by_trace(&self, root: &Root<'_>) -> Binding {
        let mut evidence = self.evidence(root, &root.candidates);
        evidence.extend(root.named.iter().flat_map(|named| &named.told));
        let mut seen = HashSet::new();
        evidence.retain(|event| seen.insert(*event));
        let rung = if root.wrapper { Rung::LaunchWrapper } else { Rung::TraceContext };
        match root.candidates.as_slice() {
            [call] => Binding::bound(rung, *call, evidence, "the trace context in its environment is the call's span"),
            several => {
                let why = "trace context and command do not name one and the same call";
                Binding::ambiguous(Rung::TraceContext, several.to_vec(), evidence, why)
            }
        }
    }

    fn pair_group(&self, roots: &[Root<'_>], group: &[usize], paired: &mut HashMap<ProcessId, Binding>) {
        let calls: BTreeSet<CallNo> = group.iter().flat_map(|place| &roots[*place].candidates).copied().collect();
        let mut open: BTreeMap<usize, Vec<CallNo>> =
            group.iter().map(|place| (*place, roots[*place].candidates.clone())).collect();
        let surplus = group.len() > calls.len();
        // With more processes than calls one was not declared, and elimination would give its place away.
        for _ in 0..MOST_ROUNDS {
            if surplus {
                break;
            }
            let Some((place, call)) = single(&open) else { break };
            open.remove(&place);
            open.values_mut().for_each(|candidates| candidates.retain(|other| *other != call));
            let root = &roots[place];
            let by_elimination = root.narrowed || root.candidates.len() > 1;
            paired.insert(root.process.id, self.bound(root, call, by_elimination));
        }
        for (place, left) in &open {
            let root = &roots[*place];
            let candidates = if left.is_empty() { &root.candidates } else { left };
            let why = match surplus {
                true => "several processes ran the declared command in the call's window; one of them nobody declared",
                false => "several calls with the same command were open when it ran",
            };
            let evidence = self.evidence(root, candidates);
            let mut binding = Binding::ambiguous(rung(root), candidates.clone(), evidence, why);
            binding.surplus = surplus;
            paired.insert(root.process.id, binding);
        }
    }

    fn bound(&self, root: &Root<'_>, call: CallNo, by_elimination: bool) -> Binding {
        let why = match (root.wrapper, by_elimination) {
            (true, false) => "the launch wrapper ran the call's line, in its window",
            (false, false) => "its command is the call's, in the call's window, below the agent",
            (_, true) => "its command is the call's, and the other calls with that command have their processes",
        };
        let mut binding = Binding::bound(rung(root), call, self.evidence(root, &[call]), why);
        if by_elimination {
            binding.confidence = 900;
        }
        binding
    }

    fn evidence(&self, root: &Root<'_>, calls: &[CallNo]) -> Vec<EventId> {
        let told = calls.iter().filter_map(|no| self.calls[*no].started.or(self.calls[*no].ended));
        std::iter::once(root.exec.event).chain(told.map(|told| told.event)).collect()
    }

    // --- down the tree ---

    /// Processes between an agent and roots, such as a sandbox: bound where all roots below are of one call.
    fn carried(&self, paired: &HashMap<ProcessId, Binding>) -> HashMap<ProcessId, Vec<CallNo>> {
        let mut carried: HashMap<ProcessId, Vec<CallNo>> = HashMap::new();
        for (root, binding) in paired {
            let Some(process) = self.tree.processes.find(root) else { continue };
            for ancestor in self.tree.ancestors(process).take_while(|ancestor| !self.agents.contains(ancestor)) {
                carried.entry(ancestor).or_default().extend(&binding.calls);
            }
        }
        for calls in carried.values_mut() {
            calls.sort_unstable();
            calls.dedup();
        }
        carried
    }

    fn one(
        &self,
        process: &Process,
        paired: &HashMap<ProcessId, Binding>,
        carried: &HashMap<ProcessId, Vec<CallNo>>,
        known: &HashMap<ProcessId, Binding>,
    ) -> Option<Binding> {
        let born = process.started_event;
        if self.carriers.contains(&process.id) {
            return Some(Binding::scaffolding(HOOK, vec![born]));
        }
        if let Some(binding) = paired.get(&process.id) {
            return Some(binding.clone());
        }
        let parent = process.started.parent.and_then(|parent| known.get(&parent));
        let below_agent = process.started.parent.is_some_and(|parent| self.agents.contains(&parent));
        if self.agents.contains(&process.id) {
            // A nested agent is a process of the call that started it.
            let outer = parent.filter(|binding| binding.has_calls());
            return Some(outer.map_or_else(|| Binding::agent(vec![born]), |outer| outer.inherited(born)));
        }
        let parent = parent?;
        if let Some(binding) = self.servers.started(process, parent) {
            return Some(binding);
        }
        if !below_agent && parent.state != BindingState::Unattributed {
            return Some(parent.inherited(born));
        }
        if let Some(calls) = carried.get(&process.id) {
            let why = "processes of the call run below it";
            return Some(match calls.as_slice() {
                [call] => Binding::bound(Rung::Lineage, *call, vec![born], why),
                _ => Binding::ambiguous(
                    Rung::Lineage,
                    calls.clone(),
                    vec![born],
                    "processes of several calls run below it",
                ),
            });
        }
        // Unattributed work stays so: its parent is shown as the one that nobody declared.
        if !below_agent {
            return Some(parent.inherited(born));
        }
        Some(self.child_of_agent(process, parent))
    }

    /// A child of an agent whose command no call declares.
    fn child_of_agent(&self, process: &Process, parent: &Binding) -> Binding {
        if self.servers.leads(&process.id) {
            return Binding::scaffolding(MCP_SERVER, vec![process.started_event]);
        }
        if let Some(binding) = self.by_window(process) {
            return binding;
        }
        if let Some(binding) = self.scaffolding(process) {
            return binding;
        }
        if let Some(binding) = self.perhaps(process) {
            return binding;
        }
        if parent.has_calls() {
            return parent.inherited(process.started_event);
        }
        let evidence = vec![process.execs.first().map_or(process.started_event, |exec| exec.event)];
        Binding::unattributed(evidence, "the agent started it, and no call declares it")
    }

    /// Searches that run as programs, and shell calls whose command was too long to compare.
    fn by_window(&self, process: &Process) -> Option<Binding> {
        let cut = process.execs.iter().any(|exec| exec.exec.argv_cut.is_some());
        let searches = self.is_search(process);
        let open = self.open(process, |call| match call.class {
            ToolClass::Search => searches,
            ToolClass::Shell => cut,
            _ => false,
        });
        let evidence = self.window_evidence(process, &open);
        match open.as_slice() {
            [] => None,
            [call] => {
                let why = "the only open call that can have started it, when the agent did";
                Some(Binding::bound(Rung::ProcessWindow, *call, evidence, why))
            }
            _ => {
                let why = "several calls that can have started it were open when the agent did";
                Some(Binding::ambiguous(Rung::ProcessWindow, open, evidence, why))
            }
        }
    }

    /// Calls of tools that nobody knows: they may have started it, or the agent did so for itself.
    fn perhaps(&self, process: &Process) -> Option<Binding> {
        let open = self.open(process, |call| call.class == ToolClass::Other);
        let evidence = self.window_evidence(process, &open);
        let why = "a call of a tool that is not known was open when the agent started it";
        (!open.is_empty()).then(|| Binding::ambiguous(Rung::ProcessWindow, open, evidence, why))
    }

    /// Calls of the process's parent that are open when it starts.
    fn open(&self, process: &Process, kind: impl Fn(&Call) -> bool) -> Vec<CallNo> {
        let fits = |call: &Call| {
            call.agent_process.is_some()
                && call.agent_process == process.started.parent
                && call.window.holds(process.started_at)
                && call.status != Some(CallStatus::Denied)
                && kind(call)
        };
        self.calls.iter().enumerate().filter(|(_, call)| fits(call)).map(|(no, _)| no).collect()
    }

    /// A search engine, or the agent's own program under another name: agents carry their engine inside.
    fn is_search(&self, process: &Process) -> bool {
        let Some(exec) = process.execs.first() else { return false };
        let engine = scaffolding::of_command(&exec.exec.argv).is_some_and(|rule| rule.id == "search_engine");
        let agent = process.started.parent.and_then(|parent| self.tree.processes.find(&parent));
        let own = agent.and_then(|agent| agent.execs.last()).and_then(|last| last.exec.exe.as_ref());
        let named_otherwise = agent.and_then(Process::argv).and_then(<[_]>::first) != exec.exec.argv.first();
        engine || own.is_some() && own == exec.exec.exe.as_ref() && named_otherwise
    }

    fn window_evidence(&self, process: &Process, calls: &[CallNo]) -> Vec<EventId> {
        let told = calls.iter().filter_map(|no| self.calls[*no].started.or(self.calls[*no].ended));
        let born = process.execs.first().map_or(process.started_event, |exec| exec.event);
        std::iter::once(born).chain(told.map(|told| told.event)).collect()
    }

    fn scaffolding(&self, process: &Process) -> Option<Binding> {
        let subtree = self.tree.subtree(process.id);
        let born = process.started_event;
        let Some(exec) = process.execs.first() else {
            let idle = subtree.iter().all(|id| {
                self.carriers.contains(id)
                    || !self.active.contains(id) && self.tree.processes.find(id).is_some_and(|p| p.execs.is_empty())
            });
            return idle.then(|| Binding::scaffolding(NO_PROGRAM, vec![born]));
        };
        if agents::starts_a_hook(&exec.exec.argv) && subtree.iter().any(|id| self.carriers.contains(id)) {
            return Some(Binding::scaffolding(HOOK, vec![exec.event]));
        }
        let rule = scaffolding::of_command(&exec.exec.argv)?;
        // Whatever it is called: what changes the workspace or reaches out is a deed.
        let quiet = subtree.iter().all(|id| !self.active.contains(id));
        (quiet || rule.id == HOOK.id).then(|| Binding::scaffolding(rule, vec![exec.event]))
    }
}

fn rung(root: &Root<'_>) -> Rung {
    if root.wrapper { Rung::LaunchWrapper } else { Rung::UniqueCommand }
}

fn is_wrapper(exec: &Exec) -> bool {
    let argv = &exec.exec.argv;
    let program = argv.first().and_then(|word| word.as_str()).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    let told = argv.get(1).is_some_and(|word| word.as_bytes() == LAUNCH_WRAPPER.as_bytes());
    name == LAUNCH_NAME || name == "agentprov" && told
}

/// Roots that share candidates, directly or through others.
fn groups(roots: &[Root<'_>], places: Vec<usize>) -> Vec<Vec<usize>> {
    let mut group_of_call: HashMap<CallNo, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for place in places {
        let root = &roots[place];
        let mut joined: BTreeSet<usize> =
            root.candidates.iter().filter_map(|call| group_of_call.get(call).copied()).collect();
        let target = joined.pop_first().unwrap_or_else(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        for other in joined {
            let members = std::mem::take(&mut groups[other]);
            groups[target].extend(members);
            group_of_call.values_mut().filter(|group| **group == other).for_each(|group| *group = target);
        }
        groups[target].push(place);
        root.candidates.iter().for_each(|call| {
            group_of_call.insert(*call, target);
        });
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// A root with one candidate left that no other root has as its only one.
fn single(open: &BTreeMap<usize, Vec<CallNo>>) -> Option<(usize, CallNo)> {
    open.iter().find_map(|(place, candidates)| match candidates.as_slice() {
        [call] => {
            let contested = open.iter().any(|(other, theirs)| other != place && theirs.as_slice() == [*call]);
            (!contested).then_some((*place, *call))
        }
        _ => None,
    })
}
