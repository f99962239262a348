//! The thread that reads and hashes files and emits their versions, in the order in which things happened.

use super::job::{Job, Pin, PreImage};
use super::states::{self, States};
use super::watch::{Entry, Watches};
use crate::output_line::OutputLine;
use crate::sys::fd::{self, Inode};
use crate::sys::inotify::Event;
use agentprov_model::{EventTime, FileState, FileVersion, GapKind, OsBytes, ProcessId, VersionCause, What};
use crossbeam_channel::{Receiver, TryRecvError};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Milliseconds between two looks at the queues, while there is work and while there is none.
pub(crate) const PAUSES: (i32, i32) = (2, 50);

/// Wakes the worker out of its wait.
pub(crate) struct Bell {
    pub(crate) fd: OwnedFd,
    pub(crate) asleep: AtomicBool,
}

impl Bell {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { fd: fd::eventfd()?, asleep: AtomicBool::new(false) })
    }

    /// Wakes the worker. Only for work that somebody waits for: it looks by itself now and then, and waking it for
    /// each file would cost the tracer more than everything else.
    pub(crate) fn ring(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            let _full_is_rung = fd::write_all(self.fd.as_raw_fd(), &1u64.to_ne_bytes());
        }
    }
}

/// Reads files and emits versions.
pub(crate) struct Worker {
    pub(crate) watches: Arc<Watches>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) jobs: Receiver<Job>,
    pub(crate) out: OutputLine,
    pub(crate) states: States,
    /// Jobs done so far; compared with [`Entry::ready_after`].
    pub(crate) done: u64,
    /// Watches whose release was reported but whose pre-image job is still to come.
    pub(crate) released: Vec<i32>,
    /// Milliseconds until the next look, see [`PAUSES`].
    pub(crate) pause: i32,
}

