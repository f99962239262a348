//! The tracer: its state, its loop, its end.

use super::errand::Errand;
use super::process::{Process, Thread, Tree};
use super::syscalls::Lookup;
use crate::observation::Notice;
use crate::output_line::OutputLine;
use crate::sys::fd::Inode;
use crate::sys::ptrace::{self, Change};
use crate::sys::signals;
use crate::wire::{self, Message};
use crate::workspace::job::Job;
use crate::workspace::policy::Layout;
use crate::workspace::watch::Watches;
use crate::workspace::worker::Bell;
use agentprov_model::{BootId, EventTime, Outcome, ProcessExited, ProcessKey, What};
use crossbeam_channel::{Receiver, Sender};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a bounded wait looks at its deadline.
const TICK: Duration = Duration::from_millis(20);

/// So many reports of tracees that are not known are answered in a row before errands and the deadline have their turn.
const BIRTHS_AT_THE_END: usize = 64;

/// Jobs that may wait for the worker; each may hold a descriptor.
pub(crate) const JOBS: usize = 512;
/// At this length the worker is woken.
const WAKE_AT: usize = JOBS / 4;

/// Work for the thread that reads files, and what both threads share.
pub(crate) struct Desk {
    pub(crate) jobs: Sender<Job>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) layout: Layout,
    pub(crate) sent: u64,
    /// Hashes of the paths whose first state was taken.
    seen: HashSet<u64>,
    hasher: RandomState,
    /// Files that got another name, which the worker may still have to read.
    moved: HashSet<Inode>,
}

/// Moved files that are remembered before the worker is waited for.
const MOVED: usize = 4096;

impl Desk {
    pub(crate) fn new(jobs: Sender<Job>, bell: Arc<Bell>, watches: Arc<Watches>, layout: Layout) -> Self {
        Self {
            jobs,
            bell,
            watches,
            layout,
            sent: 0,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            moved: HashSet::new(),
        }
    }

    pub(crate) fn send(&mut self, job: Job) {
        let awaited = matches!(job, Job::Barrier { .. } | Job::Hash { .. });
        if self.jobs.len() >= WAKE_AT {
            self.bell.ring();
        }
        if self.jobs.send(job).is_ok() {
            self.sent += 1;
        }
        if awaited {
            self.bell.ring();
        }
    }

    /// Waits until the worker has done everything so far, releases included.
    pub(crate) fn barrier(&mut self) {
        let (reply, done) = crossbeam_channel::bounded(1);
        self.send(Job::Barrier { reply });
        let _worker_gone = done.recv();
        self.moved.clear();
    }

    /// The file has another name now.
    pub(crate) fn note_move(&mut self, inode: Inode) {
        if self.moved.len() >= MOVED {
            self.barrier();
        }
        self.moved.insert(inode);
    }

    /// Whether a version of the file is not read yet: whoever lets it be written now would mix it into the next one.
    pub(crate) fn is_unread(&self, inode: Inode) -> bool {
        self.watches.holds(inode) || self.moved.contains(&inode)
    }

    pub(crate) fn saw(&self, path: &[u8]) -> bool {
        self.seen.contains(&self.hasher.hash_one(path))
    }

    pub(crate) fn see(&mut self, path: &[u8]) {
        self.seen.insert(self.hasher.hash_one(path));
    }
}

/// Traces one tree.
pub(crate) struct Tracer {
    pub(crate) tree: Tree,
    pub(crate) out: OutputLine,
    pub(crate) desk: Desk,
    pub(crate) lookup: Lookup,
    pub(crate) boot: BootId,
    pub(crate) root_pid: i32,
    pub(crate) reads: bool,
    /// Programs may lose privilege because we trace them.
    pub(crate) unprivileged: bool,
    /// Socket to the front.
    pub(crate) front: RawFd,
    /// Rules act on the command, and may stop it: then the front must not stop with it.
    pub(crate) enforcing: bool,
    /// Our own pid and mount namespace, to notice others.
    pub(crate) namespaces: [Option<Vec<u8>>; 2],
    pub(crate) root_end: Option<(Outcome, EventTime)>,
    pub(crate) processes_seen: u64,
    pub(crate) stops: u64,
    /// From the guard.
    pub(crate) errands: Receiver<Errand>,
}

/// What the recording saw, once it is over.
pub(crate) struct Seen {
    pub(crate) root_end: Option<(Outcome, EventTime)>,
    pub(crate) processes: u64,
    pub(crate) outlived: Vec<agentprov_model::ProcessId>,
    pub(crate) stops: u64,
    /// Tracees remain that must be served.
    pub(crate) staying: bool,
    pub(crate) alive: Vec<i32>,
}

