//! fork(2) and what happens between fork and exec.

#![allow(unsafe_code, reason = "fork, execve and _exit")]

use super::{check, fd, seccomp, signals};
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::RawFd;

/// Which side of a fork we are.
pub(crate) enum Side {
    /// The one that forked; the child's pid.
    Parent(i32),
    /// The new process.
    Child,
}

/// Forks. The caller has one thread only, so that the child may go on as an ordinary program.
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: with a single thread no lock can be held by another one across the fork.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid)),
    }
}

/// Ends the process at once: no destructors, no buffers of the parent flushed twice.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(status) }
}

/// A process group of its own, so that the signals of a terminal pass by.
///
/// Not a session of its own: the scheduler groups by session (sched(7), autogroup), and a stop that goes from one group
/// to another costs about half as much again.
pub(crate) fn new_group() {
    // SAFETY: plain integers; it fails harmlessly for a session leader.
    unsafe { libc::setpgid(0, 0) };
}

/// Orphans below us become our children, prctl(2).
pub(crate) fn become_subreaper() {
    // SAFETY: plain integers.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// Signals a process that we know to be ours.
pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: plain integers.
    unsafe { libc::kill(pid, signal) };
}

/// Everything that the child needs between fork and exec; made before the fork.
pub(crate) struct Launch {
    /// Programs to try, in this order; never empty unless nothing was found.
    pub(crate) candidates: Vec<CString>,
    /// Arguments.
    pub(crate) argv: Vec<CString>,
    /// Environment.
    pub(crate) env: Vec<CString>,
    /// Directory to run in.
    pub(crate) workdir: CString,
    /// Descriptors to put on 1 and 2, where they change.
    pub(crate) stdout: Option<RawFd>,
    pub(crate) stderr: Option<RawFd>,
    /// Signal mask to restore.
    pub(crate) mask: signals::Mask,
    /// Filter to install, for the ptrace back-end.
    pub(crate) filter: Vec<libc::sock_filter>,
    /// Filter whose listener the guard gets, and where its number is written.
    pub(crate) guard: Option<(Vec<libc::sock_filter>, RawFd)>,
    /// Directory of the cgroup to be born in; a refusal leaves the process where we are.
    pub(crate) cgroup: Option<RawFd>,
}

/// Where a start failed: the first byte of the report, then the errno.
pub(crate) const STAGE_WORKDIR: u8 = 1;
/// The filter could not be installed.
pub(crate) const STAGE_FILTER: u8 = 2;
/// No candidate could be executed.
pub(crate) const STAGE_EXEC: u8 = 3;
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}

/// The two ends of the pipe that lets a child go on.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    /// The child waits for a byte here.
    pub(crate) wait: RawFd,
    /// Ours. The child closes it: when we die before we let it go, it must read the end, not wait for itself.
    pub(crate) open: RawFd,
}

/// Forks a child that waits at the gate, then becomes the command. It reports a failure on `report`.
pub(crate) fn spawn(launch: &Launch, gate: Gate, report: RawFd) -> io::Result<i32> {
    let argv = pointers(&launch.argv);
    let env = pointers(&launch.env);
    // What execvp runs when the kernel says ENOEXEC: /bin/sh <script> <arguments>.
    let mut script: Vec<*const libc::c_char> = vec![c"/bin/sh".as_ptr(), std::ptr::null()];
    script.extend(argv.iter().skip(1));
    // SAFETY: the child below calls only async-signal-safe functions on memory made before the fork.
    match unsafe { fork_into(launch.cgroup) }? {
        0 => become_command(launch, gate, report, &argv, &mut script, &env),
        pid => Ok(pid),
    }
}

