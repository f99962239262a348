//! Files and connections to calls: by the process that did it, and where the agent did it itself, by path and content.

use super::binding::{Binding, BindingState, CallNo, Rung};
use super::calls::Call;
use super::effects::{Deed, Effect};
use super::scaffolding::{self, AGENT_CONNECTION, AGENT_FILE, INHERITED_OUTPUT, MCP_SERVER};
use super::servers::Servers;
use crate::error::GraphError;
use agentprov_model::declared::{ToolClass, ToolInput};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{ContentId, EventId, EventTime, OsBytes, ProcessId, SessionId, VersionCause, What};
use agentprov_store::{Reader, RunRow};
use std::collections::{BTreeSet, HashMap};

/// What is known when effects are bound.
pub(super) struct Desk<'d> {
    pub(super) reader: &'d Reader,
    pub(super) run: &'d RunRow,
    pub(super) calls: &'d [Call],
    pub(super) bound: &'d HashMap<ProcessId, Binding>,
    pub(super) servers: &'d Servers<'d>,
    /// Sessions by the processes that were their agent.
    pub(super) sessions_of: &'d HashMap<ProcessId, BTreeSet<Option<SessionId>>>,
    /// Files that the attempts of the run were given open for writing.
    pub(super) given_files: &'d BTreeSet<OsBytes>,
}

