//! What the guard asks of the tracer: a file that the guard opens for somebody gets its versions as any other.

use super::call::Before;
use super::paths;
use super::tracer::Tracer;
use crate::sys::signals;
use crate::workspace::policy::Place;
use agentprov_model::EventTime;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A ring that comes just before the tracer falls asleep wakes nobody, so it is repeated.
const RING_AGAIN: Duration = Duration::from_micros(300);

/// Something to do for the guard.
pub(crate) enum Errand {
    /// Take the state of a file before it is opened.
    Before { handle: OwnedFd, reply: Sender<Before> },
    /// It is open for writing now.
    Opened { opened: Box<HeldOpen>, reply: Sender<()> },
}

/// A file that was opened for writing on behalf of a caller, who still waits for it.
pub(crate) struct HeldOpen {
    pub(crate) tid: i32,
    pub(crate) file: OwnedFd,
    pub(crate) path: Vec<u8>,
    pub(crate) flags: u32,
    pub(crate) before: Before,
    pub(crate) at: EventTime,
}

/// The guard's way to the tracer.
#[derive(Clone)]
pub(crate) struct Errands {
    queue: Sender<Errand>,
    tracer: i32,
}

impl Errands {
    /// A way to the thread that calls this.
    pub(crate) fn to_this_thread() -> (Self, Receiver<Errand>) {
        let (queue, inbox) = crossbeam_channel::unbounded();
        (Self { queue, tracer: signals::thread_id() }, inbox)
    }

    /// [`Before::Nothing`] once the recording has ended.
    pub(crate) fn before(&self, handle: OwnedFd) -> Before {
        let (reply, answer) = crossbeam_channel::bounded(1);
        self.ask(Errand::Before { handle, reply }, &answer).unwrap_or(Before::Nothing)
    }

    pub(crate) fn opened(&self, opened: HeldOpen) {
        let (reply, answer) = crossbeam_channel::bounded(1);
        let _recording_has_ended = self.ask(Errand::Opened { opened: Box::new(opened), reply }, &answer);
    }

    /// `None` where the tracer records no more: it then drops its end of the queue.
    fn ask<T>(&self, errand: Errand, answer: &Receiver<T>) -> Option<T> {
        self.queue.send(errand).ok()?;
        loop {
            signals::ring(self.tracer);
            match answer.recv_timeout(RING_AGAIN) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

impl Tracer {
    /// Does what the guard asked for so far.
    pub(crate) fn run_errands(&mut self) {
        while let Ok(errand) = self.errands.try_recv() {
            match errand {
                Errand::Before { handle, reply } => {
                    let _asker_gone = reply.send(self.before_of(&handle));
                }
                Errand::Opened { opened, reply } => {
                    self.held_open(*opened);
                    let _asker_gone = reply.send(());
                }
            }
        }
    }

    fn held_open(&mut self, opened: HeldOpen) {
        let HeldOpen { tid, file, path, flags, before, at } = opened;
        let Some(caller) = self.tree.caller(tid) else { return };
        if self.desk.layout.place(&path) != Place::Unversioned {
            self.writable(&caller, &paths::own_link(&file), path, flags, before, at);
        }
    }
}
