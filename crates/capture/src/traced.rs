//! A session of the ptrace back-end: threads, tracer, orphans.

use crate::capability::{self, CAP_SYS_ADMIN, CAP_SYS_PTRACE};
use crate::finished::CaptureError;
use crate::identity;
use crate::observation::ContentSink;
use crate::options::Orphans;
use crate::ptrace::errand::Errands;
use crate::ptrace::paths;
use crate::ptrace::process::Tree;
use crate::ptrace::serve;
use crate::ptrace::syscalls::Lookup;
use crate::ptrace::tracer::{Desk, JOBS, Seen, Tracer};
use crate::session::{Inherited, Session};
use crate::sys::ptrace;
use crate::sys::signals::{self, Mask};
use crate::workspace::job::Job;
use crate::workspace::policy::{Layout, Place};
use crate::workspace::states::States;
use crate::workspace::watch::{Opened, Watches};
use crate::workspace::worker::{Bell, Worker};
use agentprov_model::{ClaimClass, Gap, GapKind};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From SIGTERM to SIGKILL.
const PATIENCE: Duration = Duration::from_secs(2);

/// Records until the root and, within the grace time, the others are gone.
pub(crate) fn run(
    session: Session<'_>,
    sink: Arc<dyn ContentSink>,
    go: impl FnOnce(Errands) -> bool,
) -> Result<Seen, CaptureError> {
    let options = session.options;
    let watches = Arc::new(Watches::new().map_err(CaptureError::os("inotify_init1"))?);
    let bell = Arc::new(Bell::new().map_err(CaptureError::os("eventfd"))?);
    let (jobs, inbox) = crossbeam_channel::bounded(JOBS);
    let worker = Worker {
        watches: watches.clone(),
        bell: bell.clone(),
        jobs: inbox,
        out: session.out.clone(),
        states: States::new(options, sink),
        done: 0,
        released: Vec::new(),
        pause: crate::workspace::worker::PAUSES.0,
    };
    let reading: JoinHandle<()> = std::thread::Builder::new()
        .name("contents".to_owned())
        .spawn(move || worker.run())
        .map_err(CaptureError::os("spawning the thread for contents"))?;
    Mask::of(&[libc::SIGALRM]).unblock();
    let own = std::process::id().cast_signed();
    let (ways, errands) = Errands::to_this_thread();
    let mut tracer = Tracer {
        tree: Tree::default(),
        out: session.out.clone(),
        desk: Desk::new(jobs, bell.clone(), watches, Layout::new(&options.workspace, &options.own_files)),
        lookup: Lookup::new(),
        boot: session.root.boot.clone(),
        root_pid: session.root_pid,
        reads: options.reads,
        unprivileged: !capability::held(CAP_SYS_PTRACE) || !capability::held(CAP_SYS_ADMIN),
        front: session.front,
        enforcing: session.enforcing,
        namespaces: [paths::link(own, "ns/pid"), paths::link(own, "ns/mnt")],
        root_end: None,
        processes_seen: 0,
        stops: 0,
        errands,
    };
    tracer.adopt_root(&session.root);
    inherit(&mut tracer, session.inherited);
    if !go(ways) {
        return Err(CaptureError::TracerLost("the command could not be let go".to_owned()));
    }
    let mut seen = tracer.run(options.grace);
    if options.orphans == Orphans::Terminate && !seen.alive.is_empty() {
        seen.staying = !terminate(&mut tracer, &seen.alive);
        // What did end is recorded with its end; only what is still there has outlived the recording.
        (seen.alive, seen.outlived) = tracer.survivors();
    }
    tracer.release_all_parked();
    // Dropping the tracer closes the queue of jobs: the worker finishes them, reads what is open, and ends.
    drop(tracer);
    bell.asleep.store(true, std::sync::atomic::Ordering::SeqCst);
    bell.ring();
    // The worker may take long on large files: tracees that stop meanwhile must not wait for it.
    while seen.staying && !reading.is_finished() {
        serve_briefly();
    }
    if reading.join().is_err() {
        session.out.lost(GapKind::RecorderFault, "the thread that reads files failed: versions are missing");
    }
    Ok(seen)
}

/// Serves what has stopped, then waits a moment.
fn serve_briefly() {
    let until = Instant::now() + Duration::from_micros(300);
    while let Ok(Some((tid, change))) = ptrace::wait(false) {
        serve::pass_on(tid, change);
    }
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
}

/// Files that the root inherited open for writing count as opened by it. Its descendants inherit them too (standard output
/// in most cases), which is not looked up at each fork: the root stands for its tree.
fn inherit(tracer: &mut Tracer, inherited: Vec<Inherited>) {
    let Some(caller) = tracer.tree.caller(tracer.root_pid) else { return };
    for Inherited { path, stat, file } in inherited {
        if tracer.desk.layout.place(&path) == Place::Unversioned {
            continue;
        }
        let Some(file) = file else {
            tracer.out.gap(
                Some(caller.id),
                Gap {
                    kind: GapKind::InheritedDescriptor,
                    classes: vec![ClaimClass::Contents],
                    detail: format!(
                        "{} was open for writing before the recording and can't be read",
                        String::from_utf8_lossy(&path)
                    ),
                    way_out: None,
                    count: 1,
                },
            );
            continue;
        };
        let link = paths::own_link(&file);
        let opened = Opened {
            inode: stat.inode,
            path: &path,
            link: &link,
            fd: Some(file),
            by: caller.id,
            ready_after: tracer.desk.sent + 1,
            nameless: stat.links == 0,
            at: tracer.out.now(),
        };
        tracer.desk.watches.opened(opened, |_| true);
        tracer.desk.see(&path);
        tracer.desk.send(Job::Inherited { path, inode: stat.inode });
    }
    // Their state must be taken before the root writes.
    tracer.desk.barrier();
}

/// SIGTERM, two seconds, SIGKILL; true where nobody is left to serve.
fn terminate(tracer: &mut Tracer, alive: &[i32]) -> bool {
    let handles: Vec<(i32, u64, OwnedFd)> = alive
        .iter()
        .filter_map(|pid| Some((*pid, identity::stat_line(*pid).ok()?.start_ticks, signals::pidfd(*pid).ok()?)))
        .collect();
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        for (pid, start, handle) in &handles {
            // The pidfd was made from a number: only if that number still is the same process.
            if identity::stat_line(*pid).is_ok_and(|line| line.start_ticks == *start) {
                let _already_gone = signals::send(handle, signal);
                let _stopped_ones_too = signals::send(handle, libc::SIGCONT);
            }
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            tracer.guarded_errands();
            match ptrace::wait(false) {
                Ok(Some((tid, change))) => tracer.guarded(tid, change),
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Err(_) => return true,
            }
        }
    }
    false
}
