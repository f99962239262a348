//! The tracer process, from its fork to its end.

use crate::cgroup::Scope;
use crate::clock::Clock;
use crate::command::Command;
use crate::finished::{CaptureError, Finished};
use crate::gate::{Gate, Opens};
use crate::guard::{Guard, Line, Post};
use crate::identity;
use crate::observation::{AttemptEnd, Observation, Recorder, RecorderFault, ScopeStart};
use crate::options::Options;
use crate::output::Pumps;
use crate::output_line::{self, OutputLine};
use crate::ptrace::errand::Errands;
use crate::ptrace::serve;
use crate::ptrace::tracer::Seen;
use crate::sys::fork::{self, Launch};
use crate::sys::{fd, notify, ptrace, signals};
use crate::wire::{self, Message};
use crate::workspace::git;
use crate::{probe, procfs, traced};
use agentprov_model::{
    Bound, ClaimClass, Gap, GapKind, Mechanism, OsBytes, Outcome, ProcessKey, ProcessOrigin, ProcessStarted, Vantage,
    What,
};
use crossbeam_channel::{Receiver, TryRecvError};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The recorder's pauses while nothing comes: short at first, so that what was seen is soon on disk.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// What a back-end needs to know.
pub(crate) struct Session<'a> {
    pub(crate) options: &'a Options,
    pub(crate) root: ProcessKey,
    pub(crate) root_pid: i32,
    pub(crate) out: OutputLine,
    pub(crate) front: i32,
    /// Rules act on the command.
    pub(crate) enforcing: bool,
    /// Files that the root inherited open for writing: number in the root, our own descriptor for reading.
    pub(crate) inherited: Vec<Inherited>,
}

/// A file that the root inherited open for writing.
pub(crate) struct Inherited {
    pub(crate) path: Vec<u8>,
    pub(crate) stat: fd::Stat,
    pub(crate) file: Option<OwnedFd>,
}

/// The blocked root and the pipes to it.
struct Root {
    pid: i32,
    key: ProcessKey,
    go: OwnedFd,
    report: OwnedFd,
    /// From which the number of the guard's listener is read.
    guard: Option<OwnedFd>,
    scope: Result<Scope, String>,
    inherited: Vec<Inherited>,
    pumps: Pumps,
}

/// Runs the recording and serves tracees to their end.
pub(crate) fn run<R: Recorder + 'static>(
    command: &Command,
    options: &Options,
    launch: Launch,
    gate: Option<Arc<dyn Gate>>,
    make_recorder: impl FnOnce() -> Result<R, RecorderFault>,
    front: OwnedFd,
) {
    match record(command, options, launch, gate, make_recorder, &front) {
        Ok(Sealed { finished, staying, scope }) => {
            // The caller's directory must not stay busy, nor its memory in use.
            let _root_always_exists = std::env::set_current_dir("/");
            wire::send(front.as_raw_fd(), &Message::Finished { finished: Box::new(finished), staying }, None);
            drop(front);
            if staying {
                serve::until_all_are_gone();
            }
            drop(scope);
        }
        Err(error) => wire::send(front.as_raw_fd(), &Message::Failed(error.into()), None),
    }
}

struct Sealed {
    finished: Finished,
    staying: bool,
    scope: Option<Scope>,
}