/// fork(2), into a cgroup where one is given: joining later takes the kernel tens of milliseconds. A refusal is no
/// error, the process is then where we are; so is an old kernel.
///
/// # Safety
/// The child calls only async-signal-safe functions until its exec.
unsafe fn fork_into(cgroup: Option<RawFd>) -> io::Result<i32> {
    /// `struct clone_args`, clone(2), in the version that has `cgroup`.
    #[repr(C, align(8))]
    #[derive(Default)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    /// linux/sched.h
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    if let Some(cgroup) = cgroup.and_then(|fd| u64::try_from(fd).ok()) {
        let args = CloneArgs {
            flags: CLONE_INTO_CGROUP,
            exit_signal: libc::SIGCHLD.cast_unsigned().into(),
            cgroup,
            ..CloneArgs::default()
        };
        // SAFETY: without CLONE_VM this is a fork; the arguments live through the call.
        let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
        if let Ok(pid) = i32::try_from(pid)
            && pid >= 0
        {
            return Ok(pid);
        }
    }
    // SAFETY: the caller promises what fork needs.
    check(unsafe { libc::fork() })
}

fn become_command(
    launch: &Launch,
    gate: Gate,
    report: RawFd,
    argv: &[*const libc::c_char],
    script: &mut [*const libc::c_char],
    env: &[*const libc::c_char],
) -> ! {
    fd::close_raw(gate.open);
    let mut byte = [0u8; 1];
    loop {
        match fd::read(gate.wait, &mut byte) {
            Ok(1) => break,
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            _ => exit_now(125),
        }
    }
    let fail = |stage: u8, error: &io::Error| {
        let errno = error.raw_os_error().unwrap_or(0).to_ne_bytes();
        let _front_gone = fd::write_all(report, &[stage, errno[0], errno[1], errno[2], errno[3]]);
    };
    // The program's own choice of streams; dup2 clears close-on-exec.
    for (from, to) in [(launch.stdout, 1), (launch.stderr, 2)] {
        if let Some(from) = from {
            let _same = fd::duplicate_onto(from, to);
        }
    }
    // SAFETY: `workdir` is NUL-terminated.
    if unsafe { libc::chdir(launch.workdir.as_ptr()) } != 0 {
        fail(STAGE_WORKDIR, &io::Error::last_os_error());
        exit_now(125);
    }
    // Rust programs ignore SIGPIPE from their start; commands must not inherit that.
    signals::set_default(libc::SIGPIPE);
    launch.mask.restore();
    if let Some((program, to)) = &launch.guard {
        let listener = seccomp_listener(program, *to, gate.wait);
        if let Err(error) = listener {
            fail(STAGE_FILTER, &error);
            exit_now(125);
        }
    }
    if !launch.filter.is_empty()
        && let Err(error) = seccomp::install(&launch.filter)
    {
        fail(STAGE_FILTER, &error);
        exit_now(125);
    }
    let error = exec_first(&launch.candidates, argv, script, env);
    fail(STAGE_EXEC, &error);
    exit_now(if error.raw_os_error() == Some(libc::ENOENT) { 127 } else { 126 })
}

/// Installs the guarded filter, says where its listener is, and waits until it was taken.
fn seccomp_listener(program: &[libc::sock_filter], to: RawFd, go: RawFd) -> io::Result<()> {
    let listener = super::notify::install(program)?;
    fd::write_all(to, &listener.to_ne_bytes())?;
    let mut byte = [0u8; 1];
    match fd::read(go, &mut byte)? {
        1 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EPIPE)),
    }
}

/// Tries one program after the other, as execvp(3) does.
fn exec_first(
    candidates: &[CString],
    argv: &[*const libc::c_char],
    script: &mut [*const libc::c_char],
    env: &[*const libc::c_char],
) -> io::Error {
    let mut refused = None;
    let mut last = io::Error::from_raw_os_error(libc::ENOENT);
    for program in candidates {
        last = exec(program, argv, env);
        if last.raw_os_error() == Some(libc::ENOEXEC) {
            script[1] = program.as_ptr();
            last = exec(c"/bin/sh", script, env);
        }
        match last.raw_os_error() {
            Some(libc::EACCES) => refused = Some(libc::EACCES),
            Some(libc::ENOENT | libc::ESTALE | libc::ENOTDIR | libc::ENODEV | libc::ETIMEDOUT) => {}
            _ => return last,
        }
    }
    refused.map_or(last, io::Error::from_raw_os_error)
}

fn exec(program: &CStr, argv: &[*const libc::c_char], env: &[*const libc::c_char]) -> io::Error {
    // SAFETY: program, arguments and environment are NUL-terminated and end with a null pointer.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}
