//! Opens: what they ask for, what was there before, what may be written.

use super::call::{Before, Pending};
use super::paths;
use super::process::Caller;
use super::syscalls::Call;
use super::tracer::Tracer;
use crate::sys::fd::{self, Stat};
use crate::sys::memory;
use crate::workspace::job::{Job, Pin, PreImage};
use crate::workspace::policy::Place;
use crate::workspace::watch::Opened;
use agentprov_model::{Access, CallResult, FileOpened, GapKind, OsBytes, VersionCause, What};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Pre-images up to this size are read at the stop; larger ones by the worker, while the tracee waits.
const READ_AT_STOP: u64 = 128 * 1024;
const O_TMPFILE: u32 = libc::O_TMPFILE.cast_unsigned();
/// `O_TMPFILE` without O_DIRECTORY.
pub(crate) const TMPFILE_BIT: u32 = O_TMPFILE & !libc::O_DIRECTORY.cast_unsigned();

pub(crate) const fn has(flags: u32, flag: i32) -> bool {
    flags & flag.cast_unsigned() != 0
}

pub(crate) const fn access_of(flags: u32) -> Access {
    if has(flags, libc::O_PATH) {
        return Access::Path;
    }
    match flags.cast_signed() & libc::O_ACCMODE {
        libc::O_RDONLY => Access::Read,
        libc::O_WRONLY => Access::Write,
        _ => Access::ReadWrite,
    }
}

impl Tracer {
    pub(crate) fn open_entry(&mut self, caller: &Caller, call: Call, args: &[u64; 6]) -> Option<Pending> {
        let creat = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
        let (dirfd, address, flags) = match call {
            Call::Open => (libc::AT_FDCWD, args[0], args[1] as u32),
            Call::Creat => (libc::AT_FDCWD, args[0], creat.cast_unsigned()),
            Call::Openat => (args[0] as i32, args[1], args[2] as u32),
            _ => {
                // struct open_how begins with its flags, 64 bits.
                let mut how = [0u8; 8];
                memory::read_exact(caller.tid, args[2], &mut how).ok()?;
                (args[0] as i32, args[1], u64::from_ne_bytes(how) as u32)
            }
        };
        let access = access_of(flags);
        let changes =
            access.writes() || access == Access::Read && (has(flags, libc::O_CREAT) || has(flags, libc::O_TRUNC));
        if !changes {
            return self.reads.then_some(Pending::OpenRead { dirfd, path: address, flags });
        }
        let path = memory::read_string(caller.tid, address).unwrap_or_default();
        let before = if flags & TMPFILE_BIT != 0 {
            Before::Nameless
        } else {
            self.before(caller, dirfd, &path, !has(flags, libc::O_NOFOLLOW))
        };
        Some(Pending::OpenWrite { dirfd, path, flags, before })
    }

    /// What is at a path now; its image is taken where the attempt had not seen the path yet. When this returns,
    /// every earlier version of the file is read.
    pub(crate) fn before(&mut self, caller: &Caller, dirfd: i32, given: &[u8], follow: bool) -> Before {
        let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
        let handle = match fd::open(&paths::reach(caller, dirfd, given), libc::O_PATH | nofollow) {
            Ok(handle) => handle,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Before::Missing,
            Err(_) => return Before::Nothing,
        };
        self.before_of(&handle)
    }

    /// The same for what an O_PATH descriptor names.
    pub(crate) fn before_of(&mut self, handle: &OwnedFd) -> Before {
        let Ok(stat) = fd::fstat(handle.as_raw_fd()) else { return Before::Nothing };
        if !stat.is_file() {
            return Before::Nothing;
        }
        let Some(path) = paths::of_own(handle) else { return Before::Nothing };
        if self.desk.layout.place(&path) == Place::Unversioned {
            return Before::Nothing;
        }
        if self.desk.is_unread(stat.inode) {
            self.desk.barrier();
        }
        let file = paths::reopen(handle, &stat);
        if self.desk.saw(&path) {
            return Before::File { path, stat, fd: file, image: None };
        }
        let (image, file) = self.image(&path, &stat, file);
        Before::File { path, stat, fd: file, image: Some(image) }
    }

    fn image(&mut self, path: &[u8], stat: &Stat, file: Option<OwnedFd>) -> (PreImage, Option<OwnedFd>) {
        if stat.size <= READ_AT_STOP
            && let Some(readable) = &file
        {
            let mut bytes = vec![0; stat.size as usize];
            if let Ok(length) = fd::read_at(readable.as_raw_fd(), &mut bytes, 0) {
                bytes.truncate(length);
                return (PreImage::Bytes { bytes, mode: stat.permissions() }, file);
            }
        }
        let copy = file.as_ref().and_then(|file| file.try_clone().ok());
        let (reply, answer) = crossbeam_channel::bounded(1);
        let pin = Pin { stat: *stat, fd: copy, target: None };
        self.desk.send(Job::Hash { path: path.to_vec(), pin, reply });
        let state = answer.recv().unwrap_or_else(|_| {
            crate::workspace::states::unread(Some(stat.size), "the recorder ended before it was read")
        });
        (PreImage::State(state), file)
    }

