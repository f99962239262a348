//! Serving tracees without recording: their filter outlives the recording, and without a tracer its calls would fail.

use crate::sys::ptrace::{self, Change, Resume};

/// True for signals that stop a job.
pub(crate) const fn stops_job(signal: i32) -> bool {
    matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// `PTRACE_EVENT_STOP`.
pub(crate) const EVENT_STOP: i32 = 128;

/// Lets a tracee go on as if nobody looked.
pub(crate) fn pass_on(tid: i32, change: Change) {
    match change {
        Change::Exited(_) | Change::Killed { .. } => {}
        Change::Signal(signal) => ptrace::resume(tid, Resume::Cont, signal),
        Change::Event { event: EVENT_STOP, signal } if stops_job(signal) => ptrace::resume(tid, Resume::Listen, 0),
        Change::CallExit | Change::Event { .. } => ptrace::resume(tid, Resume::Cont, 0),
    }
}

/// Serves until the last tracee is gone. Keeps no state, so memory stays flat.
pub(crate) fn until_all_are_gone() {
    loop {
        match ptrace::wait(true) {
            Ok(Some((tid, change))) => pass_on(tid, change),
            Ok(None) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            Err(_) => return,
        }
    }
}
