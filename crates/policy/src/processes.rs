//! What the judge knows about the processes of an attempt.

use agentprov_model::{BootId, EventTime, Fact, ProcessId, ProcessKey, What};
use std::collections::{HashMap, HashSet};

/// Ancestors looked at: deeper trees are cut, not followed for ever.
const MAX_ANCESTORS: usize = 64;

/// The processes seen so far.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    boot: Option<BootId>,
    known: HashMap<ProcessId, Known>,
    root_user: Option<u32>,
}

#[derive(Clone, Debug)]
struct Known {
    pid: u32,
    start_ticks: u64,
    parent: Option<ProcessId>,
    program: Option<String>,
    user: Option<u32>,
    ended: Option<EventTime>,
}

impl Processes {
    /// Takes in what a fact says about processes. Call it after the fact was judged for what it changes (user ids).
    pub(crate) fn learn(&mut self, fact: &Fact) {
        match &fact.what {
            What::AttemptStarted(started) => {
                self.boot = Some(started.recorder.boot.clone());
                self.root_user = Some(started.uid);
            }
            What::Bound(bound) => self.boot = Some(bound.root.boot.clone()),
            What::ProcessStarted(started) => {
                let Some(id) = fact.process else { return };
                let parent = started.parent.and_then(|parent| self.known.get(&parent));
                let (program, user) = match parent {
                    Some(parent) => (parent.program.clone(), parent.user),
                    None => (None, self.root_user),
                };
                let (pid, start_ticks, parent) = (started.pid, started.start_ticks, started.parent);
                self.known.insert(id, Known { pid, start_ticks, parent, program, user, ended: None });
            }
            What::ProcessExec(exec) if exec.result.succeeded() => {
                let program = exec.exe.as_ref().or(exec.path.as_ref()).or(exec.argv.first());
                let name = program.map(|path| base_name(&path.lossy()).to_owned());
                if let Some(known) = self.of_mut(fact) {
                    known.program = name;
                }
            }
            What::Privilege(call) if call.result.succeeded() && call.call.starts_with("set") => {
                let user = call.args.iter().rfind(|(name, _)| name.ends_with("euid") || name == "uid");
                let user = user.and_then(|(_, value)| value.as_str()?.parse().ok());
                if let (Some(known), Some(user)) = (self.of_mut(fact), user) {
                    known.user = Some(user);
                }
            }
            What::ProcessExited(_) => {
                let at = fact.at;
                if let Some(known) = self.of_mut(fact) {
                    known.ended = Some(at);
                }
            }
            _ => {}
        }
    }

    fn of_mut(&mut self, fact: &Fact) -> Option<&mut Known> {
        self.known.get_mut(&fact.process?)
    }

    pub(crate) fn user(&self, process: Option<ProcessId>) -> Option<u32> {
        process.and_then(|id| self.known.get(&id)).map_or(self.root_user, |known| known.user)
    }

    /// The key, where boot and start are known: without them nothing may be done to a process.
    pub(crate) fn key(&self, process: ProcessId) -> Option<ProcessKey> {
        let known = self.known.get(&process)?;
        Some(ProcessKey { boot: self.boot.clone()?, pid: known.pid, start_ticks: known.start_ticks })
    }

    /// Programs of the ancestors, nearest first.
    pub(crate) fn ancestors(&self, process: Option<ProcessId>) -> Vec<String> {
        let mut names = Vec::new();
        let mut seen = HashSet::new();
        let mut at = process.and_then(|id| self.known.get(&id)?.parent);
        while let Some(id) = at.filter(|id| seen.len() < MAX_ANCESTORS && seen.insert(*id)) {
            let Some(known) = self.known.get(&id) else { break };
            names.extend(known.program.clone());
            at = known.parent;
        }
        names
    }

    /// Those that have not been seen to end.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (ProcessId, ProcessKey)> {
        let alive = self.known.iter().filter(|(_, known)| known.ended.is_none());
        alive.filter_map(|(id, _)| Some((*id, self.key(*id)?)))
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
