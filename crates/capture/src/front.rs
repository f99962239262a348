//! The caller's side of a recording: forks the tracer, passes signals on, waits for the end.

use crate::command::Command;
use crate::finished::{CaptureError, Finished};
use crate::gate::Gate;
use crate::launch;
use crate::observation::{Notice, Recorder, RecorderFault};
use crate::options::Options;
use crate::session;
use crate::sys::fd;
use crate::sys::fork::{self, Side};
use crate::sys::ptrace;
use crate::sys::signals::{self, Mask, SignalFd};
use crate::sys::socket;
use crate::wire::{Inbox, Message};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// Signals that the front passes on or swallows instead of dying of them.
const TAKEN: [i32; 9] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// Runs a command and observes what its processes do; returns when the attempt is sealed.
///
/// The caller has one thread: the tracer is forked from it. `make_recorder` runs in the tracer, after every
/// descriptor but the tracer's own was closed there, so it must open what it needs itself. A command that could not be
/// started is not an error but [`agentprov_model::Outcome::NotStarted`].
///
/// # Errors
/// When nothing could be recorded; the command has then not run, except for [`CaptureError::TracerLost`].
pub fn record<R: Recorder + 'static>(
    command: &Command,
    options: &Options,
    make_recorder: impl FnOnce() -> Result<R, RecorderFault>,
    notice: &mut dyn FnMut(Notice),
) -> Result<Finished, CaptureError> {
    record_gated(command, options, || None, make_recorder, notice)
}

/// Records a command, and asks a gate before each connection. `make_gate` is called in the tracer process.
///
/// # Errors
/// As [`record`]; also when a gate is wanted and the host can't hold calls.
pub fn record_gated<R: Recorder + 'static>(
    command: &Command,
    options: &Options,
    make_gate: impl FnOnce() -> Option<Arc<dyn Gate>>,
    make_recorder: impl FnOnce() -> Result<R, RecorderFault>,
    notice: &mut dyn FnMut(Notice),
) -> Result<Finished, CaptureError> {
    if command.argv.is_empty() {
        return Err(CaptureError::EmptyCommand);
    }
    let workdir = |source| CaptureError::Workdir { path: command.workdir.clone(), source };
    let metadata = std::fs::metadata(&command.workdir).map_err(workdir)?;
    if !metadata.is_dir() {
        return Err(workdir(std::io::Error::from_raw_os_error(libc::ENOTDIR)));
    }
    let taken = Mask::of(&TAKEN);
    let before = taken.block();
    let result = fork_tracer(command, options, make_gate, make_recorder, before, notice, &taken);
    before.restore();
    result
}

fn fork_tracer<R: Recorder + 'static>(
    command: &Command,
    options: &Options,
    make_gate: impl FnOnce() -> Option<Arc<dyn Gate>>,
    make_recorder: impl FnOnce() -> Result<R, RecorderFault>,
    before: Mask,
    notice: &mut dyn FnMut(Notice),
    taken: &Mask,
) -> Result<Finished, CaptureError> {
    let launch = launch::prepare(command, before)?;
    let signals = SignalFd::new(taken).map_err(CaptureError::os("signalfd"))?;
    let (ours, theirs) = socket::pair().map_err(CaptureError::os("socketpair"))?;
    match fork::fork().map_err(CaptureError::os("fork"))? {
        Side::Child => {
            drop(ours);
            drop(signals);
            // Nothing of the caller's may run in this process: no destructors, no unwinding into its frames.
            let run = std::panic::AssertUnwindSafe(|| {
                session::run(command, options, launch, make_gate(), make_recorder, theirs);
            });
            let status = match std::panic::catch_unwind(run) {
                Ok(()) => 0,
                Err(_) => 70,
            };
            fork::exit_now(status)
        }
        Side::Parent(tracer) => {
            drop(theirs);
            drop(launch);
            attend(&ours, &signals, tracer, notice)
        }
    }
}

/// Waits for the end, passing signals on meanwhile.
fn attend(
    tracer_socket: &OwnedFd,
    signals: &SignalFd,
    tracer: i32,
    notice: &mut dyn FnMut(Notice),
) -> Result<Finished, CaptureError> {
    let mut inbox = Inbox::default();
    let mut root: Option<OwnedFd> = None;
    let mut early: Vec<i32> = Vec::new();
    loop {
        let wanted = [(tracer_socket.as_raw_fd(), libc::POLLIN), (signals.raw(), libc::POLLIN)];
        let ready = fd::poll(&wanted, -1).map_err(CaptureError::os("poll"))?;
        while let Some(arrived) = signals.take() {
            // What the terminal sends reaches the command through its process group.
            let job_control = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&arrived.signal);
            if arrived.by_process && !job_control {
                match &root {
                    Some(root) => drop(signals::send(root, arrived.signal)),
                    None => early.push(arrived.signal),
                }
            }
        }
        if ready[0] && !inbox.receive(tracer_socket.as_raw_fd()).map_err(CaptureError::os("recvmsg"))? {
            return Err(CaptureError::TracerLost(end_of(tracer)));
        }
        while let Some(message) = inbox.next() {
            match message {
                Message::Started => {
                    root = inbox.take_passed();
                    if let Some(root) = &root {
                        early.drain(..).for_each(|signal| drop(signals::send(root, signal)));
                    }
                }
                Message::Notice(text) => notice(text),
                Message::RootStopped => signals::stop_self(),
                Message::Failed(failure) => {
                    end_of(tracer);
                    return Err(failure.into());
                }
                Message::Finished { finished, staying } => {
                    if !staying {
                        end_of(tracer);
                    }
                    return Ok(*finished);
                }
            }
        }
    }
}

/// Reaps the tracer; how it ended, for people.
fn end_of(tracer: i32) -> String {
    match ptrace::wait_child(tracer, true) {
        Ok(Some((_, ptrace::Change::Exited(status)))) => format!("exit status {status}"),
        Ok(Some((_, ptrace::Change::Killed { signal, .. }))) => format!("signal {signal}"),
        _ => "its end was not seen".to_owned(),
    }
}
