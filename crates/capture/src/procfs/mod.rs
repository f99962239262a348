//! The back-end `procfs`: samples `/proc` and compares the workspace. A last resort.

mod compare;
mod sample;

use crate::finished::CaptureError;
use crate::observation::ContentSink;
use crate::options::Orphans;
use crate::ptrace::tracer::Seen;
use crate::session::Session;
use crate::sys::ptrace::{self, Change};
use crate::sys::signals::{self, Mask};
use crate::workspace::states::States;
use agentprov_model::{ClaimClass, Gap, GapKind, Outcome};
use compare::Tree;
use sample::Sampler;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// From SIGTERM to SIGKILL.
const PATIENCE: Duration = Duration::from_secs(2);

/// Records by sampling until the root and, within the grace time, the others are gone.
pub(crate) fn run(
    session: Session<'_>,
    sink: Arc<dyn ContentSink>,
    go: impl FnOnce() -> bool,
) -> Result<Seen, CaptureError> {
    let options = session.options;
    let out = &session.out;
    out.gap(
        None,
        Gap {
            kind: GapKind::Sampling,
            classes: vec![ClaimClass::Processes, ClaimClass::FileWrites, ClaimClass::Contents],
            detail: "/proc is sampled: short processes may be missed, and who wrote a file is not seen".to_owned(),
            way_out: Some("`agentprov doctor` says what the back-end ptrace lacks here".to_owned()),
            count: 1,
        },
    );
    let before = Tree::walk(&options.workspace);
    let mut sampler = Sampler::new(&session);
    // SIGALRM ends the pause between two looks when a child ends meanwhile: so does SIGCHLD.
    Mask::of(&[libc::SIGALRM]).unblock();
    if !go() {
        return Err(CaptureError::TracerLost("the command could not be let go".to_owned()));
    }
    let mut deadline: Option<Instant> = None;
    let mut waiting = Waiting { root_pid: session.root_pid, root_end: None };
    let staying = loop {
        let children = waiting.reap(&mut sampler);
        sampler.look();
        if waiting.root_end.is_some() {
            if !children || sampler.alive().is_empty() {
                break children;
            }
            if Instant::now() >= *deadline.get_or_insert_with(|| Instant::now() + options.grace) {
                break true;
            }
        }
        // Short pauses at first, so that short commands are seen at all and end without delay.
        let pause = options.sample_interval.min(Duration::from_millis(1 + sampler.looks() / 4));
        waiting.pause(pause, &mut sampler);
    };
    let alive = sampler.alive();
    if options.orphans == Orphans::Terminate {
        terminate(&alive, &mut waiting, &mut sampler);
    }
    let outlived = sampler.alive_ids();
    let mut states = States::new(options, sink);
    compare::report(&before, &Tree::walk(&options.workspace), &mut states, out);
    let root_end = waiting.root_end.take();
    Ok(Seen { root_end, processes: sampler.count(), outlived, stops: 0, staying: staying && !alive.is_empty(), alive })
}

/// Waits for children; we are the subreaper of the tree.
struct Waiting {
    root_pid: i32,
    root_end: Option<(Outcome, agentprov_model::EventTime)>,
}

impl Waiting {
    /// Reaps what has ended; false where no child is left.
    fn reap(&mut self, sampler: &mut Sampler<'_>) -> bool {
        loop {
            match ptrace::wait_child(-1, false) {
                Ok(Some((pid, change))) => {
                    let outcome = match change {
                        Change::Exited(status) => Outcome::Exited(status),
                        Change::Killed { signal, core } => Outcome::Signaled { signal, core },
                        _ => continue,
                    };
                    if pid == self.root_pid {
                        self.root_end = Some((outcome.clone(), sampler.now()));
                    }
                    sampler.ended(pid, Some(outcome), pid == self.root_pid);
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Sleeps in small steps, so that the end of the root is seen at once.
    fn pause(&mut self, pause: Duration, sampler: &mut Sampler<'_>) {
        let until = Instant::now() + pause;
        while Instant::now() < until && self.root_end.is_none() {
            std::thread::sleep(Duration::from_millis(1).min(until.saturating_duration_since(Instant::now())));
            self.reap(sampler);
        }
        if self.root_end.is_some() {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }
}

fn terminate(alive: &[i32], waiting: &mut Waiting, sampler: &mut Sampler<'_>) {
    let handles: Vec<_> =
        alive.iter().filter(|pid| sampler.is_same(**pid)).filter_map(|pid| signals::pidfd(*pid).ok()).collect();
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        for handle in &handles {
            let _already_gone = signals::send(handle, signal);
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && waiting.reap(sampler) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
