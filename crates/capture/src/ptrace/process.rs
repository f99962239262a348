//! The processes and threads that are alive in the tree.

use super::call::Pending;
use crate::sys::fd::Inode;
use agentprov_model::ProcessId;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// A live process (thread group).
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    /// Programs run so far.
    pub(crate) generation: u32,
    /// Its root directory, or its mount or pid namespace, may differ from ours.
    pub(crate) other_root: bool,
    /// Gaps that were reported once for this process, as bits of [`Once`].
    pub(crate) reported: u8,
    /// Files that it may hold open for writing.
    pub(crate) writes: Vec<Inode>,
}

/// Gaps that are reported once per process.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Once {
    ForeignArchitecture = 1,
    IoUring = 2,
    InnerFilter = 4,
    DelegatedWork = 8,
    NestedTracer = 16,
}

impl Process {
    /// True the first time.
    pub(crate) const fn first(&mut self, what: Once) -> bool {
        let bit = what as u8;
        let first = self.reported & bit == 0;
        self.reported |= bit;
        first
    }
}

/// A live thread.
pub(crate) struct Thread {
    pub(crate) tgid: i32,
    /// The call that it is in, where its end is waited for.
    pub(crate) pending: Option<Box<Pending>>,
}

/// A stopped thread whose creation was not reported yet.
pub(crate) struct Parked {
    pub(crate) tid: i32,
    pub(crate) since: Instant,
}

/// Everything alive.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) processes: HashMap<i32, Process>,
    pub(crate) threads: HashMap<i32, Thread>,
    pub(crate) parked: Vec<Parked>,
    /// Start times of those that were entered without the event of their birth.
    pub(crate) settled: HashMap<i32, u64>,
    /// The processes above by their ids.
    pub(crate) ids: HashSet<ProcessId>,
}

/// Who makes a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) tid: i32,
    pub(crate) tgid: i32,
    pub(crate) id: ProcessId,
    pub(crate) other_root: bool,
}

impl Caller {
    /// The thread, where it is not the first of its process.
    pub(crate) fn thread(&self) -> Option<u32> {
        (self.tid != self.tgid).then(|| self.tid.cast_unsigned())
    }
}

impl Tree {
    pub(crate) fn caller(&self, tid: i32) -> Option<Caller> {
        let tgid = self.threads.get(&tid)?.tgid;
        let process = self.processes.get(&tgid)?;
        Some(Caller { tid, tgid, id: process.id, other_root: process.other_root })
    }
}