impl Tracer {
    /// Enters the root, which is seized and waits for its start.
    pub(crate) fn adopt_root(&mut self, key: &ProcessKey) {
        let id = key.id();
        self.tree.ids.insert(id);
        self.tree
            .processes
            .insert(self.root_pid, Process { id, generation: 0, other_root: false, reported: 0, writes: Vec::new() });
        self.tree.threads.insert(self.root_pid, Thread { tgid: self.root_pid, pending: None });
        self.processes_seen = 1;
    }

    /// Serves stops until the root is gone, and then until the others are or the grace time is over.
    pub(crate) fn run(&mut self, grace: Duration) -> Seen {
        let mut deadline: Option<Instant> = None;
        let mut staying = true;
        let mut ticking = false;
        loop {
            self.guarded_errands();
            match ptrace::wait(true) {
                Ok(Some((tid, change))) => {
                    self.stops += 1;
                    self.guarded(tid, change);
                }
                Ok(None) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => self.settle_overdue(),
                Err(_) => {
                    // ECHILD: nobody is left.
                    staying = false;
                    break;
                }
            }
            if self.root_end.is_some() {
                if self.nobody_is_left() {
                    staying = false;
                    break;
                }
                if Instant::now() >= *deadline.get_or_insert_with(|| Instant::now() + grace) {
                    break;
                }
            }
            // Whoever is parked may have to be settled without another report.
            let tick = deadline.is_some() || !self.tree.parked.is_empty();
            if tick != ticking {
                signals::alarm_every(if tick { TICK } else { Duration::ZERO });
                ticking = tick;
            }
        }
        signals::alarm_every(Duration::ZERO);
        let (alive, outlived) = self.survivors();
        Seen {
            root_end: self.root_end.clone(),
            processes: self.processes_seen,
            outlived,
            stops: self.stops,
            staying,
            alive,
        }
    }

    /// True where the tree is empty and no tracee is left either: a child whose parent was killed at its birth is a
    /// tracee before it is known, and what it reports here must be answered.
    fn nobody_is_left(&mut self) -> bool {
        for _ in 0..BIRTHS_AT_THE_END {
            if !self.tree.threads.is_empty() || !self.tree.parked.is_empty() {
                return false;
            }
            match ptrace::wait(false) {
                Ok(Some((tid, change))) => {
                    self.stops += 1;
                    self.guarded(tid, change);
                }
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
        false
    }

    /// Processes that are alive, by number, and their ids.
    pub(crate) fn survivors(&self) -> (Vec<i32>, Vec<agentprov_model::ProcessId>) {
        let mut alive: Vec<i32> = self.tree.processes.keys().copied().collect();
        alive.sort_unstable();
        let ids = alive.iter().filter_map(|pid| self.tree.processes.get(pid)).map(|process| process.id).collect();
        (alive, ids)
    }

    /// A fault of ours must not strand a stopped tracee.
    pub(crate) fn guarded(&mut self, tid: i32, change: Change) {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.on_change(tid, change)));
        if result.is_err() {
            self.out.gap(
                None,
                agentprov_model::Gap {
                    kind: agentprov_model::GapKind::RecorderFault,
                    classes: agentprov_model::ClaimClass::ALL.to_vec(),
                    detail: "the tracer failed at one event and went on".to_owned(),
                    way_out: None,
                    count: 1,
                },
            );
            super::serve::pass_on(tid, change);
        }
    }

    /// As [`Tracer::guarded`]: an asker whose errand failed reads the end of its answer.
    pub(crate) fn guarded_errands(&mut self) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.run_errands())).is_err() {
            self.out.lost(
                agentprov_model::GapKind::RecorderFault,
                "the tracer failed at one open that the guard made, and went on",
            );
        }
    }

    pub(crate) fn notice(&self, text: String, way_out: &str) {
        let notice = Notice { text, way_out: Some(way_out.to_owned()) };
        wire::send(self.front, &Message::Notice(notice), None);
    }

    pub(crate) fn on_process_gone(&mut self, pid: i32, outcome: Outcome) {
        let Some(process) = self.tree.processes.remove(&pid) else { return };
        self.tree.ids.remove(&process.id);
        let at = self.out.now();
        let root = pid == self.root_pid && self.root_end.is_none();
        if root {
            self.root_end = Some((outcome.clone(), at));
        }
        self.out.say(at, Some(process.id), What::ProcessExited(ProcessExited { outcome: Some(outcome), root }));
    }
}
