//! The way of observations to the recorder, and the coverage that they leave behind.

use crate::clock::Clock;
use crate::observation::Observation;
use agentprov_model::{
    Basis, ClaimClass, Coverage, CoverageReport, EventTime, Gap, GapKind, Level, ProcessId, Vantage, What,
};
use crossbeam_channel::Sender;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Observations that may wait for the recorder before the tracer waits for it.
pub(crate) const QUEUE: usize = 16_384;
/// At this length the reader is woken.
const WAKE_AT: usize = QUEUE / 4;

/// Hands observations on; cheap to clone, one per thread.
#[derive(Clone)]
pub(crate) struct OutputLine {
    queue: Sender<Observation>,
    clock: Clock,
    vantage: Vantage,
    shared: Arc<Shared>,
}

struct Shared {
    reader: OnceLock<Thread>,
    coverage: Mutex<CoverageReport>,
    lost: AtomicU64,
    handed_on: AtomicU64,
}

impl OutputLine {
    pub(crate) fn new(queue: Sender<Observation>, clock: Clock, vantage: Vantage, coverage: CoverageReport) -> Self {
        let shared = Shared {
            reader: OnceLock::new(),
            coverage: Mutex::new(coverage),
            lost: AtomicU64::new(0),
            handed_on: AtomicU64::new(0),
        };
        Self { queue, clock, vantage, shared: Arc::new(shared) }
    }

    /// Names the thread that takes observations out of the queue. It looks by itself now and then: waking it for each
    /// observation would cost the tracer more than everything else.
    pub(crate) fn read_by(&self, thread: Thread) {
        let _named_once = self.shared.reader.set(thread);
    }

    fn wake_reader(&self) {
        if let Some(reader) = self.shared.reader.get() {
            reader.unpark();
        }
    }

    pub(crate) fn now(&self) -> EventTime {
        self.clock.now()
    }

    /// Hands on what a process did. Waits where the queue is full: nothing is dropped while the recorder lives.
    pub(crate) fn say(&self, at: EventTime, process: Option<ProcessId>, what: What) {
        self.say_of(at, process, None, what);
    }

    /// The same, naming a thread.
    pub(crate) fn say_of(&self, at: EventTime, process: Option<ProcessId>, tid: Option<u32>, what: What) {
        let vantage = match what {
            What::Gap(_) | What::Bound(_) | What::Output(_) | What::ProcessOutlived => Vantage::Engine,
            _ => self.vantage,
        };
        let observation = Observation { at, vantage, basis: Basis::Observed, process, tid, what };
        // An unbounded channel only refuses where the reader is gone.
        match self.queue.send(observation) {
            Ok(()) => self.shared.handed_on.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.shared.lost.fetch_add(1, Ordering::Relaxed),
        };
        let length = self.queue.len();
        if length == WAKE_AT || length >= QUEUE {
            self.wake_reader();
        }
        // The queue grows as it is used, so the bound is kept here.
        while self.queue.len() >= QUEUE {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Hands a gap on and lowers the classes that it weakens.
    pub(crate) fn gap(&self, process: Option<ProcessId>, gap: Gap) {
        {
            let mut coverage = self.shared.coverage.lock().unwrap_or_else(PoisonError::into_inner);
            for class in &gap.classes {
                if let Some(entry) = coverage.classes.get_mut(class) {
                    entry.degrade(gap.detail.clone());
                    if gap.kind == GapKind::Dropped {
                        entry.lost = None;
                    }
                }
            }
        }
        self.say(self.now(), process, What::Gap(gap));
    }

    /// Something about files was lost.
    pub(crate) fn lost(&self, kind: GapKind, detail: &str) {
        self.gap(
            None,
            Gap {
                kind,
                classes: vec![ClaimClass::FileWrites, ClaimClass::Contents],
                detail: detail.to_owned(),
                way_out: None,
                count: 1,
            },
        );
    }

    /// Coverage as it stands.
    pub(crate) fn coverage(&self) -> CoverageReport {
        let mut report = self.shared.coverage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lost = self.shared.lost.load(Ordering::Relaxed);
        if lost > 0 {
            for entry in report.classes.values_mut().filter(|entry| entry.level != Level::None) {
                entry.degrade("the recorder ended early and observations were lost");
                entry.lost = Some(lost);
            }
        }
        report
    }

    /// Observations that were handed on.
    pub(crate) fn handed_on(&self) -> u64 {
        self.shared.handed_on.load(Ordering::Relaxed)
    }
}

/// Coverage of a back-end before anything went wrong.
pub(crate) fn initial_coverage(sampled: Option<&str>, reads: bool, contents: bool) -> CoverageReport {
    let mut report = CoverageReport::default();
    for class in ClaimClass::ALL {
        let coverage = match (class, sampled) {
            (ClaimClass::Dns | ClaimClass::Tls, _) => Coverage::none("not probed"),
            (ClaimClass::FileReads, None) if !reads => Coverage::none("recording of reads is switched off"),
            (ClaimClass::Contents, _) if !contents => Coverage::none("content capture is switched off"),
            (ClaimClass::Network | ClaimClass::Privilege | ClaimClass::FileReads, Some(why)) => Coverage::none(why),
            (_, Some(why)) => Coverage { level: Level::Partial, why: vec![why.to_owned()], lost: None },
            (_, None) => Coverage::complete(),
        };
        report.classes.insert(class, coverage);
    }
    report
}