impl Worker {
    /// Works until the tracer drops its end, then reads what is still open.
    pub(crate) fn run(mut self) {
        loop {
            match self.jobs.try_recv() {
                Ok(job) => {
                    self.take_releases();
                    self.do_job(job);
                    self.done += 1;
                    self.read_released();
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => self.sleep(),
            }
        }
        self.take_releases();
        self.read_released();
        self.read_still_open();
    }

    fn sleep(&mut self) {
        self.bell.asleep.store(true, Ordering::SeqCst);
        if self.jobs.is_empty() {
            let _interrupted = fd::poll(&[(self.bell.fd.as_raw_fd(), libc::POLLIN)], self.pause);
            let mut count = [0u8; 8];
            let _empty = fd::read(self.bell.fd.as_raw_fd(), &mut count);
        }
        self.bell.asleep.store(false, Ordering::SeqCst);
        self.take_releases();
        let idle = self.released.is_empty() && self.jobs.is_empty();
        self.pause = if idle { (self.pause * 2).min(PAUSES.1) } else { PAUSES.0 };
        self.read_released();
    }

    fn take_releases(&mut self) {
        let mut overflow = false;
        let released = &mut self.released;
        self.watches.inotify().drain(|event| match event {
            Event::CloseWrite(watch) => released.push(watch),
            Event::Overflow => overflow = true,
        });
        if overflow {
            self.out.lost(GapKind::Dropped, "the inotify queue ran over: versions of files may be merged");
            // Nobody knows which files were released: look at all of them.
            let all: Vec<i32> = self.watches.lock().by_watch.keys().copied().collect();
            self.released.extend(all);
        }
    }

    fn read_released(&mut self) {
        let mut waiting = Vec::new();
        for watch in std::mem::take(&mut self.released) {
            match self.release(watch) {
                Released::NotYet => waiting.push(watch),
                Released::Unknown => {}
                Released::Read { inode, entry } => self.read_version(inode, &entry, VersionCause::Closed),
            }
        }
        self.released = waiting;
    }

    /// Reads what was released at a path before the job that takes it from there: what comes then has to come after it.
    fn read_released_at(&mut self, path: &[u8], except: Option<Inode>, replaced: bool) {
        let (here, others): (Vec<i32>, Vec<i32>) = std::mem::take(&mut self.released).into_iter().partition(|watch| {
            let table = self.watches.lock();
            let inode = table.by_watch.get(watch).filter(|inode| Some(**inode) != except);
            inode.and_then(|inode| table.by_inode.get(inode)).is_some_and(|entry| entry.path == path)
        });
        self.released = others;
        for watch in here {
            match self.release(watch) {
                Released::NotYet => self.released.push(watch),
                Released::Unknown => {}
                Released::Read { inode, entry } => {
                    self.read_version(inode, &Snapshot { replaced, ..entry }, VersionCause::Closed);
                }
            }
        }
    }

    fn release(&self, watch: i32) -> Released {
        let mut table = self.watches.lock();
        let Some(inode) = table.by_watch.get(&watch).copied() else { return Released::Unknown };
        let Some(entry) = table.by_inode.get_mut(&inode) else { return Released::Unknown };
        if entry.ready_after > self.done {
            return Released::NotYet;
        }
        entry.opens = entry.opens.saturating_sub(1);
        entry.settled = entry.writers.len();
        let snapshot = Snapshot {
            fd: entry.fd.clone(),
            path: entry.path.clone(),
            writers: writers(entry),
            nameless: entry.nameless,
            last: entry.opens == 0,
            replaced: false,
            opened_at: entry.opened_at,
        };
        Released::Read { inode, entry: snapshot }
    }

    /// Reads a version; the entry goes only afterwards, so that the tracer sees it as pending meanwhile.
    fn read_version(&mut self, inode: Inode, snapshot: &Snapshot, cause: VersionCause) {
        self.emit_open_file(snapshot, cause);
        if snapshot.last {
            let mut table = self.watches.lock();
            if table.by_inode.get(&inode).is_some_and(|entry| entry.opens == 0) {
                self.watches.remove(&mut table, inode);
            }
        }
    }

    fn emit_open_file(&mut self, snapshot: &Snapshot, cause: VersionCause) {
        if snapshot.nameless {
            return;
        }
        let opened;
        let file = match &snapshot.fd {
            Some(file) => file.as_raw_fd(),
            None if snapshot.replaced => {
                let state = states::unread(None, "another file was put in its place before it was read");
                self.version(&snapshot.path, state, snapshot.writers.clone(), cause, snapshot.opened_at);
                return;
            }
            None => match open_path(&snapshot.path) {
                Some(file) => {
                    opened = file;
                    opened.as_raw_fd()
                }
                None => {
                    let state = states::unread(None, "it could not be opened for reading");
                    self.version(&snapshot.path, state, snapshot.writers.clone(), cause, self.out.now());
                    return;
                }
            },
        };
        let Ok(stat) = fd::fstat(file) else { return };
        // The name is gone: its end was or will be told by the unlink that took it. Where a rename put another file in its
        // place, what it held until then was a version that others could read.
        let was_version = || snapshot.last && (snapshot.replaced || stands(&snapshot.path));
        if stat.links == 0 && !was_version() {
            return;
        }
        // The release itself has no time. The last change of the inode has one, and it can't be set by anybody.
        let at = stat.changed.clamp(snapshot.opened_at, snapshot.opened_at.max(self.out.now()));
        let state = self.states.of_file(&snapshot.path, file, &stat);
        self.version(&snapshot.path, state, snapshot.writers.clone(), cause, at);
    }

    fn read_still_open(&mut self) {
        let mut rest: Vec<(Inode, Entry)> = {
            let mut table = self.watches.lock();
            let inodes: Vec<Inode> = table.by_inode.keys().copied().collect();
            inodes.into_iter().filter_map(|inode| Some((inode, self.watches.remove(&mut table, inode)?))).collect()
        };
        rest.sort_by(|(_, a), (_, b)| a.path.cmp(&b.path));
        for (_, entry) in rest {
            let snapshot = Snapshot {
                writers: writers(&entry),
                fd: entry.fd,
                path: entry.path,
                nameless: entry.nameless,
                last: true,
                replaced: false,
                opened_at: entry.opened_at,
            };
            self.emit_open_file(&snapshot, VersionCause::StillOpen);
        }
    }

    fn do_job(&mut self, job: Job) {
        match job {
            Job::Before { path, image } => self.before(&path, image),
            Job::Now { path, by, at, cause } => self.now(&path, by, at, cause),
            Job::Renamed { old, new, source, target, by, at } => self.renamed(&old, &new, source, target, by, at),
            Job::Exchanged { a, b, pin_a, pin_b, by, at } => self.exchanged(&a, &b, pin_a, pin_b, by, at),
            Job::Linked { old, new, source, by, at } => self.linked(&old, &new, source, by, at),
            Job::Symlinked { path, target, by, at } => {
                self.missing_before(&path);
                let state = FileState::Symlink { target: OsBytes::from(target) };
                self.version(&path, state, vec![by], VersionCause::Symlinked, at);
            }
            Job::Unlinked { path, was, by, at } => {
                self.read_released_at(&path, None, false);
                self.known_before(&path, was.as_ref());
                self.version(&path, FileState::Missing, vec![by], VersionCause::Unlinked, at);
            }
            Job::Mode { path, was, mode, by, at } => self.mode(&path, &was, mode, by, at),
            Job::Inherited { path, inode } => self.inherited(&path, inode),
            Job::Hash { path, pin, reply } => {
                let state = self.states.of_pin(&path, &pin);
                let _tracer_gone = reply.send(state);
            }
            Job::Barrier { reply } => {
                self.read_released();
                let _tracer_gone = reply.send(());
            }
        }
    }

    fn before(&mut self, path: &[u8], image: PreImage) {
        if self.states.get(path).is_some() {
            return;
        }
        let state = match image {
            PreImage::Missing => FileState::Missing,
            PreImage::Bytes { bytes, mode } => self.states.of_bytes(path, &bytes, mode),
            PreImage::State(state) => state,
        };
        self.states.set(path, state);
    }

    fn missing_before(&mut self, path: &[u8]) {
        if self.states.get(path).is_none() {
            self.states.set(path, FileState::Missing);
        }
    }

    fn known_before(&mut self, path: &[u8], was: Option<&Pin>) {
        if self.states.get(path).is_none()
            && let Some(was) = was
        {
            let state = self.states.of_pin(path, was);
            self.states.set(path, state);
        }
    }

    fn now(&mut self, path: &[u8], by: ProcessId, at: EventTime, cause: VersionCause) {
        let Some(file) = open_path(path) else { return };
        let Ok(stat) = fd::fstat(file.as_raw_fd()) else { return };
        if stat.is_file() {
            let state = self.states.of_file(path, file.as_raw_fd(), &stat);
            self.version(path, state, vec![by], cause, at);
        }
    }

    fn renamed(
        &mut self,
        old: &[u8],
        new: &[u8],
        source: Option<Pin>,
        target: Option<Pin>,
        by: ProcessId,
        at: EventTime,
    ) {
        let Some(source) = source else { return };
        self.read_released_at(new, Some(source.stat.inode), true);
        self.move_entries(old, new, source.stat.inode);
        if source.stat.is_dir() {
            for path in self.states.below(old) {
                let mut to = new.to_vec();
                to.extend_from_slice(&path[old.len()..]);
                if let Some(state) = self.states.get(&path).filter(|state| **state != FileState::Missing).cloned() {
                    self.move_state(&path, &to, state, by, at);
                }
            }
            return;
        }
        match target {
            Some(target) => self.known_before(new, Some(&target)),
            None => self.missing_before(new),
        }
        let state = self.current_state(old, new, &source);
        self.known_before(old, Some(&source));
        self.move_state(old, new, state, by, at);
    }

    /// What the file at `old` holds now, kept as the place `new` asks for.
    fn current_state(&mut self, old: &[u8], new: &[u8], source: &Pin) -> FileState {
        let open = self.watches.holds(source.stat.inode);
        match self.states.get(old).filter(|state| !open && **state != FileState::Missing).cloned() {
            Some(known) if !self.states.must_read_again(&known, new) => known,
            _ => self.states.of_pin(new, source),
        }
    }

    fn move_state(&mut self, old: &[u8], new: &[u8], state: FileState, by: ProcessId, at: EventTime) {
        self.missing_before(new);
        let from = VersionCause::RenamedFrom(OsBytes::from(old));
        let to = VersionCause::RenamedTo(OsBytes::from(new));
        self.version(new, state, vec![by], from, at);
        self.version(old, FileState::Missing, vec![by], to, at);
    }

    /// Files that are open for writing follow their names.
    fn move_entries(&self, old: &[u8], new: &[u8], inode: Inode) {
        let mut table = self.watches.lock();
        for (key, entry) in &mut table.by_inode {
            if *key == inode {
                entry.path = new.to_vec();
            } else if let Some(rest) = entry.path.strip_prefix(old)
                && rest.starts_with(b"/")
            {
                entry.path = [new, rest].concat();
            }
        }
    }

    fn exchanged(&mut self, a: &[u8], b: &[u8], pin_a: Option<Pin>, pin_b: Option<Pin>, by: ProcessId, at: EventTime) {
        let (Some(pin_a), Some(pin_b)) = (pin_a, pin_b) else { return };
        self.known_before(a, Some(&pin_a));
        self.known_before(b, Some(&pin_b));
        if pin_a.stat.is_dir() || pin_b.stat.is_dir() {
            return;
        }
        let to_b = self.current_state(a, b, &pin_a);
        let to_a = self.current_state(b, a, &pin_b);
        {
            let mut table = self.watches.lock();
            for (inode, path) in [(pin_a.stat.inode, b), (pin_b.stat.inode, a)] {
                if let Some(entry) = table.by_inode.get_mut(&inode) {
                    entry.path = path.to_vec();
                }
            }
        }
        self.version(a, to_a, vec![by], VersionCause::RenamedFrom(OsBytes::from(b)), at);
        self.version(b, to_b, vec![by], VersionCause::RenamedFrom(OsBytes::from(a)), at);
    }

    fn linked(&mut self, old: &[u8], new: &[u8], source: Option<Pin>, by: ProcessId, at: EventTime) {
        let Some(source) = source else { return };
        if let Some(entry) = self.watches.lock().by_inode.get_mut(&source.stat.inode)
            && entry.nameless
        {
            entry.nameless = false;
            entry.path = new.to_vec();
        }
        self.missing_before(new);
        let state = self.current_state(old, new, &source);
        self.version(new, state, vec![by], VersionCause::LinkedFrom(OsBytes::from(old)), at);
    }

    fn mode(&mut self, path: &[u8], was: &Pin, mode: u32, by: ProcessId, at: EventTime) {
        if !was.stat.is_file() || self.watches.holds(was.stat.inode) {
            // The version at its release carries the mode.
            return;
        }
        if self.states.get(path).is_none() && !self.states.layout.place(path).inside() {
            return;
        }
        self.known_before(path, Some(was));
        let after = match self.states.get(path) {
            Some(FileState::File { content, .. }) => FileState::File { content: content.clone(), mode },
            _ => return,
        };
        self.version(path, after, vec![by], VersionCause::ModeChanged, at);
    }

    fn inherited(&mut self, path: &[u8], inode: Inode) {
        let file = self.watches.lock().by_inode.get(&inode).and_then(|entry| entry.fd.clone());
        if let Some(file) = file
            && let Ok(stat) = fd::fstat(file.as_raw_fd())
        {
            let state = self.states.of_file(path, file.as_raw_fd(), &stat);
            self.states.set(path, state);
        }
    }

    /// Emits a version, unless nothing changed.
    fn version(&mut self, path: &[u8], after: FileState, writers: Vec<ProcessId>, cause: VersionCause, at: EventTime) {
        let before = self.states.get(path);
        if before.is_some_and(|before| states::same(before, &after)) {
            return;
        }
        let before = self
            .states
            .set(path, after.clone())
            .unwrap_or_else(|| FileState::Unknown { why: "its state before was not seen".to_owned() });
        let workspace_path = self.states.layout.workspace_path(path);
        let process = if let [only] = writers.as_slice() { Some(*only) } else { None };
        let version = FileVersion { path: OsBytes::from(path), workspace_path, before, after, writers, cause };
        self.out.say(at, process, What::FileVersion(version));
    }
}

/// What is needed to read a version without holding the table.
struct Snapshot {
    fd: Option<Arc<OwnedFd>>,
    path: Vec<u8>,
    writers: Vec<ProcessId>,
    nameless: bool,
    last: bool,
    /// Another file has its name now.
    replaced: bool,
    opened_at: EventTime,
}

enum Released {
    NotYet,
    Unknown,
    Read { inode: Inode, entry: Snapshot },
}

fn writers(entry: &Entry) -> Vec<ProcessId> {
    let mut writers = entry.writers.clone();
    writers.extend(entry.heirs.iter().filter(|heir| !entry.writers.contains(heir)));
    writers
}

/// Whether something has the name.
fn stands(path: &[u8]) -> bool {
    CString::new(path).is_ok_and(|path| fd::stat(&path, false).is_ok())
}

fn open_path(path: &[u8]) -> Option<OwnedFd> {
    let path = CString::new(path).ok()?;
    // O_NONBLOCK: should the path have become a fifo meanwhile.
    let file = fd::open(&path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW).ok()?;
    fd::fstat(file.as_raw_fd()).is_ok_and(|stat| stat.is_file()).then_some(file)
}
