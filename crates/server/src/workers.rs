//! The threads that do what was accepted. They are not those that answer requests.

use crate::analysis::Analyst;
use crate::error::ServerError;
use crate::export::{Export, Watch};
use agentprov_ingest::reviews::note_decision;
use agentprov_model::{EventTime, ReviewDecision};
use agentprov_store::{Claimed, Queue, Store, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often an analysis is begun before it is given up.
const MAX_ATTEMPTS: u32 = 5;
/// A worker looks for work this often even when nobody calls.
const IDLE: Duration = Duration::from_secs(2);
/// How long the end of the service waits for what is being done; the rest is taken up at the next start.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far work steps back behind answers, of 19.
const WORK_NICENESS: i32 = 10;

/// What the workers and those who call them share.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
    stop: AtomicBool,
    alive: AtomicUsize,
}

impl Bell {
    /// Whether everything is to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits until somebody rings, but no longer than this.
    pub(crate) fn wait(&self, longest: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = *rung;
        drop(self.changed.wait_timeout_while(rung, longest, |rung| *rung == seen && !self.is_stopped()));
    }
}

/// The workers.
#[derive(Debug)]
pub struct Workers {
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
    watches: Watches,
}

/// How handing on goes, for each receiver that there is.
#[derive(Clone, Debug, Default)]
pub struct Watches {
    /// The file or database.
    pub export: Option<Watch>,
    /// The receiver of notices.
    pub webhook: Option<Watch>,
}

/// Tells workers that there is work.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Bell>);

impl Caller {
    /// Wakes the workers.
    pub fn ring(&self) {
        *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_all();
    }

    /// How many workers there are.
    pub fn alive(&self) -> usize {
        self.0.alive.load(Ordering::Relaxed)
    }
}

/// Lets the thread that answers requests go before this one. Where the system does not allow that, work is done all the same.
pub(crate) fn yield_to_answers() {
    // On Linux this is about the calling thread alone.
    let _ = rustix::process::setpriority_process(None, WORK_NICENESS);
}

/// The time.
pub fn now() -> EventTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    EventTime::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Workers {
    /// Starts them. What an earlier process had begun waits again first; the caller holds the lock of the store.
    ///
    /// # Errors
    /// [`ServerError`] when the store can't be used or no thread can be started.
    pub fn start(store: &Store, analyst: &Arc<Analyst>, count: usize) -> Result<Self, ServerError> {
        store.queue()?.resume(MAX_ATTEMPTS, now())?;
        let bell = Arc::new(Bell::default());
        let mut threads = Vec::new();
        for number in 0..count {
            let (mut queue, analyst, bell) = (store.queue()?, Arc::clone(analyst), Arc::clone(&bell));
            let store = store.clone();
            let started = std::thread::Builder::new().name(format!("analysis-{number}")).spawn(move || {
                yield_to_answers();
                bell.alive.fetch_add(1, Ordering::Relaxed);
                work(&store, &mut queue, &analyst, &bell);
                bell.alive.fetch_sub(1, Ordering::Relaxed);
            });
            threads.push(started.map_err(|source| ServerError::System { action: "start a thread", source })?);
        }
        let mut hand_on = |export: &Option<Export>| -> Result<Option<Watch>, ServerError> {
            let Some(export) = export.clone() else { return Ok(None) };
            let (thread, watch) = crate::export::start(store, export, Arc::clone(&bell))?;
            threads.push(thread);
            Ok(Some(watch))
        };
        let settings = &analyst.settings;
        let watches = Watches { export: hand_on(&settings.export)?, webhook: hand_on(&settings.webhook)? };
        Ok(Self { bell, threads, watches })
    }

    /// How handing over goes, where something is handed over.
    pub fn watches(&self) -> Watches {
        self.watches.clone()
    }

    /// How to tell them that there is work.
    pub fn caller(&self) -> Caller {
        Caller(Arc::clone(&self.bell))
    }

    /// Ends them after what they are doing. False where one of them took too long.
    pub fn stop(self) -> bool {
        self.bell.stop.store(true, Ordering::Relaxed);
        self.caller().ring();
        let end = Instant::now() + PATIENCE;
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

fn work(store: &Store, queue: &mut Queue, analyst: &Analyst, bell: &Bell) {
    while !bell.is_stopped() {
        let seen = *bell.rung.lock().unwrap_or_else(PoisonError::into_inner);
        // A store that can't be used for a moment (a full disk) is tried again after a pause.
        let Ok(Some(claimed)) = queue.claim(now()) else {
            let rung = bell.rung.lock().unwrap_or_else(PoisonError::into_inner);
            drop(bell.changed.wait_timeout_while(rung, IDLE, |rung| *rung == seen));
            continue;
        };
        settle(store, queue, analyst, &claimed, bell);
    }
}

/// Does one analysis and keeps its end, whatever it is. Keeping is tried again while the store can't be written.
fn settle(store: &Store, queue: &mut Queue, analyst: &Analyst, claimed: &Claimed, bell: &Bell) {
    let done = catch_unwind(AssertUnwindSafe(|| answer(analyst, claimed)));
    let done = done.unwrap_or_else(|_| Err("the analysis panicked".to_owned()));
    loop {
        let kept = match &done {
            Ok(answer) => note(store, &answer.decision)
                .and_then(|()| queue.finish(&claimed.id, &answer.output, &answer.summary, now())),
            Err(problem) => queue.fail(&claimed.id, problem, now()),
        };
        if kept.is_ok() || bell.is_stopped() {
            return;
        }
        std::thread::sleep(IDLE);
    }
}

/// Puts the decision into the log before anybody hears of it. A log that was removed or is damaged takes none, and no
/// patience changes that: `verify --all` and `fsck` tell.
fn note(store: &Store, decision: &ReviewDecision) -> Result<(), StoreError> {
    match note_decision(store, decision, now()) {
        Ok(_) | Err(StoreError::Removed(_) | StoreError::Damaged(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is kept of an analysis.
struct Answer {
    output: Vec<u8>,
    summary: Vec<u8>,
    decision: ReviewDecision,
}

fn answer(analyst: &Analyst, claimed: &Claimed) -> Result<Answer, String> {
    let analysed = analyst.analyse(&claimed.input, claimed.accepted, now()).map_err(|error| error.to_string())?;
    let output = serde_json::to_vec(&analysed.report).map_err(|error| error.to_string())?;
    let summary = serde_json::to_vec(&analysed.tally).map_err(|error| error.to_string())?;
    Ok(Answer { output, summary, decision: analysed.decision })
}
