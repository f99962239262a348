//! Everything near a target: the whole chain of causes, and what followed from it down to a depth.

use super::edge::{Edge, EdgeKind, Side, Sighting, file_node};
use super::judged::judgement_edge;
use super::target::event_node;
use crate::diff::{rollout_id, snapshot_id};
use crate::error::GraphError;
use crate::observe::seqs_of_type;
use crate::processes::{Process, ProcessTable};
use crate::scope_context::{Scope, Scopes};
use crate::tool_calls::ToolCalls;
use crate::versions::Version;
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{
    Access, AttemptNo, EventId, EventTime, EventType, Fact, FileState, Lane, OsBytes, ProcessId, What,
};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Facts taken into one explanation; a target with more says how many were left out.
pub(super) const MOST_FACTS: usize = 1_000;

/// Nodes and edges near a target.
pub(super) struct Neighbourhood<'a> {
    pub(super) reader: &'a Reader,
    pub(super) run: &'a RunRow,
    pub(super) scopes: &'a Scopes,
    pub(super) processes: &'a ProcessTable,
    pub(super) tool_calls: &'a ToolCalls,
    children: HashMap<ProcessId, Vec<ProcessId>>,
    edges: BTreeMap<(String, String, EdgeKind), Edge>,
    /// Facts by sequence.
    pub(super) facts: BTreeMap<Seq, Fact>,
    /// Processes that the explanation speaks of.
    pub(super) actors: BTreeSet<ProcessId>,
    /// Processes whose causes are drawn already.
    traced: BTreeSet<ProcessId>,
    /// Attempts that it speaks of.
    pub(super) attempts: BTreeSet<AttemptNo>,
    /// Something lies beyond the depth.
    pub(super) frontier_hit: bool,
    /// Facts that were left out.
    pub(super) facts_left_out: u64,
}

impl<'a> Neighbourhood<'a> {
    pub(super) fn new(
        reader: &'a Reader,
        run: &'a RunRow,
        scopes: &'a Scopes,
        processes: &'a ProcessTable,
        tool_calls: &'a ToolCalls,
    ) -> Self {
        let mut children: HashMap<ProcessId, Vec<ProcessId>> = HashMap::new();
        for process in processes.iter() {
            if let Some(parent) = process.started.parent {
                children.entry(parent).or_default().push(process.id);
            }
        }
        Self {
            reader,
            run,
            scopes,
            processes,
            tool_calls,
            children,
            edges: BTreeMap::new(),
            facts: BTreeMap::new(),
            actors: BTreeSet::new(),
            traced: BTreeSet::new(),
            attempts: BTreeSet::new(),
            frontier_hit: false,
            facts_left_out: 0,
        }
    }