fn record<R: Recorder + 'static>(
    command: &Command,
    options: &Options,
    mut launch: Launch,
    gate: Option<Arc<dyn Gate>>,
    make_recorder: impl FnOnce() -> Result<R, RecorderFault>,
    front: &OwnedFd,
) -> Result<Sealed, CaptureError> {
    let (mechanism, mechanism_reason) = probe::choose(options.backend)?;
    if mechanism == Mechanism::Ptrace {
        launch.filter = crate::ptrace::filter::build(options.reads);
    } else {
        fork::become_subreaper();
    }
    if gate.is_some() && mechanism != Mechanism::Ptrace {
        let reason = "calls can be denied only by the back-end ptrace".to_owned();
        return Err(CaptureError::Backend { backend: mechanism.name(), reason });
    }
    let opens = gate.as_ref().map(|gate| gate.opens());
    let mut root = fork_root(command, &mut launch, opens)?;
    drop(launch);
    leave_the_terminal(&root, front);
    if mechanism == Mechanism::Ptrace
        && let Err(error) = ptrace::seize(root.pid)
    {
        let reason = format!("PTRACE_SEIZE was refused: {error}");
        return Err(abandon(&root, CaptureError::Backend { backend: "ptrace", reason }));
    }
    let clock = Clock::start();
    let mut recorder = make_recorder().map_err(|fault| abandon(&root, fault.into()))?;
    let start = scope_start(command, options, &clock, mechanism, &mechanism_reason, &root.inherited)
        .map_err(|error| abandon(&root, error))?;
    recorder.begin(start).map_err(|fault| abandon(&root, fault.into()))?;

    let sink = recorder.contents();
    let (queue, observations) = crossbeam_channel::unbounded::<Observation>();
    let vantage = if mechanism == Mechanism::Ptrace { Vantage::Ptrace } else { Vantage::Procfs };
    let sampled = (mechanism == Mechanism::Procfs).then_some("/proc is sampled: short processes may be missed");
    let out =
        OutputLine::new(queue, clock, vantage, output_line::initial_coverage(sampled, options.reads, options.contents));
    let recording =
        spawn_recorder(recorder, observations, clock, front.as_raw_fd()).map_err(|error| abandon(&root, error))?;
    out.read_by(recording.thread().clone());
    announce(&root, &out);
    let pidfd = signals::pidfd(root.pid).ok();
    wire::send(front.as_raw_fd(), &Message::Started, pidfd.as_ref().map(AsRawFd::as_raw_fd));
    drop(pidfd);

    let session = Session {
        options,
        root: root.key.clone(),
        root_pid: root.pid,
        out: out.clone(),
        front: front.as_raw_fd(),
        enforcing: gate.is_some(),
        inherited: std::mem::take(&mut root.inherited),
    };
    root.pumps.start();
    let started = clock.now();
    let line: Line = Arc::new(Mutex::new(Some(out.clone())));
    let guarded = gate.zip(root.guard.take());
    let begin = || fd::write_all(root.go.as_raw_fd(), &[1]).is_ok();
    let go = |errands: Errands| match guarded {
        Some((gate, from)) => {
            let post = Post { gate, line: Arc::clone(&line), errands, reads: options.reads };
            begin() && guard_root(root.pid, root.go.as_raw_fd(), &from, post)
        }
        None => begin(),
    };
    let seen = match mechanism {
        Mechanism::Ptrace => traced::run(session, sink.clone(), go),
        Mechanism::Procfs => procfs::run(session, sink.clone(), begin),
    };
    let seen = seen.map_err(|error| abandon(&root, error))?;
    root.pumps.finish(&out, sink.as_ref(), seen.staying);
    let outcome = outcome_of(&root, &seen, command)?;
    let ended = seen.root_end.as_ref().map_or_else(|| clock.now(), |(_, at)| *at);
    for id in &seen.outlived {
        out.say(clock.now(), Some(*id), What::ProcessOutlived);
    }
    if !seen.outlived.is_empty() {
        outlived_gap(&out, seen.outlived.len() as u64);
    }
    let coverage = out.coverage();
    let wall_ns = u64::try_from(ended.since(started)).unwrap_or(0);
    let handed_on = out.handed_on();
    // The guard serves on; what it sees from here on is no part of the recording.
    line.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(out);
    drop(sink);
    let end = AttemptEnd {
        at: clock.now(),
        outcome: outcome.clone(),
        wall_ns,
        processes: seen.processes,
        outlived: seen.outlived.clone(),
        coverage: coverage.clone(),
    };
    let fault = seal(recording, end);
    let root_key = (!matches!(outcome, Outcome::NotStarted { .. })).then(|| root.key.clone());
    let finished = Finished {
        outcome,
        wall_ns,
        processes: seen.processes,
        outlived: seen.outlived,
        coverage,
        mechanism,
        mechanism_reason,
        root: root_key,
        fault,
        observations: handed_on,
        stops: seen.stops,
    };
    Ok(Sealed { finished, staying: seen.staying, scope: root.scope.ok() })
}

/// Takes the listener of the root and starts its guard; then lets the root go on. Where the root ended before, its report
/// says why.
fn guard_root(pid: i32, go: RawFd, from: &OwnedFd, post: Post) -> bool {
    let mut number = [0u8; 4];
    if !matches!(fd::read(from.as_raw_fd(), &mut number), Ok(4)) {
        return true;
    }
    let listener = signals::pidfd(pid).and_then(|pidfd| notify::take_descriptor(&pidfd, i32::from_ne_bytes(number)));
    let started = listener.and_then(|listener| Guard::start(listener, post));
    started.is_ok() && fd::write_all(go, &[1]).is_ok()
}

/// Ends a root that never ran, and gives the error back.
fn abandon(root: &Root, error: CaptureError) -> CaptureError {
    fork::kill(root.pid, libc::SIGKILL);
    error
}

