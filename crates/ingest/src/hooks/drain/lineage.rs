//! Which recorded run a process belongs to.

use crate::recovery::open_attempts;
use agentprov_model::declared::{Ancestor, ProcessAnchor};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{AttemptNo, EventTime, EventType, ProcessId, ProcessKey, RunId, What};
use agentprov_store::{Reader, RunRow, StoreError};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;

/// Runs that are asked, newest first.
const MOST_RUNS: usize = 64;
/// Runs whose processes are looked through for one of another pid namespace, newest first.
const MOST_NAMESPACED_RUNS: usize = 4;
/// Facts of a process that are looked at until one really names it.
const MOST_LOOKS: usize = 8;
/// A run's creation is stamped when it is written, a little after its first event.
const SLACK_NS: i64 = 2_000_000_000;

/// Looks runs up by process.
pub(super) struct Lineage<'r> {
    reader: &'r Reader,
    runs: Vec<RunRow>,
    /// Attempts that are being recorded, by run.
    open: Vec<(RunId, AttemptNo)>,
    known: HashMap<ProcessId, Option<(RunId, AttemptNo)>>,
    own: Option<(&'r RunId, AttemptNo)>,
}

impl<'r> Lineage<'r> {
    pub(super) fn new(
        reader: &'r Reader,
        own: Option<(&'r RunId, AttemptNo)>,
        alive: &dyn Fn(&ProcessKey) -> bool,
    ) -> Result<Self, StoreError> {
        let mut runs: Vec<RunRow> = reader.runs()?.into_iter().filter(|run| run.removed.is_none()).collect();
        if let Some((own, _)) = own {
            runs.sort_by_key(|run| run.id != *own);
        }
        let mut open = Vec::new();
        for run in runs.iter().take(MOST_RUNS) {
            for (fact, started) in open_attempts(reader, run)? {
                if alive(&started.recorder) {
                    open.push((run.id.clone(), fact.attempt));
                }
            }
        }
        Ok(Self { reader, runs, open, known: HashMap::new(), own })
    }

    /// True while some recording of this store goes on.
    pub(super) fn recording(&self) -> bool {
        !self.open.is_empty()
    }

    /// The run that recorded the nearest known process of the anchor, and the attempt that is still open there; 0 where
    /// none is.
    pub(super) fn find(
        &mut self,
        anchor: &ProcessAnchor,
        at: EventTime,
    ) -> Result<Option<(RunId, AttemptNo)>, StoreError> {
        for process in anchor.chain() {
            if let Some(found) = self.of_process(anchor.key(process).id(), at)? {
                return Ok(Some(found));
            }
        }
        if anchor.pid_namespace == own_namespace() { Ok(None) } else { self.in_namespace(anchor, at) }
    }

    /// The run of a hook in a pid namespace of its own: its pids are compared with those that the recorder saw inside.
    fn in_namespace(&self, anchor: &ProcessAnchor, at: EventTime) -> Result<Option<(RunId, AttemptNo)>, StoreError> {
        let kind = EventType::ProcessObserved.name().as_bytes();
        for run in self.runs.iter().filter(|run| run.created.since(at) < SLACK_NS).take(MOST_NAMESPACED_RUNS) {
            let inside = self.reader.facts_by_key(run.no, IndexKey { kind: KeyKind::Type, value: kind })?;
            let found = inside.iter().rev().find(|(_, fact)| {
                let What::ProcessStarted(started) = &fact.what else { return false };
                let same = |process: &Ancestor| {
                    started.ns_pid == Some(process.pid) && started.start_ticks == process.start_ticks
                };
                anchor.chain().any(same)
            });
            if let Some((_, fact)) = found {
                return Ok(Some(self.place(run, fact.attempt)));
            }
        }
        Ok(None)
    }

    /// The attempt counts while it is open; what comes later is said of the run.
    fn place(&self, run: &RunRow, attempt: AttemptNo) -> (RunId, AttemptNo) {
        let place = (run.id.clone(), attempt);
        let open = self.open.contains(&place) || self.own == Some((&run.id, attempt));
        (place.0, if open { attempt } else { AttemptNo(0) })
    }

    fn of_process(&mut self, id: ProcessId, at: EventTime) -> Result<Option<(RunId, AttemptNo)>, StoreError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let mut found = None;
        for run in self.runs.iter().filter(|run| run.created.since(at) < SLACK_NS).take(MOST_RUNS) {
            if let Some(attempt) = attempt_of(self.reader, run, id)? {
                found = Some(self.place(run, attempt));
                break;
            }
        }
        self.known.insert(id, found.clone());
        Ok(found)
    }
}

fn own_namespace() -> Option<u64> {
    std::fs::metadata("/proc/self/ns/pid").ok().map(|found| found.ino())
}

/// The attempt in which the run saw the process start, run or end.
fn attempt_of(reader: &Reader, run: &RunRow, id: ProcessId) -> Result<Option<AttemptNo>, StoreError> {
    let key = IndexKey { kind: KeyKind::Process, value: id.as_bytes() };
    for seq in reader.postings(run.no, key)?.into_iter().take(MOST_LOOKS) {
        let fact = reader.fact(run.no, seq)?;
        // What a hook said of itself is no sign that the run recorded it.
        if fact.has_key(key) && fact.basis == agentprov_model::Basis::Observed {
            return Ok(Some(fact.attempt));
        }
    }
    Ok(None)
}
