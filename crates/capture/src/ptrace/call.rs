//! What is remembered of a call between its entry and its exit.

use super::syscalls::Privileged;
use crate::sys::fd::Stat;
use crate::workspace::job::{Pin, PreImage};
use agentprov_model::{CallResult, FileOp, NetworkOp, OsBytes, SocketAddress};
use std::os::fd::OwnedFd;

/// A call whose end is waited for.
#[allow(clippy::large_enum_variant, reason = "one per thread in a call; a box would cost an allocation a stop")]
pub(crate) enum Pending {
    /// An open that can only read: everything else is read at its exit.
    OpenRead { dirfd: i32, path: u64, flags: u32 },
    /// An open that may write, create or cut.
    OpenWrite { dirfd: i32, path: Vec<u8>, flags: u32, before: Before },
    /// A change of a name or an attribute.
    Change(Change),
    /// A socket call with an address.
    Network { op: NetworkOp, addresses: Vec<SocketAddress> },
    /// Shown as a privilege call.
    Privilege { which: &'static Privileged, args: Vec<(String, OsBytes)> },
    /// `ptrace` with a request that makes a tracer.
    Ptrace { request: u64, pid: i32 },
    /// An exec that may fail.
    Exec { path: Vec<u8>, dirfd: i32, argv: u64, narrow: bool },
    /// io_uring_setup.
    IoUring,
    /// A filter of the program's own.
    Filter,
}

/// What was at a path when an open for writing began.
pub(crate) enum Before {
    /// Nothing.
    Missing,
    /// A file without a name will be made.
    Nameless,
    /// Not a regular file, or one that gets no versions, or not seen.
    Nothing,
    /// A regular file; its image where the attempt had not seen the path yet.
    File { path: Vec<u8>, stat: Stat, fd: Option<OwnedFd>, image: Option<PreImage> },
}

/// A change of a name or an attribute, as asked for.
pub(crate) struct Change {
    pub(crate) op: FileOp,
    pub(crate) path: Vec<u8>,
    pub(crate) path2: Option<Vec<u8>>,
    pub(crate) mode: Option<u32>,
    pub(crate) directory: bool,
    /// What was there, held fast; for exchange and rename also at the second name.
    pub(crate) pin: Option<Pin>,
    pub(crate) pin2: Option<Pin>,
    /// What a cut by path found.
    pub(crate) before: Option<Before>,
    /// A version follows when it succeeds.
    pub(crate) versioned: bool,
}

/// From the raw value that a call gives back.
pub(crate) const fn result_of(raw: i64) -> CallResult {
    match raw {
        // ERESTARTSYS and its kin: interrupted by a signal; the caller sees EINTR, or the call comes again.
        -516..=-512 => CallResult::Errno(libc::EINTR),
        -4095..=-1 => CallResult::Errno((-raw) as i32),
        value => CallResult::Ok(value),
    }
}
