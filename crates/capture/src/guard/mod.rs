//! Makes calls for the command, so that what was judged is what happens.
//!
//! A held call is never let go on: another thread could change its arguments between our look and the kernel's. The
//! arguments are copied once, judged, and used by us: on our own copy of the socket, or by opening the file and
//! giving the caller the descriptor. The one exception is an open by somebody whose rights we can't take; see `open`.

mod caller;
mod connect;
mod open;
mod walk;

use crate::gate::{Gate, Opens};
use crate::output_line::OutputLine;
use crate::ptrace::errand::Errands;
use crate::sys::notify::{self, Held};
use crate::sys::signals::Mask;
use crate::sys::{credentials, fd};
use agentprov_model::ProcessId;
use caller::Ourselves;
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Calls that may block at once, each in a thread; more are made one after the other.
const MAX_BLOCKING: usize = 256;
/// Threads that serve where opens are held. An open may wait for a program of the tree itself (a FUSE server), which
/// then needs another thread for its own.
const SERVERS: usize = 4;

/// Where observations go, until the recording ends; calls are served beyond that.
pub(crate) type Line = Arc<Mutex<Option<OutputLine>>>;

/// What a guard needs to know.
pub(crate) struct Post {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) line: Line,
    pub(crate) errands: Errands,
    /// Opens for reading are recorded.
    pub(crate) reads: bool,
}

/// Serves the held calls of one tree.
pub(crate) struct Guard {
    listener: OwnedFd,
    post: Post,
    ourselves: Ourselves,
    blocking: AtomicUsize,
    /// Who was seen to hand work to a daemon outside the tree: said once a process.
    delegating: Mutex<HashSet<ProcessId>>,
    /// Whose opens were let go on: said once a process.
    let_go: Mutex<HashSet<ProcessId>>,
}

impl Guard {
    /// Starts the threads that serve until nobody is left who could ask.
    pub(crate) fn start(listener: OwnedFd, post: Post) -> io::Result<()> {
        let servers = if post.gate.opens() == Opens::None { 1 } else { SERVERS };
        let guard = Arc::new(Self {
            listener,
            post,
            ourselves: Ourselves::look()?,
            blocking: AtomicUsize::new(0),
            delegating: Mutex::default(),
            let_go: Mutex::default(),
        });
        for _ in 0..servers {
            let guard = Arc::clone(&guard);
            std::thread::Builder::new().name("guard".to_owned()).spawn(move || guard.serve())?;
        }
        Ok(())
    }

    fn serve(self: &Arc<Self>) {
        // The alarm is the tracer's: here it would break calls off that we make for others.
        Mask::all().block();
        if credentials::own_umask().is_ok() {
            // Else the caller's directory would stay busy for as long as we serve.
            let _root_always_exists = std::env::set_current_dir("/");
        }
        let listener = self.listener.as_raw_fd();
        loop {
            // Without a caller left the listener hangs up, and poll says ready where nothing can be received.
            if fd::poll(&[(listener, libc::POLLIN)], -1).is_err() {
                continue;
            }
            match notify::receive(listener) {
                Ok(held) => self.on_held(held),
                // The caller was killed before its call was taken.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR)) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) && fd::hangs_up(listener) => return,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(_) => return,
            }
        }
    }

    fn on_held(self: &Arc<Self>, held: Held) {
        if held.call == libc::SYS_connect {
            self.on_connect(held);
        } else {
            self.on_open(held);
        }
    }

    /// Runs a deed that may wait long in a thread of its own, while there are not too many of them.
    fn aside(self: &Arc<Self>, id: u64, deed: impl FnOnce(&Self) + Send + 'static) {
        if self.blocking.fetch_add(1, Ordering::Relaxed) >= MAX_BLOCKING {
            self.blocking.fetch_sub(1, Ordering::Relaxed);
            return deed(self);
        }
        let guard = Arc::clone(self);
        let made = std::thread::Builder::new().name("blocking call".to_owned()).spawn(move || {
            deed(&guard);
            guard.blocking.fetch_sub(1, Ordering::Relaxed);
        });
        if made.is_err() {
            self.blocking.fetch_sub(1, Ordering::Relaxed);
            notify::answer(self.listener.as_raw_fd(), id, libc::EAGAIN);
        }
    }

    /// Says something to the recording, while there is one.
    fn say(&self, say: impl FnOnce(&OutputLine)) {
        if let Some(out) = self.post.line.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            say(out);
        }
    }

    fn waits(&self, held: &Held) -> bool {
        notify::waits(self.listener.as_raw_fd(), held.id)
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