fn fork_root(command: &Command, launch: &mut Launch, opens: Option<Opens>) -> Result<Root, CaptureError> {
    let (go_read, go) = fd::pipe().map_err(CaptureError::os("pipe"))?;
    let (report, report_write) = fd::pipe().map_err(CaptureError::os("pipe"))?;
    let guard = match opens {
        Some(opens) => Some((opens, fd::pipe().map_err(CaptureError::os("pipe"))?)),
        None => None,
    };
    launch.guard = guard.as_ref().map(|(opens, (_, to))| (crate::ptrace::filter::guard(*opens), to.as_raw_fd()));
    let mut pumps = Pumps::default();
    if let Some(keep) = command.keep_output {
        pumps = Pumps::prepare(keep, launch).map_err(CaptureError::os("pipe"))?;
    }
    let scope = Scope::create();
    launch.cgroup = scope.as_ref().ok().and_then(Scope::directory);
    let inherited = inherited_files();
    let gate = fork::Gate { wait: go_read.as_raw_fd(), open: go.as_raw_fd() };
    let pid = fork::spawn(launch, gate, report_write.as_raw_fd()).map_err(CaptureError::os("fork"))?;
    drop((go_read, report_write));
    let guard = guard.map(|(_, (from, _to))| from);
    // The kernel decides whether it may be born there: look where it is.
    let scope = scope.and_then(|scope| scope.confirm(pid));
    pumps.forget_child_ends();
    let key = identity::process_key(pid.cast_unsigned()).map_err(CaptureError::os("/proc/<pid>/stat"));
    match key {
        Ok(key) => Ok(Root { pid, key, go, report, guard, scope, inherited, pumps }),
        Err(error) => {
            fork::kill(pid, libc::SIGKILL);
            Err(error)
        }
    }
}

/// Regular files that the root will inherit open for writing.
fn inherited_files() -> Vec<Inherited> {
    let mut found: Vec<Inherited> = Vec::new();
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return found };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for number in numbers.collect::<Vec<_>>() {
        let writes = fd::status_flags(number).is_ok_and(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY);
        if !writes || fd::closes_on_exec(number) {
            continue;
        }
        let Ok(stat) = fd::fstat(number) else { continue };
        if !stat.is_file() || found.iter().any(|known| known.stat.inode == stat.inode) {
            continue;
        }
        let Ok(link) = std::ffi::CString::new(format!("/proc/self/fd/{number}")) else { continue };
        let path = fd::readlink(&link).unwrap_or_default();
        found.push(Inherited { path, stat, file: fd::open(&link, libc::O_RDONLY | libc::O_NONBLOCK).ok() });
    }
    found
}

/// A process group of our own, no streams and no descriptors of the caller: its pipes end when the command's do. A
/// hang-up of the terminal, and what it does to a group in the background, is blocked with all other signals.
fn leave_the_terminal(root: &Root, front: &OwnedFd) {
    fork::new_group();
    let mut keep = vec![front.as_raw_fd(), root.go.as_raw_fd(), root.report.as_raw_fd()];
    keep.extend(root.guard.as_ref().map(AsRawFd::as_raw_fd));
    keep.extend(root.inherited.iter().filter_map(|file| file.file.as_ref().map(AsRawFd::as_raw_fd)));
    keep.extend(root.pumps.descriptors());
    if let Ok(null) = fd::open(c"/dev/null", libc::O_RDWR) {
        for stream in 0..3 {
            let _always_works = fd::duplicate_onto(null.as_raw_fd(), stream);
        }
        keep.push(null.as_raw_fd());
        fd::close_all_except(&keep);
    } else {
        fd::close_all_except(&keep);
    }
    fd::raise_open_files();
    signals::interrupt_on_alarm();
    // Every thread that is made from here on leaves SIGALRM to the tracer thread, see traced::run.
    signals::Mask::all().block();
}

fn scope_start(
    command: &Command,
    options: &Options,
    clock: &Clock,
    mechanism: Mechanism,
    reason: &str,
    inherited: &[Inherited],
) -> Result<ScopeStart, CaptureError> {
    let recorder = identity::process_key(std::process::id()).map_err(CaptureError::os("/proc/self/stat"))?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    Ok(ScopeStart {
        at: clock.now(),
        recorder,
        mechanism,
        mechanism_reason: reason.to_owned(),
        workdir: std::fs::canonicalize(&command.workdir).unwrap_or_else(|_| command.workdir.clone()),
        workspace: options.workspace.clone(),
        git_head: git::head(&options.workspace),
        kernel,
        uid: fd::effective_ids().0,
        given_files: inherited.iter().map(|file| OsBytes::from(file.path.as_slice())).collect(),
    })
}

