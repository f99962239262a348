//! Makes connections for the command, so that what was judged is what happens.
//!
//! A held `connect` is never let go on: another thread could change the address between our look and the kernel's. The
//! address is copied once, judged, and used by us on our own copy of the socket.

use crate::gate::{Gate, Ruling};
use crate::identity;
use crate::output_line::OutputLine;
use crate::ptrace::network;
use crate::sys::notify::{self, Held};
use crate::sys::{fd, memory};
use agentprov_model::{CallResult, NetworkCall, NetworkOp, OsBytes, ProcessId, SocketAddress, What};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections that may block at once, each in a thread; more are made one after the other.
const MAX_BLOCKING: usize = 256;
/// `struct sockaddr_storage`.
const ADDRESS_MAX: usize = 128;

/// Where observations go, until the recording ends; calls are served beyond that.
pub(crate) type Line = Arc<Mutex<Option<OutputLine>>>;

/// Serves the held calls of one tree.
pub(crate) struct Guard {
    listener: OwnedFd,
    gate: Arc<dyn Gate>,
    line: Line,
    blocking: AtomicUsize,
}

/// One held connect, copied.
struct Call {
    held: Held,
    tgid: i32,
    process: Option<ProcessId>,
    raw: Vec<u8>,
    address: SocketAddress,
    socket: OwnedFd,
    /// Keeps the place of a unix socket's name while it is used.
    _place: Option<OwnedFd>,
}

impl Guard {
    /// Starts the thread that serves until nobody is left who could ask.
    pub(crate) fn start(listener: OwnedFd, gate: Arc<dyn Gate>, line: Line) -> io::Result<()> {
        let guard = Arc::new(Self { listener, gate, line, blocking: AtomicUsize::new(0) });
        std::thread::Builder::new().name("guard".to_owned()).spawn(move || guard.serve()).map(drop)
    }

    fn serve(self: &Arc<Self>) {
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
        let listener = self.listener.as_raw_fd();
        let call = match self.copy(held) {
            Ok(call) => call,
            Err(error) => return notify::answer(listener, held.id, errno(&error)),
        };
        if self.gate.connect(call.process, &call.address) == Ruling::Deny {
            return self.end(&call, libc::EPERM);
        }
        let blocks = fd::status_flags(call.socket.as_raw_fd()).is_ok_and(|flags| flags & libc::O_NONBLOCK == 0);
        if !blocks || self.blocking.fetch_add(1, Ordering::Relaxed) >= MAX_BLOCKING {
            if blocks {
                self.blocking.fetch_sub(1, Ordering::Relaxed);
            }
            return self.make(&call);
        }
        let guard = Arc::clone(self);
        let id = held.id;
        let made = std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
            guard.make(&call);
            guard.blocking.fetch_sub(1, Ordering::Relaxed);
        });
        if made.is_err() {
            self.blocking.fetch_sub(1, Ordering::Relaxed);
            notify::answer(listener, id, libc::EAGAIN);
        }
    }

    fn make(&self, call: &Call) {
        let errno = notify::connect(&call.socket, &call.raw).err().map_or(0, |error| errno(&error));
        self.end(call, errno);
    }

    /// Reports first: the caller may be gone a moment after its answer.
    fn end(&self, call: &Call, errno: i32) {
        let result = if errno == 0 { CallResult::Ok(0) } else { CallResult::Errno(errno) };
        if let Some(out) = self.line.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            let what = NetworkCall { op: NetworkOp::Connect, address: call.address.clone(), result };
            let tid = (call.held.tid != call.tgid).then_some(call.held.tid.cast_unsigned());
            out.say_of(out.now(), call.process, tid, What::Network(what));
        }
        notify::answer(self.listener.as_raw_fd(), call.held.id, errno);
    }

    /// Copies everything that the call needs, then makes sure that it was the caller's: a call that still waits has
    /// a caller that is still there.
    fn copy(&self, held: Held) -> io::Result<Call> {
        let tid = held.tid;
        let tgid = group_of(tid)?;
        let length = usize::try_from(held.args[2] as u32).unwrap_or(usize::MAX);
        if length > ADDRESS_MAX {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut raw = vec![0; length];
        memory::read_exact(tid, held.args[1], &mut raw)?;
        let pidfd = notify::thread(tid, tgid)?;
        let socket = notify::take_descriptor(&pidfd, held.args[0] as i32)?;
        let process = identity::process_key(tgid.cast_unsigned()).ok().map(|key| key.id());
        let address = network::parse(&raw);
        let (raw, place) = match &address {
            SocketAddress::Unix { path, abstract_name: false } if !path.is_empty() => reach(tid, path)?,
            _ => (raw, None),
        };
        if !notify::waits(self.listener.as_raw_fd(), held.id) {
            return Err(io::Error::from_raw_os_error(libc::EINTR));
        }
        Ok(Call { held, tgid, process, raw, address, socket, _place: place })
    }
}

/// The name of a unix socket as the caller sees it, reached through a descriptor of ours.
fn reach(tid: i32, path: &OsBytes) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let base = if path.as_bytes().starts_with(b"/") { "root" } else { "cwd" };
    let full = [format!("/proc/{tid}/{base}/").as_bytes(), path.as_bytes()].concat();
    let full = CString::new(full).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let place = fd::open(&full, libc::O_PATH)?;
    let mut raw = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    raw.extend_from_slice(format!("/proc/self/fd/{}", place.as_raw_fd()).as_bytes());
    raw.push(0);
    Ok((raw, Some(place)))
}

fn group_of(tid: i32) -> io::Result<i32> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status"))?;
    let tgid = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|text| text.trim().parse().ok());
    tgid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
