//! The last known state of every path that the attempt touched, and the policy that makes states from files.

use super::git::Git;
use super::ignore::Ignore;
use super::job::Pin;
use super::policy::{Layout, Place};
use super::read::{self, Read};
use crate::observation::ContentSink;
use crate::options::{Limits, Options};
use crate::sys::fd::Stat;
use agentprov_model::{Content, FileState, HashOnly, Kept, OsBytes};
use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

/// States by path, and everything that is needed to make a new one.
pub(crate) struct States {
    pub(crate) layout: Layout,
    sink: Arc<dyn ContentSink>,
    limits: Limits,
    contents: bool,
    git: Git,
    ignore: Ignore,
    known: HashMap<Vec<u8>, FileState>,
    buffer: Vec<u8>,
}

impl States {
    pub(crate) fn new(options: &Options, sink: Arc<dyn ContentSink>) -> Self {
        let workspace = options.workspace.as_path();
        Self {
            layout: Layout::new(workspace, &options.own_files),
            sink,
            limits: options.limits,
            contents: options.contents,
            git: Git::new(workspace),
            ignore: Ignore::new(workspace),
            known: HashMap::new(),
            buffer: Vec::new(),
        }
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<&FileState> {
        self.known.get(path)
    }

    /// Sets the state of a path; gives the one before.
    pub(crate) fn set(&mut self, path: &[u8], state: FileState) -> Option<FileState> {
        if path.ends_with(b"/.gitignore") || path.ends_with(b"/.git/info/exclude") {
            self.ignore.forget();
        }
        match self.known.get_mut(path) {
            Some(slot) => Some(std::mem::replace(slot, state)),
            None => self.known.insert(path.to_vec(), state),
        }
    }

    /// Paths below a directory whose state is known, in order.
    pub(crate) fn below(&self, dir: &[u8]) -> Vec<Vec<u8>> {
        let mut found: Vec<Vec<u8>> = self
            .known
            .keys()
            .filter(|path| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with(b"/")))
            .cloned()
            .collect();
        found.sort_unstable();
        found
    }

    /// The state of bytes that were read at a stop.
    pub(crate) fn of_bytes(&mut self, path: &[u8], bytes: &[u8], mode: u32) -> FileState {
        let place = self.layout.place(path);
        let why = self.hash_only(path, place);
        let read = read::name(bytes, self.git_names(place, why));
        let kept = self.keep(place, why, &read, bytes);
        FileState::File { content: content(read, kept), mode }
    }

    /// The state of an open file.
    pub(crate) fn of_file(&mut self, path: &[u8], file: RawFd, stat: &Stat) -> FileState {
        if stat.size > self.limits.max_hash_bytes {
            return unread(Some(stat.size), "the file is larger than the limit for hashing");
        }
        let place = self.layout.place(path);
        let why = self.hash_only(path, place);
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = read::read(file, stat.size, self.limits.max_file_bytes, self.git_names(place, why), &mut buffer);
        let state = match result {
            Ok(read) => {
                let why = why.or((!read.whole).then_some(HashOnly::TooLarge));
                let kept = self.keep(place, why, &read, &buffer);
                FileState::File { content: content(read, kept), mode: stat.permissions() }
            }
            Err(error) => unread(Some(stat.size), &format!("it could not be read: {error}")),
        };
        buffer.shrink_to(1 << 20);
        self.buffer = buffer;
        state
    }

    /// The state of something that was held fast at a stop.
    pub(crate) fn of_pin(&mut self, path: &[u8], pin: &Pin) -> FileState {
        if let Some(target) = &pin.target {
            return FileState::Symlink { target: OsBytes::from(target.as_slice()) };
        }
        if pin.stat.is_dir() {
            return FileState::Directory;
        }
        if !pin.stat.is_file() {
            return FileState::Special;
        }
        match &pin.fd {
            Some(file) => self.of_file(path, file.as_raw_fd(), &pin.stat),
            None => unread(Some(pin.stat.size), "it could not be opened for reading"),
        }
    }

    /// The same content at another place may have to be kept otherwise: true where it must be read again.
    pub(crate) fn must_read_again(&mut self, state: &FileState, path: &[u8]) -> bool {
        let FileState::File { content, .. } = state else { return !matches!(state, FileState::Symlink { .. }) };
        match content.kept {
            Kept::Stored | Kept::Git => false,
            Kept::HashOnly(why) => self.hash_only(path, self.layout.place(path)) != Some(why),
        }
    }

    fn hash_only(&mut self, path: &[u8], place: Place) -> Option<HashOnly> {
        if let Some(why) = place.hash_only() {
            return Some(why);
        }
        if place == Place::Workspace
            && let Some(below) = self.layout.below(path)
            && self.ignore.ignores(below)
        {
            return Some(HashOnly::Ignored);
        }
        (!self.contents).then_some(HashOnly::SwitchedOff)
    }

    fn git_names(&self, place: Place, why: Option<HashOnly>) -> Option<super::git::ObjectFormat> {
        let wanted = place == Place::Workspace && why != Some(HashOnly::Ignored);
        self.git.format().filter(|_| wanted)
    }

    fn keep(&mut self, place: Place, why: Option<HashOnly>, read: &Read, bytes: &[u8]) -> Kept {
        if place == Place::Workspace
            && let Some(id) = &read.git
            && self.git.holds(id)
        {
            return Kept::Git;
        }
        match why {
            Some(why) => Kept::HashOnly(why),
            None => self.sink.keep(bytes, read.sha256, read.git),
        }
    }
}

fn content(read: Read, kept: Kept) -> Content {
    Content { sha256: read.sha256, git: read.git, size: read.size, kept }
}

/// A state for a file that was not read.
pub(crate) fn unread(size: Option<u64>, why: &str) -> FileState {
    FileState::Unread { size, why: why.to_owned() }
}

/// True where nothing that counts differs: bytes and mode, or the target, or the kind.
pub(crate) fn same(a: &FileState, b: &FileState) -> bool {
    match (a, b) {
        (FileState::File { content: x, mode: m }, FileState::File { content: y, mode: n }) => {
            x.sha256 == y.sha256 && m == n
        }
        (FileState::Unread { .. } | FileState::Unknown { .. }, _) => false,
        _ => a == b,
    }
}
