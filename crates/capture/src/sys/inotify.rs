//! inotify: told when the last descriptor or mapping that could write to an inode is released.

#![allow(unsafe_code, reason = "raw system calls on an inotify descriptor")]

use super::check;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// One inotify instance, read without blocking.
pub(crate) struct Inotify {
    fd: OwnedFd,
}

/// What was read from the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A description that could write was released on this watch.
    CloseWrite(i32),
    /// The kernel dropped events.
    Overflow,
}

impl Inotify {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: plain integers.
        let fd = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
        // SAFETY: the kernel just gave us this descriptor.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Watches the inode behind `path`; the same inode gives the same watch.
    pub(crate) fn watch(&self, path: &CStr) -> io::Result<i32> {
        // SAFETY: `path` is NUL-terminated and outlives the call.
        check(unsafe { libc::inotify_add_watch(self.fd.as_raw_fd(), path.as_ptr(), libc::IN_CLOSE_WRITE) })
    }

    pub(crate) fn unwatch(&self, watch: i32) {
        // SAFETY: plain integers; an unknown watch is refused with EINVAL.
        unsafe { libc::inotify_rm_watch(self.fd.as_raw_fd(), watch) };
    }

    /// Takes what is in the queue; calls `seen` for each event.
    pub(crate) fn drain(&self, mut seen: impl FnMut(Event)) {
        let mut buffer = [0u8; 8192];
        while let Ok(length) = super::fd::read(self.fd.as_raw_fd(), &mut buffer) {
            if length == 0 {
                return;
            }
            let mut rest = &buffer[..length];
            // struct inotify_event: wd i32, mask u32, cookie u32, len u32, name[len] (inotify(7)).
            while let Some((head, tail)) = rest.split_at_checked(16) {
                let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
                let mask = u32::from_ne_bytes(word(4));
                let name = u32::from_ne_bytes(word(12)) as usize;
                if mask & libc::IN_Q_OVERFLOW != 0 {
                    seen(Event::Overflow);
                } else if mask & libc::IN_CLOSE_WRITE != 0 {
                    seen(Event::CloseWrite(i32::from_ne_bytes(word(0))));
                }
                rest = tail.get(name..).unwrap_or_default();
            }
            if length < buffer.len() / 2 {
                return;
            }
        }
    }
}
