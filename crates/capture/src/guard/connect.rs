//! Connections.

use super::caller::group_of;
use super::{Guard, errno};
use crate::gate::Ruling;
use crate::identity;
use crate::output_line::OutputLine;
use crate::ptrace::network;
use crate::sys::notify::{self, Held};
use crate::sys::{fd, memory};
use agentprov_model::{
    CallResult, ClaimClass, Gap, GapKind, NetworkCall, NetworkOp, OsBytes, ProcessId, SocketAddress, What,
};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, PoisonError};

/// `struct sockaddr_storage`.
const ADDRESS_MAX: usize = 128;

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
    pub(super) fn on_connect(self: &Arc<Self>, held: Held) {
        let listener = self.listener.as_raw_fd();
        let call = match self.copy(held) {
            Ok(call) => call,
            Err(error) => return notify::answer(listener, held.id, errno(&error)),
        };
        if self.post.gate.connect(call.process, &call.address) == Ruling::Deny {
            return self.end(&call, libc::EPERM);
        }
        let blocks = fd::status_flags(call.socket.as_raw_fd()).is_ok_and(|flags| flags & libc::O_NONBLOCK == 0);
        if blocks { self.aside(held.id, move |guard| guard.make(&call)) } else { self.make(&call) }
    }

    fn make(&self, call: &Call) {
        let errno = notify::connect(&call.socket, &call.raw).err().map_or(0, |error| errno(&error));
        self.end(call, errno);
    }

    /// Reports first: the caller may be gone a moment after its answer.
    fn end(&self, call: &Call, errno: i32) {
        let result = if errno == 0 { CallResult::Ok(0) } else { CallResult::Errno(errno) };
        self.say(|out| {
            self.delegation(out, call, result);
            let what = NetworkCall { op: NetworkOp::Connect, address: call.address.clone(), result };
            let tid = (call.held.tid != call.tgid).then_some(call.held.tid.cast_unsigned());
            out.say_of(out.now(), call.process, tid, What::Network(what));
        });
        notify::answer(self.listener.as_raw_fd(), call.held.id, errno);
    }

    fn delegation(&self, out: &OutputLine, call: &Call, result: CallResult) {
        let Some(name) = network::delegate(&call.address).filter(|_| result.succeeded()) else { return };
        let mut known = self.delegating.lock().unwrap_or_else(PoisonError::into_inner);
        if call.process.is_some_and(|process| !known.insert(process)) {
            return;
        }
        let gap = Gap {
            kind: GapKind::DelegatedWork,
            classes: vec![ClaimClass::Processes, ClaimClass::FileWrites, ClaimClass::Network],
            detail: format!("a process talked to {name}, which works outside the recorded tree"),
            way_out: None,
            count: 1,
        };
        out.gap(call.process, gap);
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
        if !self.waits(&held) {
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
