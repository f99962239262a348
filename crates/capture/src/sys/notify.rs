//! Seccomp user notification, seccomp_unotify(2), and calls made on behalf of others.

#![allow(unsafe_code, reason = "seccomp(2), its ioctls, pidfd_getfd and connect")]

use super::check;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const ID_VALID: libc::c_ulong = 0x4008_2102;
const ADD_DESCRIPTOR: libc::c_ulong = 0x4018_2103;
/// linux/seccomp.h
const CONTINUE: u32 = 1;

/// A call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) id: u64,
    pub(crate) tid: i32,
    /// Number of the call.
    pub(crate) call: i64,
    pub(crate) args: [u64; 6],
}

/// Installs a filter with a listener on the calling thread; gives the listener, close-on-exec. Where the kernel can, a held call is
/// not broken off by signals that don't kill. Safe to call between fork and exec.
pub(crate) fn install(program: &[libc::sock_filter]) -> io::Result<RawFd> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let wanted = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let set = |flags: libc::c_ulong| {
        // SAFETY: `wanted` describes a live array of instructions, which the kernel copies.
        let fd = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const wanted) };
        i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)
    };
    let set_best = || match set(listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => set(listener),
        other => other,
    };
    match set_best() {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            // SAFETY: plain integers.
            check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
            set_best()
        }
        other => other,
    }
}

/// Takes the next held call; waits for one.
pub(crate) fn receive(listener: RawFd) -> io::Result<Held> {
    let mut raw = MaybeUninit::<libc::seccomp_notif>::zeroed();
    // SAFETY: the kernel fills in one zeroed notification.
    check(unsafe { libc::ioctl(listener, RECEIVE, raw.as_mut_ptr()) })?;
    // SAFETY: all-zero is valid, and the kernel wrote over it.
    let raw = unsafe { raw.assume_init() };
    Ok(Held { id: raw.id, tid: raw.pid.cast_signed(), call: raw.data.nr.into(), args: raw.data.args })
}

/// True while the call still waits: what was read by its thread id before is then its own.
pub(crate) fn waits(listener: RawFd, id: u64) -> bool {
    // SAFETY: the ioctl reads one u64.
    unsafe { libc::ioctl(listener, ID_VALID, &raw const id) == 0 }
}

/// Ends a held call with 0 or an errno. A caller that is gone is no error.
pub(crate) fn answer(listener: RawFd, id: u64, errno: i32) {
    send(listener, libc::seccomp_notif_resp { id, val: 0, error: -errno, flags: 0 });
}

/// Ends a held call with a value.
pub(crate) fn answer_with(listener: RawFd, id: u64, value: i32) {
    send(listener, libc::seccomp_notif_resp { id, val: value.into(), error: 0, flags: 0 });
}

/// Lets the kernel make the call, with what is in the caller's memory by then.
pub(crate) fn let_go(listener: RawFd, id: u64) {
    send(listener, libc::seccomp_notif_resp { id, val: 0, error: 0, flags: CONTINUE });
}

fn send(listener: RawFd, answer: libc::seccomp_notif_resp) {
    // SAFETY: the ioctl reads one answer.
    unsafe { libc::ioctl(listener, SEND, &raw const answer) };
}

/// Gives the caller a copy of our descriptor; says under which number.
pub(crate) fn give_descriptor(listener: RawFd, id: u64, ours: &OwnedFd, flags: u32) -> io::Result<i32> {
    /// `struct seccomp_notif_addfd`.
    #[repr(C)]
    struct Addition {
        id: u64,
        flags: u32,
        source: u32,
        target: u32,
        target_flags: u32,
    }
    let source = ours.as_raw_fd().cast_unsigned();
    let addition = Addition { id, flags: 0, source, target: 0, target_flags: flags };
    // SAFETY: the ioctl reads one structure.
    check(unsafe { libc::ioctl(listener, ADD_DESCRIPTOR, &raw const addition) })
}

/// Our own copy of a descriptor of another process.
pub(crate) fn take_descriptor(pidfd: &OwnedFd, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A pidfd for one thread; where the kernel knows none, for its process.
pub(crate) fn thread(tid: i32, tgid: i32) -> io::Result<OwnedFd> {
    /// linux/pidfd.h
    const PIDFD_THREAD: libc::c_int = libc::O_EXCL;
    // SAFETY: plain integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, tid, PIDFD_THREAD) };
    match i32::try_from(fd).ok().filter(|fd| *fd >= 0) {
        // SAFETY: the kernel just gave us this descriptor.
        Some(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        None => super::signals::pidfd(tgid),
    }
}

/// `connect(2)` with an address as raw bytes.
pub(crate) fn connect(socket: &OwnedFd, address: &[u8]) -> io::Result<()> {
    let length = address.len() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of a live buffer.
    check(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) }).map(drop)
}
