//! Signals: masks, a signalfd for the front, timers for the tracer, pidfds.

#![allow(unsafe_code, reason = "raw signal calls")]

use super::check;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// A signal mask.
#[derive(Clone, Copy)]
pub(crate) struct Mask(libc::sigset_t);

impl Mask {
    pub(crate) fn of(signals: &[i32]) -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: sigemptyset fills the set; sigaddset takes a filled one.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), *signal);
            }
            Self(set.assume_init())
        }
    }

    pub(crate) fn all() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: sigfillset fills the set.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            Self(set.assume_init())
        }
    }

    /// Blocks these signals too; gives the mask from before.
    pub(crate) fn block(&self) -> Self {
        self.apply(libc::SIG_BLOCK)
    }

    /// Lets these signals through; gives the mask from before.
    pub(crate) fn unblock(&self) -> Self {
        self.apply(libc::SIG_UNBLOCK)
    }

    /// Makes this the mask. Safe between fork and exec.
    pub(crate) fn restore(&self) {
        self.apply(libc::SIG_SETMASK);
    }

    fn apply(&self, how: i32) -> Self {
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: both sets live through the call; the old one is filled by it.
        unsafe {
            libc::pthread_sigmask(how, &raw const self.0, before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

/// A signal that arrived at the front.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrived {
    pub(crate) signal: i32,
    /// Sent by a process (`kill`, `tgkill`, `sigqueue`), not by the terminal or the kernel.
    pub(crate) by_process: bool,
}

/// Blocked signals as a descriptor, signalfd(2).
pub(crate) struct SignalFd(OwnedFd);

impl SignalFd {
    pub(crate) fn new(mask: &Mask) -> io::Result<Self> {
        // SAFETY: the mask lives through the call.
        let fd = check(unsafe { libc::signalfd(-1, &raw const mask.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })?;
        // SAFETY: the kernel just gave us this descriptor.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(crate) fn raw(&self) -> i32 {
        self.0.as_raw_fd()
    }

    pub(crate) fn take(&self) -> Option<Arrived> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer is one signalfd_siginfo.
        let got = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if got != size as isize {
            return None;
        }
        // SAFETY: the kernel filled the whole structure.
        let info = unsafe { info.assume_init() };
        Some(Arrived { signal: info.ssi_signo.cast_signed(), by_process: info.ssi_code <= 0 })
    }
}

/// A handler that does nothing, so that the signal interrupts a wait.
pub(crate) fn interrupt_on_alarm() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: an all-zero sigaction is valid; the handler touches nothing; no SA_RESTART, so waits are interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
    }
}

/// SIGALRM again and again; zero stops it.
pub(crate) fn alarm_every(period: Duration) {
    let value = libc::timeval {
        tv_sec: libc::time_t::try_from(period.as_secs()).unwrap_or(1),
        tv_usec: libc::suseconds_t::from(period.subsec_micros().cast_signed()),
    };
    let timer = libc::itimerval { it_interval: value, it_value: value };
    // SAFETY: `timer` is filled; the old value is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

/// Our thread's number.
pub(crate) fn thread_id() -> i32 {
    // SAFETY: no preconditions.
    unsafe { libc::gettid() }
}

/// SIGALRM for one of our own threads.
pub(crate) fn ring(tid: i32) {
    // SAFETY: plain integers.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, libc::SIGALRM) };
}

/// Default action for a signal. Safe between fork and exec.
pub(crate) fn set_default(signal: i32) {
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// A descriptor that names one process for good, pidfd_open(2).
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process that the pidfd names.
pub(crate) fn send(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo means a plain kill.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Stops ourselves, as ctrl-Z would have.
pub(crate) fn stop_self() {
    // SAFETY: plain integers.
    unsafe { libc::raise(libc::SIGSTOP) };
}