    /// Edges in order: causes first, then by event time, kind and ends.
    pub(super) fn into_edges(self) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self.edges.into_values().collect();
        edges.sort_by(|a, b| {
            let key = |edge: &Edge| (edge.side, edge.at, edge.edge_type);
            key(a).cmp(&key(b)).then_with(|| (&a.from_id, &a.to_id).cmp(&(&b.from_id, &b.to_id)))
        });
        edges
    }

    pub(super) fn see(&mut self, side: Side, seen: Sighting) {
        let Sighting { kind, from, to, at, event, access } = seen;
        let edge = Edge {
            run_id: self.run.id.to_string(),
            rollout_id: rollout_id(self.run),
            from_id: from.clone(),
            to_id: to.clone(),
            edge_type: kind,
            source_event_id: event.map(|event| event.to_string()).unwrap_or_default(),
            created_at: at.to_rfc3339(),
            side,
            access,
            count: 0,
            at,
        };
        let known = self.edges.entry((from, to, kind)).or_insert(edge);
        known.count += 1;
        known.side = known.side.min(side);
    }

    fn see_plain(&mut self, side: Side, kind: EdgeKind, from: impl Into<String>, to: impl Into<String>, at: EventTime) {
        self.see(side, Sighting { kind, from: from.into(), to: to.into(), at, event: None, access: None });
    }

    // --- towards the causes ---

    pub(super) fn causes_of_attempt(&mut self, attempt: AttemptNo) {
        let scopes = self.scopes;
        let (Some(scope), true) = (scopes.of(attempt), self.attempts.insert(attempt)) else { return };
        let (id, at) = (scope.attempt.started.attempt_id.as_str(), scope.attempt.started_at);
        self.see_plain(Side::Upstream, EdgeKind::RolloutAttempt, rollout_id(self.run), id, at);
        self.see_plain(Side::Upstream, EdgeKind::SnapshotAttempt, snapshot_id(&scope.attempt), id, at);
    }

    pub(super) fn causes_of_tool_call(&mut self, attempt: AttemptNo) {
        let scopes = self.scopes;
        let Some(scope) = scopes.of(attempt) else { return };
        self.causes_of_attempt(attempt);
        self.attempt_to_tool_call(Side::Upstream, scope);
    }

    fn attempt_to_tool_call(&mut self, side: Side, scope: &Scope) {
        let started = &scope.attempt.started;
        let (attempt, tool_call) = (started.attempt_id.as_str(), started.tool_call_id.as_str());
        self.see_plain(side, EdgeKind::AttemptToolCall, attempt, tool_call, scope.attempt.started_at);
    }

    /// The chain of parents up to the root, its tool call and the run.
    pub(super) fn causes_of_process(&mut self, id: ProcessId, attempt: AttemptNo) {
        let processes = self.processes;
        let chain = processes.lineage(&id);
        let attempt = chain.first().map_or(attempt, |process| process.attempt);
        for process in &chain {
            self.actors.insert(process.id);
            if !self.traced.insert(process.id) {
                break;
            }
            if let Some(parent) = process.started.parent.filter(|parent| processes.find(parent).is_some()) {
                self.child_of(Side::Upstream, process, parent);
            }
            self.tool_call_to_process(Side::Upstream, process);
        }
        self.causes_of_tool_call(attempt);
    }

    fn child_of(&mut self, side: Side, process: &Process, parent: ProcessId) {
        self.see(
            side,
            Sighting {
                kind: EdgeKind::RuntimeProcessChildOf,
                from: process.id.to_string(),
                to: parent.to_string(),
                at: process.started_at,
                event: Some(process.started_event),
                access: None,
            },
        );
    }

    fn tool_call_to_process(&mut self, side: Side, process: &Process) {
        let scopes = self.scopes;
        let Some(scope) = scopes.of(process.attempt) else { return };
        let kind = if process.root { EdgeKind::ToolCallProcess } else { EdgeKind::RuntimeToolCallProcess };
        self.see(
            side,
            Sighting {
                kind,
                from: scope.attempt.started.tool_call_id.to_string(),
                to: process.id.to_string(),
                at: process.started_at,
                event: Some(process.started_event),
                access: None,
            },
        );
    }

    pub(super) fn causes_of_event(&mut self, seq: Seq, fact: &Fact) {
        self.actor_to_event(Side::Upstream, fact);
        match fact.process {
            Some(process) => self.causes_of_process(process, fact.attempt),
            None => self.causes_of_tool_call(fact.attempt),
        }
        self.facts.insert(seq, fact.clone());
    }

    fn actor_to_event(&mut self, side: Side, fact: &Fact) {
        let scopes = self.scopes;
        let tool_call = || scopes.of(fact.attempt).map(|scope| scope.attempt.started.tool_call_id.to_string());
        let (kind, from) = match fact.process {
            Some(process) => (EdgeKind::RuntimeProcessEvent, Some(process.to_string())),
            None => (EdgeKind::RuntimeToolCallEvent, tool_call()),
        };
        if let Some(from) = from {
            let to = event_node(&fact.id);
            self.see(side, Sighting { kind, from, to, at: fact.at, event: Some(fact.id), access: None });
        }
    }

    /// Each version's event, its writers, and their causes.
    pub(super) fn causes_of_versions(&mut self, versions: &[Version]) -> Result<(), GraphError> {
        self.facts_left_out += versions.len().saturating_sub(MOST_FACTS) as u64;
        let newest = &versions[versions.len().saturating_sub(MOST_FACTS)..];
        for version in newest {
            let fact = self.reader.fact(self.run.no, version.seq)?;
            self.causes_of_event(version.seq, &fact);
            self.event_to_files(Side::Upstream, &fact);
            for writer in &version.writers {
                self.causes_of_process(*writer, version.attempt);
            }
            self.version_holders(Side::Upstream, version);
        }
        Ok(())
    }

    /// Writers, tool call and attempt of a version point to its file.
    fn version_holders(&mut self, side: Side, version: &Version) {
        let scopes = self.scopes;
        let file = file_node(version.workspace_path.as_ref(), &version.path);
        let mut holders: Vec<(EdgeKind, String)> =
            version.writers.iter().map(|writer| (EdgeKind::RuntimeProcessFile, writer.to_string())).collect();
        if let Some(scope) = scopes.of(version.attempt) {
            let started = &scope.attempt.started;
            holders.push((EdgeKind::RuntimeToolCallFile, started.tool_call_id.to_string()));
            holders.push((EdgeKind::RuntimeAttemptFile, started.attempt_id.to_string()));
        }
        for (kind, from) in holders {
            let to = file.clone();
            let access = Some("write");
            self.see(side, Sighting { kind, from, to, at: version.at, event: Some(version.event), access });
        }
    }

    fn event_to_files(&mut self, side: Side, fact: &Fact) {
        let scopes = self.scopes;
        let workspace = scopes.of(fact.attempt).map(|scope| &scope.attempt.started.workspace);
        for (path, access) in touched_files(fact) {
            let relative = workspace.and_then(|workspace| below(workspace, path));
            self.see(
                side,
                Sighting {
                    kind: EdgeKind::RuntimeEventFile,
                    from: event_node(&fact.id),
                    to: file_node(relative.as_ref(), path),
                    at: fact.at,
                    event: Some(fact.id),
                    access: Some(access),
                },
            );
        }
    }

    // --- towards the effects ---

    pub(super) fn effects_of_attempt(&mut self, attempt: AttemptNo, depth: u32) -> Result<(), GraphError> {
        let scopes = self.scopes;
        let Some(scope) = scopes.of(attempt) else { return Ok(()) };
        if !self.may_go_on(depth, true) {
            return Ok(());
        }
        let started = &scope.attempt.started;
        let at = scope.attempt.started_at;
        self.attempt_to_tool_call(Side::Downstream, scope);
        let session = started.session_id.as_str();
        self.see_plain(Side::Downstream, EdgeKind::AttemptSession, started.attempt_id.as_str(), session, at);
        self.effects_of_tool_call(attempt, depth - 1)
    }

    pub(super) fn effects_of_tool_call(&mut self, attempt: AttemptNo, depth: u32) -> Result<(), GraphError> {
        let scopes = self.scopes;
        let Some(scope) = scopes.of(attempt) else { return Ok(()) };
        let processes = self.processes;
        let own: Vec<&Process> = processes.iter().filter(|process| process.attempt == attempt).collect();
        if !self.may_go_on(depth, !own.is_empty()) {
            return Ok(());
        }
        let started = &scope.attempt.started;
        let (tool_call, session) = (started.tool_call_id.as_str(), started.session_id.as_str());
        self.see_plain(Side::Downstream, EdgeKind::ToolCallSession, tool_call, session, scope.attempt.started_at);
        self.files_of_attempt(attempt)?;
        for process in own {
            self.tool_call_to_process(Side::Downstream, process);
            self.effects_of_process(process.id, depth - 1)?;
        }
        Ok(())
    }

    /// Files that were written in an attempt: one hop from its tool call, whatever lies between.
    fn files_of_attempt(&mut self, attempt: AttemptNo) -> Result<(), GraphError> {
        let seqs = seqs_of_type(self.reader, self.run, EventType::FileWrite)?;
        for (place, seq) in seqs.iter().copied().enumerate() {
            if place == MOST_FACTS {
                self.frontier_hit = true;
                self.facts_left_out += (seqs.len() - place) as u64;
                break;
            }
            let fact = self.reader.fact(self.run.no, seq)?;
            if fact.attempt == attempt
                && let Some(version) = Version::from_fact(seq, fact)
            {
                self.version_holders(Side::Downstream, &version);
            }
        }
        Ok(())
    }

    pub(super) fn effects_of_process(&mut self, id: ProcessId, depth: u32) -> Result<(), GraphError> {
        let seqs = self.reader.postings(self.run.no, IndexKey { kind: KeyKind::Process, value: id.as_bytes() })?;
        self.actors.insert(id);
        if !self.may_go_on(depth, !seqs.is_empty()) {
            return Ok(());
        }
        let processes = self.processes;
        if let Some(process) = processes.find(&id) {
            self.see(
                Side::Downstream,
                Sighting {
                    kind: EdgeKind::RuntimeProcessObserved,
                    from: id.to_string(),
                    to: format!("runtime_process/pid/{}", process.started.pid),
                    at: process.started_at,
                    event: Some(process.started_event),
                    access: None,
                },
            );
        }
        for (place, seq) in seqs.iter().copied().enumerate() {
            if self.facts.len() >= MOST_FACTS {
                self.frontier_hit = true;
                self.facts_left_out += (seqs.len() - place) as u64;
                break;
            }
            let fact = self.reader.fact(self.run.no, seq)?;
            if fact.process == Some(id) && fact.lane() == Lane::RuntimeTelemetry {
                self.actor_to_event(Side::Downstream, &fact);
                self.effects_of_event(seq, &fact, depth - 1);
            }
        }
        for child in self.children.get(&id).cloned().unwrap_or_default() {
            if let Some(process) = processes.find(&child) {
                self.child_of(Side::Downstream, process, id);
                self.effects_of_process(child, depth - 1)?;
            }
        }
        Ok(())
    }

    pub(super) fn effects_of_event(&mut self, seq: Seq, fact: &Fact, depth: u32) {
        if self.may_go_on(depth, !touched_files(fact).is_empty()) {
            self.event_to_files(Side::Downstream, fact);
            if let Some(version) = Version::from_fact(seq, fact.clone()) {
                self.version_holders(Side::Downstream, &version);
            }
        }
        self.facts.insert(seq, fact.clone());
    }

    /// What rules made of an event.
    pub(super) fn judgements_of(&mut self, event: EventId) -> Result<(), GraphError> {
        for seq in seqs_of_type(self.reader, self.run, EventType::PolicyDecision)? {
            let fact = self.reader.fact(self.run.no, seq)?;
            if matches!(&fact.what, What::Decision(decision) if decision.event == event) {
                self.take_judgement(Side::Downstream, &(seq, fact));
            }
        }
        Ok(())
    }

    /// A fact of a decision, a risk or a response, and its edge.
    pub(super) fn take_judgement(&mut self, side: Side, (seq, fact): &(Seq, Fact)) {
        if let Some(edge) = judgement_edge(fact) {
            self.see(side, edge);
        }
        self.facts.insert(*seq, fact.clone());
    }

    /// Who else opened the file.
    pub(super) fn uses_of_file(&mut self, path: &OsBytes, depth: u32) -> Result<(), GraphError> {
        let seqs = self.reader.postings(self.run.no, IndexKey { kind: KeyKind::Path, value: path.as_bytes() })?;
        if !self.may_go_on(depth, !seqs.is_empty()) {
            return Ok(());
        }
        for (place, seq) in seqs.iter().copied().enumerate() {
            if self.facts.len() >= MOST_FACTS {
                self.frontier_hit = true;
                self.facts_left_out += (seqs.len() - place) as u64;
                break;
            }
            let fact = self.reader.fact(self.run.no, seq)?;
            if touched_files(&fact).iter().any(|(touched, _)| *touched == path)
                && fact.event_type() != EventType::FileWrite
            {
                self.actor_to_event(Side::Downstream, &fact);
                self.event_to_files(Side::Downstream, &fact);
                self.actors.extend(fact.process);
                self.facts.insert(seq, fact);
            }
        }
        Ok(())
    }

    /// False at the end of the depth; it is remembered that something lay beyond.
    fn may_go_on(&mut self, depth: u32, more: bool) -> bool {
        self.frontier_hit |= depth == 0 && more;
        depth > 0
    }
}

/// Files that a fact touched, and how.
fn touched_files(fact: &Fact) -> Vec<(&OsBytes, &'static str)> {
    match &fact.what {
        What::FileOpened(open) => {
            let access = match open.access {
                Access::Read => "read",
                Access::Write => "open_write",
                Access::ReadWrite => "open_read_write",
                Access::Path => "look_up",
            };
            vec![(&open.path, access)]
        }
        What::FileVersion(version) if version.after == FileState::Missing => vec![(&version.path, "remove")],
        What::FileVersion(version) => vec![(&version.path, "write")],
        What::FileChanged(change) if change.op == agentprov_model::FileOp::Symlink => vec![(&change.path, "link")],
        What::FileChanged(change) => {
            let second = change.path2.as_ref().map(|path| (path, "change"));
            std::iter::once((&change.path, "change")).chain(second).collect()
        }
        _ => Vec::new(),
    }
}

fn below(workspace: &OsBytes, path: &OsBytes) -> Option<OsBytes> {
    let rest = path.as_bytes().strip_prefix(workspace.as_bytes())?;
    rest.strip_prefix(b"/").map(OsBytes::from)
}
