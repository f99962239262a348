//! Files that are open for writing: one inotify watch and one descriptor of our own per inode.
//!
//! The tracer thread enters a file at the exit stop of its open, before the tracee runs on, so that the entry is there
//! before the kernel can report the release. The worker takes releases out of the queue and reads versions.

use crate::sys::fd::Inode;
use crate::sys::inotify::Inotify;
use agentprov_model::{EventTime, ProcessId};
use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One file that may be written to.
pub(crate) struct Entry {
    /// inotify watch; negative where none could be set.
    pub(crate) watch: i32,
    /// Opened for reading, so that a later rename or unlink does not lose the inode.
    pub(crate) fd: Option<Arc<OwnedFd>>,
    /// Where it is now, as far as names were followed.
    pub(crate) path: Vec<u8>,
    /// Had it open for writing since the last version.
    pub(crate) writers: Vec<ProcessId>,
    /// May still hold it through a fork, not known before their exec.
    pub(crate) heirs: Vec<ProcessId>,
    /// Opens that were seen, less releases that were seen. The kernel merges equal releases, so it may stay too high.
    pub(crate) opens: u32,
    /// How many of the writers were named in a version already.
    pub(crate) settled: usize,
    /// Jobs that must be done before a version of this file may be read.
    pub(crate) ready_after: u64,
    /// Has no name (O_TMPFILE) until it is linked.
    pub(crate) nameless: bool,
    /// When it was last opened.
    pub(crate) opened_at: EventTime,
}

/// All files that may be written to.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) by_inode: HashMap<Inode, Entry>,
    pub(crate) by_watch: HashMap<i32, Inode>,
}

/// The table and its inotify instance.
pub(crate) struct Watches {
    inotify: Inotify,
    table: Mutex<Table>,
}

/// What the tracer knows about an open for writing that succeeded.
pub(crate) struct Opened<'a> {
    pub(crate) inode: Inode,
    pub(crate) path: &'a [u8],
    /// Path under which the watch is set: `/proc/<tid>/fd/<n>` or our own descriptor.
    pub(crate) link: &'a CStr,
    pub(crate) fd: Option<OwnedFd>,
    pub(crate) by: ProcessId,
    pub(crate) ready_after: u64,
    pub(crate) nameless: bool,
    pub(crate) at: EventTime,
}

impl Entry {
    fn forget_dead(&mut self, alive: impl Fn(&ProcessId) -> bool) {
        if self.settled == 0 {
            return;
        }
        let newer = self.writers.split_off(self.settled.min(self.writers.len()));
        self.writers.retain(&alive);
        self.heirs.retain(&alive);
        self.settled = self.writers.len();
        self.writers.extend(newer);
        if self.writers.is_empty() && self.heirs.is_empty() {
            // Releases were merged in the queue: nobody can hold it any more.
            self.opens = 0;
        }
    }
}

impl Watches {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { inotify: Inotify::new()?, table: Mutex::default() })
    }

    pub(crate) const fn inotify(&self) -> &Inotify {
        &self.inotify
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True where the inode is open for writing, or its last version is not read yet.
    pub(crate) fn holds(&self, inode: Inode) -> bool {
        self.lock().by_inode.contains_key(&inode)
    }

    /// Enters an open for writing; false where the kernel refused the watch. Writers of earlier versions that are not
    /// `alive` any more are forgotten here.
    pub(crate) fn opened(&self, opened: Opened<'_>, alive: impl Fn(&ProcessId) -> bool) -> bool {
        let mut table = self.lock();
        // Under the lock, so that a release of the same inode cannot remove the watch that we are given here.
        let watch = self.inotify.watch(opened.link).unwrap_or(-1);
        let Table { by_inode, by_watch } = &mut *table;
        let entry = by_inode.entry(opened.inode).or_insert_with(|| Entry {
            watch,
            fd: None,
            path: opened.path.to_vec(),
            writers: Vec::new(),
            heirs: Vec::new(),
            opens: 0,
            settled: 0,
            ready_after: opened.ready_after,
            nameless: opened.nameless,
            opened_at: opened.at,
        });
        entry.forget_dead(alive);
        entry.opens += 1;
        entry.watch = watch;
        entry.opened_at = opened.at;
        entry.ready_after = entry.ready_after.max(opened.ready_after);
        if entry.fd.is_none() {
            entry.fd = opened.fd.map(Arc::new);
        }
        if !entry.writers.contains(&opened.by) {
            entry.writers.push(opened.by);
        }
        if watch >= 0 {
            by_watch.insert(watch, opened.inode);
        }
        watch >= 0
    }

    /// Takes an entry out and its watch with it.
    pub(crate) fn remove(&self, table: &mut Table, inode: Inode) -> Option<Entry> {
        let entry = table.by_inode.remove(&inode)?;
        if entry.watch >= 0 {
            table.by_watch.remove(&entry.watch);
            self.inotify.unwatch(entry.watch);
        }
        Some(entry)
    }
}
