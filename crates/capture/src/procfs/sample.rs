//! Looks at `/proc` again and again: who is below us, what do they run, who is gone.

use crate::identity;
use crate::output_line::OutputLine;
use crate::ptrace::{exec, paths};
use crate::session::Session;
use agentprov_model::{
    BootId, CallResult, EventTime, OsBytes, Outcome, ProcessExec, ProcessExited, ProcessId, ProcessKey, ProcessOrigin,
    ProcessStarted, What,
};
use std::collections::{BTreeMap, HashMap};

struct Known {
    id: ProcessId,
    start_ticks: u64,
    argv: Vec<OsBytes>,
    generation: u32,
}

/// Processes that were seen and are not known to be gone.
pub(crate) struct Sampler<'a> {
    out: &'a OutputLine,
    boot: BootId,
    known: BTreeMap<i32, Known>,
    seen: u64,
    looks: u64,
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(session: &'a Session<'_>) -> Self {
        let root =
            Known { id: session.root.id(), start_ticks: session.root.start_ticks, argv: Vec::new(), generation: 0 };
        Self {
            out: &session.out,
            boot: session.root.boot.clone(),
            known: BTreeMap::from([(session.root_pid, root)]),
            seen: 1,
            looks: 0,
        }
    }

    pub(crate) fn now(&self) -> EventTime {
        self.out.now()
    }

    pub(crate) const fn count(&self) -> u64 {
        self.seen
    }

    pub(crate) const fn looks(&self) -> u64 {
        self.looks
    }

    pub(crate) fn alive(&self) -> Vec<i32> {
        self.known.keys().copied().collect()
    }

    pub(crate) fn alive_ids(&self) -> Vec<ProcessId> {
        self.known.values().map(|known| known.id).collect()
    }

    /// True where the number still names the process that we saw.
    pub(crate) fn is_same(&self, pid: i32) -> bool {
        self.known
            .get(&pid)
            .is_some_and(|known| identity::stat_line(pid).is_ok_and(|line| line.start_ticks == known.start_ticks))
    }

    /// One look at everything below us.
    pub(crate) fn look(&mut self) {
        self.looks += 1;
        let Ok(entries) = std::fs::read_dir("/proc") else { return };
        let mut children: HashMap<i32, Vec<(i32, u64)>> = HashMap::new();
        for pid in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
            if let Ok(line) = identity::stat_line(pid)
                && line.state != b'Z'
                && line.state != b'X'
            {
                children.entry(line.ppid).or_default().push((pid, line.start_ticks));
            }
        }
        let mut found = HashMap::new();
        let mut parents = vec![std::process::id().cast_signed()];
        while let Some(parent) = parents.pop() {
            for (pid, start) in children.remove(&parent).unwrap_or_default() {
                found.insert(pid, (parent, start));
                parents.push(pid);
            }
        }
        let gone: Vec<i32> = self
            .known
            .iter()
            .filter(|(pid, known)| found.get(pid).is_none_or(|(_, start)| *start != known.start_ticks))
            .map(|(pid, _)| *pid)
            .collect();
        for pid in gone {
            // A zombie of ours is reaped with its status instead.
            if identity::stat_line(pid).is_ok_and(|line| line.ppid == std::process::id().cast_signed()) {
                continue;
            }
            self.ended(pid, None, false);
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable_by_key(|(pid, (_, start))| (*start, *pid));
        for (pid, (parent, start)) in found {
            self.meet(pid, parent, start);
        }
    }

    fn meet(&mut self, pid: i32, parent: i32, start_ticks: u64) {
        let at = self.out.now();
        if !self.known.contains_key(&pid) {
            let key = ProcessKey { boot: self.boot.clone(), pid: pid.cast_unsigned(), start_ticks };
            let id = key.id();
            self.known.insert(pid, Known { id, start_ticks, argv: Vec::new(), generation: 0 });
            self.seen += 1;
            let started = ProcessStarted {
                pid: pid.cast_unsigned(),
                start_ticks,
                ns_pid: None,
                parent: self.known.get(&parent).map(|known| known.id),
                ppid: parent.cast_unsigned(),
                origin: ProcessOrigin::Sampled,
            };
            self.out.say(at, Some(id), What::ProcessStarted(started));
        }
        let (argv, argv_cut) = exec::argv_of(pid);
        let Some(known) = self.known.get_mut(&pid) else { return };
        if argv.is_empty() || argv == known.argv || identity::stat_line(pid).is_err() {
            return;
        }
        known.argv.clone_from(&argv);
        known.generation += 1;
        let exec = ProcessExec {
            generation: known.generation,
            path: None,
            exe: paths::link(pid, "exe").map(OsBytes::from),
            argv,
            argv_cut,
            cwd: paths::link(pid, "cwd").map(OsBytes::from),
            result: CallResult::Ok(0),
            commands: Vec::new(),
            trace: exec::trace_of(pid),
        };
        self.out.say(at, Some(known.id), What::ProcessExec(exec));
    }

    /// A process is gone; `outcome` only where we reaped it.
    pub(crate) fn ended(&mut self, pid: i32, outcome: Option<Outcome>, root: bool) {
        if let Some(known) = self.known.remove(&pid) {
            self.out.say(self.out.now(), Some(known.id), What::ProcessExited(ProcessExited { outcome, root }));
        }
    }
}