impl Desk<'_> {
    pub(super) fn bind(&self, mut deeds: Vec<Effect>) -> Result<Vec<Effect>, GraphError> {
        let renamed = renames(&deeds);
        for effect in &mut deeds {
            effect.binding = self.one(effect, &renamed)?;
        }
        Ok(deeds)
    }

    fn one(&self, effect: &Effect, renamed: &Renames) -> Result<Option<Binding>, GraphError> {
        let of_writers: Vec<(ProcessId, &Binding)> =
            effect.processes.iter().filter_map(|id| Some((*id, self.bound.get(id)?))).collect();
        if let [(process, binding)] = of_writers.as_slice()
            && let Some(binding) = self.served(effect, process, binding)?
        {
            return Ok(Some(binding));
        }
        let is_agent = |id: &ProcessId| self.sessions_of.contains_key(id);
        // What processes of calls did is theirs, whoever else had the file open.
        let of_calls: Vec<&Binding> =
            of_writers.iter().filter(|(id, binding)| binding.has_calls() && !is_agent(id)).map(|(_, b)| *b).collect();
        match of_calls.as_slice() {
            [] => {}
            [binding] if of_writers.len() == 1 => return Ok(Some(binding.inherited(effect.event))),
            several => return Ok(Some(self.shared(effect, several, of_writers.len()))),
        }
        let agents: Vec<ProcessId> = of_writers.iter().map(|(id, _)| *id).filter(is_agent).collect();
        if agents.is_empty() {
            return Ok(of_writers.first().map(|(_, binding)| binding.inherited(effect.event)));
        }
        let own = match &effect.deed {
            Deed::File { .. } => self.edit(effect, &agents, renamed)?,
            Deed::Connection { .. } => self.fetch(effect, &agents),
        };
        // A nested agent's deeds belong to the call that started it, where no call of its own claims them.
        let outer =
            || of_writers.iter().find(|(_, binding)| binding.has_calls()).map(|(_, b)| b.inherited(effect.event));
        match own.or_else(outer) {
            Some(binding) => Ok(Some(binding)),
            None => self.unclaimed(effect, &agents).map(Some),
        }
    }

    // --- servers ---

    fn served(&self, effect: &Effect, process: &ProcessId, binding: &Binding) -> Result<Option<Binding>, GraphError> {
        let found = self.servers.did(effect.event, effect.at, process, binding);
        if found.is_some() || binding.rule != Some(MCP_SERVER.id) {
            return Ok(found);
        }
        if let Deed::File { path, .. } = &effect.deed
            && let Some(opened) = self.opened(path, &[*process], effect.at)?
            && let Some(found) = self.servers.did(effect.event, opened, process, binding)
        {
            return Ok(Some(found));
        }
        let own = matches!(&effect.deed, Deed::File { path, workspace_path, .. }
            if scaffolding::is_agent_file(path, workspace_path.is_some()));
        let why = "an MCP server did it while no declared request was open";
        Ok((!own).then(|| Binding::unattributed(vec![effect.event], why)))
    }

    /// Several processes had it open for writing.
    fn shared(&self, effect: &Effect, bindings: &[&Binding], writers: usize) -> Binding {
        let calls: BTreeSet<CallNo> = bindings.iter().flat_map(|binding| &binding.calls).copied().collect();
        let calls: Vec<CallNo> = calls.into_iter().collect();
        let certain = bindings.len() == writers && bindings.iter().all(|b| b.state == BindingState::Bound);
        match calls.as_slice() {
            [call] if certain => {
                Binding::bound(Rung::Lineage, *call, vec![effect.event], "processes of the call had it open")
            }
            _ => Binding::ambiguous(
                Rung::Lineage,
                calls,
                vec![effect.event],
                "several processes had it open for writing",
            ),
        }
    }

    // --- the agent's own hand ---

    fn edit(&self, effect: &Effect, agents: &[ProcessId], renamed: &Renames) -> Result<Option<Binding>, GraphError> {
        let Deed::File { path, content, cause, .. } = &effect.deed else { return Ok(None) };
        let mut names: Vec<&OsBytes> = vec![path];
        if let VersionCause::RenamedTo(to) = cause {
            names.push(to);
        }
        names.extend(renamed.get(path).into_iter().flatten());
        let mut open = self.writing(&names, agents, effect.at);
        if open.is_empty() {
            // The release of a file may be noticed after the call has ended; its opening was in time.
            if let Some(opened) = self.opened(path, agents, effect.at)? {
                open = self.writing(&names, agents, opened);
            }
        }
        Ok(self.choose(effect.event, open, content.as_ref()))
    }

    /// Calls of these agents that write one of the paths and are open at that time.
    fn writing(&self, names: &[&OsBytes], agents: &[ProcessId], at: EventTime) -> Vec<CallNo> {
        let fits = |call: &Call| {
            call.window.holds(at)
                && self.made_by(call, agents)
                && call.input.written().into_iter().any(|path| names.contains(&path))
        };
        self.calls.iter().enumerate().filter(|(_, call)| fits(call)).map(|(no, _)| no).collect()
    }

    fn made_by(&self, call: &Call, agents: &[ProcessId]) -> bool {
        agents.iter().any(|agent| self.sessions_of.get(agent).is_some_and(|known| known.contains(&call.session)))
    }

    /// Calls without an effect that opened a file of theirs for writing: what they wrote was there already.
    pub(super) fn unchanged(&self, effects: &[Effect]) -> Result<HashMap<CallNo, EventId>, GraphError> {
        let bound = effects.iter().filter_map(|effect| effect.binding.as_ref());
        let with_effect: BTreeSet<CallNo> = bound.flat_map(|binding| binding.calls.iter().copied()).collect();
        let mut found = HashMap::new();
        for (no, call) in self.calls.iter().enumerate().filter(|(no, _)| !with_effect.contains(no)) {
            for path in call.input.written() {
                let facts =
                    self.reader.facts_by_key(self.run.no, IndexKey { kind: KeyKind::Path, value: path.as_bytes() })?;
                let opened = facts.into_iter().find(|(_, fact)| {
                    let agent = fact.process.is_some_and(|process| self.made_by(call, &[process]));
                    let writes =
                        matches!(&fact.what, What::FileOpened(open) if open.access.writes() && open.result.succeeded());
                    agent && writes && call.window.holds(fact.at)
                });
                if let Some((_, fact)) = opened {
                    found.insert(no, fact.id);
                }
            }
        }
        Ok(found)
    }

    /// When one of the agents last opened the path for writing.
    fn opened(&self, path: &OsBytes, agents: &[ProcessId], until: EventTime) -> Result<Option<EventTime>, GraphError> {
        let key = IndexKey { kind: KeyKind::Path, value: path.as_bytes() };
        let facts = self.reader.facts_by_key(self.run.no, key)?;
        let times = facts.into_iter().filter_map(|(_, fact)| {
            let by_agent = fact.process.is_some_and(|process| agents.contains(&process));
            let writes =
                matches!(&fact.what, What::FileOpened(open) if open.access.writes() && open.result.succeeded());
            (by_agent && writes && fact.at <= until).then_some(fact.at)
        });
        Ok(times.max())
    }

    fn choose(&self, event: EventId, open: Vec<CallNo>, content: Option<&ContentId>) -> Option<Binding> {
        let declares = |no: &CallNo| match &self.calls[*no].input {
            ToolInput::Write(write) => write.content,
            _ => None,
        };
        let equal: Vec<CallNo> =
            open.iter().copied().filter(|no| content.is_some() && declares(no).as_ref() == content).collect();
        if let [call] = equal.as_slice() {
            let why = "the agent wrote what the call declares, to the path that it names, in its window";
            return Some(Binding::bound(Rung::SameContent, *call, self.evidence(event, &[*call]), why));
        }
        match open.as_slice() {
            [] => None,
            [call] => {
                let why = "the agent wrote the path that the call names, in its window";
                let mut binding = Binding::bound(Rung::SamePath, *call, self.evidence(event, &open), why);
                if declares(call).is_some() && content.is_some() {
                    binding.confidence = 700;
                    binding.why = "the agent wrote the path that the call names, with another content".to_owned();
                }
                Some(binding)
            }
            _ => {
                let why = "several calls that name the path were open";
                Some(Binding::ambiguous(Rung::SamePath, open.clone(), self.evidence(event, &open), why))
            }
        }
    }

    fn fetch(&self, effect: &Effect, agents: &[ProcessId]) -> Option<Binding> {
        let fits =
            |call: &Call| call.class == ToolClass::Fetch && call.window.holds(effect.at) && self.made_by(call, agents);
        let open: Vec<CallNo> =
            self.calls.iter().enumerate().filter(|(_, call)| fits(call)).map(|(no, _)| no).collect();
        if open.is_empty() {
            return None;
        }
        // The agent's own traffic goes on meanwhile: a window alone can't tell it from the call's.
        let why = "the agent connected while a call that asks the network was open; it also talks for itself";
        Some(Binding::ambiguous(Rung::ProcessWindow, open.clone(), self.evidence(effect.event, &open), why))
    }

    fn unclaimed(&self, effect: &Effect, agents: &[ProcessId]) -> Result<Binding, GraphError> {
        Ok(match &effect.deed {
            Deed::Connection { .. } => Binding::scaffolding(AGENT_CONNECTION, vec![effect.event]),
            Deed::File { path, workspace_path, .. } if scaffolding::is_agent_file(path, workspace_path.is_some()) => {
                Binding::scaffolding(AGENT_FILE, vec![effect.event])
            }
            Deed::File { path, cause, .. }
                if self.is_given(path, cause) && self.opened(path, agents, effect.at)?.is_none() =>
            {
                Binding::scaffolding(INHERITED_OUTPUT, vec![effect.event])
            }
            Deed::File { .. } => {
                Binding::unattributed(vec![effect.event], "the agent wrote it itself, and no open call names the path")
            }
        })
    }

    /// True where the file was written to, and the recording saw that its root was given it open for writing.
    fn is_given(&self, path: &OsBytes, cause: &VersionCause) -> bool {
        matches!(cause, VersionCause::Closed | VersionCause::StillOpen) && self.given_files.contains(path)
    }

    fn evidence(&self, event: EventId, calls: &[CallNo]) -> Vec<EventId> {
        let told = calls.iter().filter_map(|no| self.calls[*no].started.or(self.calls[*no].ended));
        std::iter::once(event).chain(told.map(|told| told.event)).collect()
    }
}

/// New names by the old one: an agent may write beside the file and rename.
type Renames = HashMap<OsBytes, Vec<OsBytes>>;

fn renames(deeds: &[Effect]) -> Renames {
    let mut renames = Renames::new();
    for effect in deeds {
        if let Deed::File { path, cause: VersionCause::RenamedFrom(from), .. } = &effect.deed {
            renames.entry(from.clone()).or_default().push(path.clone());
        }
    }
    renames
}
