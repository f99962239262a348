//! A thread that commits prepared facts in small transactions, and takes in what hooks left in the spool.

use crate::hooks::{Spool, drain_into, wall_clock};
use agentprov_model::{AttemptNo, RunId};
use agentprov_store::{Durability, Prepared, RunNo, StoreError, Writer};
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Facts that may wait: bounds memory, and slows the recorder down when the disk is slower than it.
const QUEUE: usize = 1_024;
/// At this length the thread is woken; it looks by itself when a batch has waited long enough. Waking it for each fact
/// would take the CPU from the recorded command.
const WAKE_AT: usize = QUEUE / 4;
/// Facts in one transaction: about 20 ms of writing.
const BATCH: usize = 2_048;
/// How long a fact may wait before it is committed.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// Disk space held back, so that a run can say why it was cut when the disk is full.
const RESERVE_BYTES: usize = 512 * 1024;

/// What could not be written.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) count: u64,
    pub(super) why: String,
    pub(super) hint: Option<String>,
}

/// Appends facts of one run in the background.
pub(super) struct Appender {
    queue: Sender<Prepared>,
    thread: JoinHandle<Committer>,
}

struct Committer {
    writer: Writer,
    scope: Scope,
    lost: Option<Lost>,
    /// Space on the disk that the closing facts get when nothing else is left.
    reserve: Option<File>,
    /// Hooks of agents that are being recorded; opened when the first one has spoken.
    spool: Option<Spool>,
}

/// Where facts go.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) run: RunNo,
    pub(super) run_id: RunId,
    pub(super) attempt: AttemptNo,
}

/// A file without a name: the kernel frees its space even where this process is killed.
fn reserve(data_dir: &Path) -> std::io::Result<File> {
    let nameless = i32::from_ne_bytes(rustix::fs::OFlags::TMPFILE.bits().to_ne_bytes());
    let file = File::options().write(true).custom_flags(nameless).mode(0o600).open(data_dir);
    let mut file = file.or_else(|_no_such_file_system| {
        let path = data_dir.join(format!("reserve-{}", std::process::id()));
        let file = File::create(&path)?;
        std::fs::remove_file(&path)?;
        Ok::<_, std::io::Error>(file)
    })?;
    let _ = file.write_all(&vec![0x5a; RESERVE_BYTES]);
    Ok(file)
}

impl Appender {
    pub(super) fn start(writer: Writer, scope: Scope, data_dir: &Path) -> Result<Self, StoreError> {
        // A disk too full for the reserve is found out by the first commit.
        let reserve = reserve(data_dir).ok();
        let (queue, facts) = crossbeam_channel::bounded(QUEUE);
        let mut committer = Committer { writer, scope, lost: None, reserve, spool: None };
        let thread = std::thread::Builder::new()
            .name("append".into())
            .spawn(move || {
                committer.work(&facts);
                committer
            })
            .map_err(|source| StoreError::Io { action: "start the append thread of", path: data_dir.into(), source })?;
        Ok(Self { queue, thread })
    }

    /// Hands a fact on; waits while the queue is full.
    pub(super) fn append(&self, fact: Prepared) {
        // The other end goes away only with the thread; `finish` then reports what happened to it.
        let _ = self.queue.send(fact);
        if self.queue.len() >= WAKE_AT {
            self.thread.thread().unpark();
        }
    }

    /// Commits everything handed over and the closing facts, seals the attempt, and waits for the disk.
    pub(super) fn finish(
        self,
        run_id: &RunId,
        closing: impl FnOnce(Option<&Lost>) -> (Vec<Prepared>, AttemptNo),
    ) -> Result<(), StoreError> {
        drop(self.queue);
        self.thread.thread().unpark();
        let Ok(mut committer) = self.thread.join() else {
            return Err(StoreError::Damaged("the append thread failed".into()));
        };
        drop(committer.reserve.take());
        committer.take_hooks(true);
        let (facts, attempt) = closing(committer.lost.as_ref());
        let run = committer.scope.run;
        committer.writer.transaction(Durability::Power, |batch| {
            for fact in &facts {
                batch.append(run, fact)?;
            }
            batch.seal(run, run_id, attempt)
        })
    }
}

/// Takes what comes until the batch is full, the first fact has waited long enough, or nothing can come any more.
fn gather(facts: &Receiver<Prepared>, pending: &mut Vec<Prepared>) {
    let deadline = Instant::now() + MAX_WAIT;
    while pending.len() < BATCH {
        match facts.try_recv() {
            Ok(fact) => pending.push(fact),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                std::thread::park_timeout(left);
            }
        }
    }
}

impl Committer {
    fn work(&mut self, facts: &Receiver<Prepared>) {
        let mut pending = Vec::with_capacity(BATCH);
        while let Ok(first) = facts.recv() {
            pending.push(first);
            gather(facts, &mut pending);
            self.commit(&pending);
            pending.clear();
            self.take_hooks(false);
        }
    }

    /// After a failed commit what comes later is counted, not written: the log must have no silent hole.
    fn commit(&mut self, facts: &[Prepared]) {
        if let Some(lost) = &mut self.lost {
            lost.count += facts.len() as u64;
            return;
        }
        let run = self.scope.run;
        let result = self.writer.transaction(Durability::Process, |batch| {
            for fact in facts {
                batch.append(run, fact)?;
            }
            Ok(())
        });
        if let Err(error) = result {
            self.lost = Some(Lost { count: facts.len() as u64, why: error.to_string(), hint: error.hint() });
        }
    }

    /// What can't be taken in now stays in the spool for whoever opens the store next.
    fn take_hooks(&mut self, last: bool) {
        if self.spool.is_none() {
            self.spool = Spool::open(self.writer.store().dir()).ok().flatten();
        }
        let Some(spool) = self.spool.as_ref().filter(|spool| spool.is_empty().is_ok_and(|empty| !empty)) else {
            return;
        };
        let store = self.writer.store().clone();
        let own = (&self.scope.run_id, self.scope.attempt);
        let now = wall_clock();
        let _ = drain_into(&store, spool, &mut self.writer, own, last, now, &agentprov_capture::is_alive);
    }
}