type Recording = JoinHandle<(Box<dyn Recorder>, Option<String>)>;

fn spawn_recorder<R: Recorder + 'static>(
    mut recorder: R,
    observations: Receiver<Observation>,
    clock: Clock,
    front: RawFd,
) -> Result<Recording, CaptureError> {
    let body = move || {
        let mut fault = None;
        let mut pause = PAUSES.0;
        loop {
            match observations.try_recv() {
                Ok(observation) => {
                    pause = PAUSES.0;
                    let observe = std::panic::AssertUnwindSafe(|| recorder.observe(observation));
                    if std::panic::catch_unwind(observe).is_err() {
                        fault.get_or_insert_with(|| "the recorder failed at an observation".to_owned());
                    }
                }
                Err(TryRecvError::Empty) => {
                    if pause == PAUSES.1 {
                        let idle = std::panic::AssertUnwindSafe(|| recorder.idle(clock.now()));
                        let notices = std::panic::catch_unwind(idle).unwrap_or_default();
                        notices.into_iter().for_each(|notice| wire::send(front, &Message::Notice(notice), None));
                    }
                    std::thread::park_timeout(pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(TryRecvError::Disconnected) => break,
            }
        }
        (Box::new(recorder) as Box<dyn Recorder>, fault)
    };
    std::thread::Builder::new()
        .name("recorder".to_owned())
        .spawn(body)
        .map_err(CaptureError::os("spawning the recorder thread"))
}

fn announce(root: &Root, out: &OutputLine) {
    let (cgroup_id, no_cgroup) = match &root.scope {
        Ok(scope) => (Some(scope.id()), None),
        Err(why) => (None, Some(why.clone())),
    };
    let id = root.key.id();
    let at = out.now();
    out.say(at, Some(id), What::Bound(Bound { root: root.key.clone(), cgroup_id, no_cgroup }));
    let started = ProcessStarted {
        pid: root.key.pid,
        start_ticks: root.key.start_ticks,
        ns_pid: None,
        parent: None,
        ppid: std::process::id(),
        origin: ProcessOrigin::Root,
    };
    out.say(at, Some(id), What::ProcessStarted(started));
}

/// How the root ended: by its status, or by the report of a start that failed.
fn outcome_of(root: &Root, seen: &Seen, command: &Command) -> Result<Outcome, CaptureError> {
    let mut report = [0u8; 64];
    let readable = fd::poll(&[(root.report.as_raw_fd(), libc::POLLIN)], 0).is_ok_and(|ready| ready[0]);
    let length = if readable { fd::read(root.report.as_raw_fd(), &mut report).unwrap_or(0) } else { 0 };
    for entry in report[..length].chunks_exact(5) {
        let errno = i32::from_ne_bytes([entry[1], entry[2], entry[3], entry[4]]);
        let source = io::Error::from_raw_os_error(errno);
        match entry[0] {
            fork::STAGE_WORKDIR => return Err(CaptureError::Workdir { path: command.workdir.clone(), source }),
            fork::STAGE_FILTER => {
                let reason = format!("the seccomp filter was refused: {source}");
                return Err(CaptureError::Backend { backend: "ptrace", reason });
            }
            fork::STAGE_EXEC => {
                let program = command.argv.first().map(|program| program.to_string_lossy()).unwrap_or_default();
                let reason = OsBytes::from(format!("{program}: {source}"));
                return Ok(Outcome::NotStarted { errno: Some(errno), reason });
            }
            _ => {}
        }
    }
    Ok(match &seen.root_end {
        Some((outcome, _)) => outcome.clone(),
        None => Outcome::NotStarted { errno: None, reason: OsBytes::from("the end of the command was not seen") },
    })
}

fn outlived_gap(out: &OutputLine, count: u64) {
    out.gap(
        None,
        Gap {
            kind: GapKind::Outlived,
            classes: vec![
                ClaimClass::Processes,
                ClaimClass::FileWrites,
                ClaimClass::Contents,
                ClaimClass::Network,
                ClaimClass::Privilege,
            ],
            detail: "processes outlived the recording: what they did later was not seen".to_owned(),
            way_out: Some("a longer grace time records them for longer".to_owned()),
            count,
        },
    );
}

fn seal(recording: Recording, end: AttemptEnd) -> Option<RecorderFault> {
    let fault = |message: String| RecorderFault { message, hint: None };
    recording.thread().unpark();
    match recording.join() {
        Ok((mut recorder, earlier)) => recorder.end(end).err().or_else(|| earlier.map(fault)),
        Err(_) => Some(fault("the recorder thread failed".to_owned())),
    }
}