    pub(crate) fn open_read_exit(&mut self, caller: &Caller, dirfd: i32, address: u64, flags: u32, result: CallResult) {
        let at = self.out.now();
        let given = memory::read_string(caller.tid, address).unwrap_or_default();
        let resolved = match result {
            CallResult::Ok(number) => paths::of_fd(caller.tid, number),
            _ => None,
        };
        let fact = opened_fact(caller, dirfd, given, flags, resolved, result);
        self.out.say_of(at, Some(caller.id), caller.thread(), What::FileOpened(fact));
    }

    pub(crate) fn open_write_exit(
        &mut self,
        caller: &Caller,
        dirfd: i32,
        given: &[u8],
        flags: u32,
        before: Before,
        result: CallResult,
    ) {
        let at = self.out.now();
        let resolved = match result {
            CallResult::Ok(number) => paths::of_fd(caller.tid, number),
            _ => None,
        };
        if let (CallResult::Ok(number), Some(path)) = (result, &resolved)
            && self.desk.layout.place(path) != Place::Unversioned
        {
            let path = path.clone();
            self.writable(caller, &paths::fd_link(caller.tid, number), path, flags, before, at);
        }
        let fact = opened_fact(caller, dirfd, given.to_vec(), flags, resolved, result);
        self.out.say_of(at, Some(caller.id), caller.thread(), What::FileOpened(fact));
    }

    /// A regular file is now open for writing: its first state, its watch, our own descriptor.
    pub(crate) fn writable(
        &mut self,
        caller: &Caller,
        link: &CStr,
        path: Vec<u8>,
        flags: u32,
        before: Before,
        at: agentprov_model::EventTime,
    ) {
        let Ok(stat) = fd::stat(link, true) else { return };
        if !stat.is_file() {
            return;
        }
        let nameless = matches!(before, Before::Nameless);
        let created = matches!(before, Before::Missing);
        let (image, mut file) = match before {
            Before::Missing => (Some(PreImage::Missing), None),
            Before::File { stat: was, fd, image, .. } if was.inode == stat.inode => (image, fd),
            _ => (None, None),
        };
        if !nameless && !self.desk.saw(&path) {
            self.desk.see(&path);
            if let Some(image) = image {
                self.desk.send(Job::Before { path: path.clone(), image });
            }
        }
        if !access_of(flags).writes() {
            // O_CREAT or O_TRUNC with O_RDONLY: the kernel reports no release for it.
            if created || has(flags, libc::O_TRUNC) {
                let cause = if created { VersionCause::Closed } else { VersionCause::Truncated };
                self.desk.send(Job::Now { path, by: caller.id, at, cause });
                self.desk.barrier();
            }
            return;
        }
        if file.is_none() {
            file = fd::open(link, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY).ok();
        }
        let opened = Opened {
            inode: stat.inode,
            path: &path,
            link,
            fd: file,
            by: caller.id,
            ready_after: self.desk.sent,
            nameless,
            at,
        };
        let ids = &self.tree.ids;
        if !self.desk.watches.opened(opened, |id| ids.contains(id)) {
            self.out.lost(
                GapKind::Dropped,
                "an inotify watch was refused: versions of a file are read at the end only (fs.inotify.max_user_watches)",
            );
        }
        if let Some(process) = self.tree.processes.get_mut(&caller.tgid)
            && !process.writes.contains(&stat.inode)
        {
            let watches = &self.desk.watches;
            if process.writes.len() >= 16 {
                let table = watches.lock();
                process.writes.retain(|inode| table.by_inode.contains_key(inode));
            }
            process.writes.push(stat.inode);
        }
    }
}

fn opened_fact(
    caller: &Caller,
    dirfd: i32,
    given: Vec<u8>,
    flags: u32,
    resolved: Option<Vec<u8>>,
    result: CallResult,
) -> FileOpened {
    let (path, given) = match resolved {
        Some(path) if paths::says_the_same(&path, &given) => (path, None),
        Some(path) => {
            let joined = paths::join(caller, dirfd, &given);
            let given = (joined != path).then(|| OsBytes::from(given));
            (path, given)
        }
        None => (paths::join(caller, dirfd, &given), None),
    };
    FileOpened {
        path: OsBytes::from(path),
        given,
        access: access_of(flags),
        create: has(flags, libc::O_CREAT),
        truncate: has(flags, libc::O_TRUNC),
        result,
    }
}
