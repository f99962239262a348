//! What the tracer thread asks the worker to do, in the order in which it happened.

use crate::sys::fd::{Inode, Stat};
use agentprov_model::{EventTime, FileState, ProcessId, VersionCause};
use crossbeam_channel::Sender;
use std::os::fd::OwnedFd;

/// A file as it was at a stop, held fast so that it can be read later.
pub(crate) struct Pin {
    pub(crate) stat: Stat,
    /// For regular files that we may read.
    pub(crate) fd: Option<OwnedFd>,
    /// For symbolic links.
    pub(crate) target: Option<Vec<u8>>,
}

/// What a path held before the attempt first changed it.
pub(crate) enum PreImage {
    Missing,
    /// Small: read by the tracer thread at the stop.
    Bytes {
        bytes: Vec<u8>,
        mode: u32,
    },
    /// Large: read by the worker while the tracee waited.
    State(FileState),
}

/// One piece of work.
pub(crate) enum Job {
    /// The first state of a path.
    Before {
        path: Vec<u8>,
        image: PreImage,
    },
    /// A version that is complete now: cut by path, or created without a descriptor that writes.
    Now {
        path: Vec<u8>,
        by: ProcessId,
        at: EventTime,
        cause: VersionCause,
    },
    Renamed {
        old: Vec<u8>,
        new: Vec<u8>,
        source: Option<Pin>,
        target: Option<Pin>,
        by: ProcessId,
        at: EventTime,
    },
    Exchanged {
        a: Vec<u8>,
        b: Vec<u8>,
        pin_a: Option<Pin>,
        pin_b: Option<Pin>,
        by: ProcessId,
        at: EventTime,
    },
    Linked {
        old: Vec<u8>,
        new: Vec<u8>,
        source: Option<Pin>,
        by: ProcessId,
        at: EventTime,
    },
    Symlinked {
        path: Vec<u8>,
        target: Vec<u8>,
        by: ProcessId,
        at: EventTime,
    },
    Unlinked {
        path: Vec<u8>,
        was: Option<Pin>,
        by: ProcessId,
        at: EventTime,
    },
    Mode {
        path: Vec<u8>,
        was: Pin,
        mode: u32,
        by: ProcessId,
        at: EventTime,
    },
    /// A file that the root inherited open for writing.
    Inherited {
        path: Vec<u8>,
        inode: Inode,
    },
    /// Read it while the tracee waits.
    Hash {
        path: Vec<u8>,
        pin: Pin,
        reply: Sender<FileState>,
    },
    /// Everything before this is done, releases included.
    Barrier {
        reply: Sender<()>,
    },
}
