//! From a path as the caller means it to the file that it names, one part after the other.
//!
//! The kernel would resolve `/`, `..` and `/proc/self` for us and not for the caller. So each part is opened by itself, below
//! the caller's own root, and links are read and followed here. A link of procfs that leads to an open file is
//! followed only where it is the caller's own: ours, or those of a process that only we may look into, are not for it.

use super::caller::Caller;
use crate::ptrace::paths;
use crate::sys::fd::{self, Stat};
use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// As in the kernel.
const MAX_LINKS: u32 = 40;
/// The inode of a procfs's top.
const PROC_ROOT: u64 = 1;
/// Directories of procfs are not deeper.
const MAX_DEPTH: usize = 32;
/// What everybody may read of every process, proc(5).
const PUBLIC: [&[u8]; 12] = [
    b"stat",
    b"status",
    b"statm",
    b"cmdline",
    b"comm",
    b"cgroup",
    b"limits",
    b"oom_score",
    b"oom_score_adj",
    b"loginuid",
    b"sessionid",
    b"task",
];

/// Where the resolution begins.
pub(super) struct Start<'a> {
    pub(super) caller: &'a Caller,
    /// Our own process number.
    pub(super) own_pid: i32,
    pub(super) root: OwnedFd,
    /// The directory to which relative paths belong.
    pub(super) base: OwnedFd,
}

/// What a path names.
pub(super) struct Found {
    /// The directory that holds the last part.
    pub(super) parent: OwnedFd,
    /// The last part.
    pub(super) name: CString,
    /// What is there, as an O_PATH descriptor.
    pub(super) there: Option<There>,
    /// Nothing is there, and the path ends with a slash.
    pub(super) slash: bool,
}

pub(super) struct There {
    pub(super) handle: OwnedFd,
    pub(super) stat: Stat,
}

impl Found {
    /// The absolute path.
    pub(super) fn path(&self) -> Vec<u8> {
        if let Some(path) = self.there.as_ref().and_then(|there| paths::of_own(&there.handle)) {
            return path;
        }
        let mut path = paths::of_own(&self.parent).unwrap_or_default();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(self.name.as_bytes());
        path
    }
}

/// A resolution under way.
struct Walk<'a> {
    start: &'a Start<'a>,
    at: OwnedFd,
    rest: VecDeque<Vec<u8>>,
    slash: bool,
    links: u32,
}

/// Resolves; `follow` says whether a link in the last place is followed.
pub(super) fn find(start: &Start<'_>, path: &[u8], follow: bool) -> io::Result<Found> {
    if path.is_empty() {
        return fail(libc::ENOENT);
    }
    let at = if path.starts_with(b"/") { start.root.try_clone()? } else { start.base.try_clone()? };
    let mut walk = Walk { start, at, rest: VecDeque::new(), slash: false, links: 0 };
    walk.put_first(path);
    while let Some(part) = walk.rest.pop_front() {
        if let Some(found) = walk.step(&part, follow)? {
            check_procfs(start, &found)?;
            return Ok(found);
        }
    }
    // The path ended with a dot, or was nothing but slashes.
    let there = There { handle: walk.at.try_clone()?, stat: fd::fstat(walk.at.as_raw_fd())? };
    let found = Found { parent: walk.at, name: c".".to_owned(), there: Some(there), slash: true };
    check_procfs(start, &found)?;
    Ok(found)
}

impl Walk<'_> {
    fn put_first(&mut self, path: &[u8]) {
        if self.rest.is_empty() {
            self.slash |= path.ends_with(b"/");
        }
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).rev() {
            self.rest.push_front(part.to_vec());
        }
    }

    fn step(&mut self, part: &[u8], follow: bool) -> io::Result<Option<Found>> {
        let last = self.rest.is_empty();
        match part {
            b"." => {
                self.must_be_directory(&fd::fstat(self.at.as_raw_fd())?)?;
                return Ok(None);
            }
            b".." => {
                if !self.at_root()? {
                    self.at = fd::open_at(&self.at, c"..", libc::O_PATH | libc::O_DIRECTORY, 0)?;
                }
                return Ok(None);
            }
            _ => {}
        }
        let name = CString::new(part).map_err(|_| io::Error::from_raw_os_error(libc::ENOENT))?;
        let handle = match fd::open_at(&self.at, &name, libc::O_PATH | libc::O_NOFOLLOW, 0) {
            Ok(handle) => handle,
            Err(error) if last && error.raw_os_error() == Some(libc::ENOENT) => {
                return Ok(Some(Found { parent: self.at.try_clone()?, name, there: None, slash: self.slash }));
            }
            Err(error) => return Err(error),
        };
        let stat = fd::fstat(handle.as_raw_fd())?;
        if stat.is_symlink() && (!last || follow || self.slash) {
            return self.follow(name, &handle, &stat, last);
        }
        if !last || self.slash {
            self.must_be_directory(&stat)?;
        }
        if last {
            let there = Some(There { handle, stat });
            return Ok(Some(Found { parent: self.at.try_clone()?, name, there, slash: false }));
        }
        self.at = handle;
        Ok(None)
    }

    fn follow(&mut self, name: CString, link: &OwnedFd, stat: &Stat, last: bool) -> io::Result<Option<Found>> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return fail(libc::ELOOP);
        }
        if fd::is_procfs(self.at.as_raw_fd()) {
            let top = fd::fstat(self.at.as_raw_fd())?.inode.1 == PROC_ROOT;
            if !top {
                return self.follow_magic(name, last);
            }
            if let Some(own) = self.own_of_procfs(name.as_bytes()) {
                self.put_first(&own);
                return Ok(None);
            }
        } else {
            self.protected(stat)?;
        }
        let target = fd::readlink_at(link.as_raw_fd(), c"")?;
        if target.is_empty() {
            return fail(libc::ENOENT);
        }
        if target.starts_with(b"/") {
            self.at = self.start.root.try_clone()?;
        }
        self.put_first(&target);
        Ok(None)
    }

    /// A link to something open: only the kernel can follow it.
    fn follow_magic(&mut self, name: CString, last: bool) -> io::Result<Option<Found>> {
        if !matches!(owner(&self.at), Owner::Process(pid) if is_own(self.start, pid)) {
            return fail(libc::EACCES);
        }
        let handle = fd::open_at(&self.at, &name, libc::O_PATH, 0)?;
        let stat = fd::fstat(handle.as_raw_fd())?;
        if !last || self.slash {
            self.must_be_directory(&stat)?;
        }
        if last {
            let there = Some(There { handle, stat });
            return Ok(Some(Found { parent: self.at.try_clone()?, name, there, slash: false }));
        }
        self.at = handle;
        Ok(None)
    }

    /// What `/proc/self` and `/proc/thread-self` are for the caller, in the numbers of this procfs.
    fn own_of_procfs(&self, name: &[u8]) -> Option<Vec<u8>> {
        let Caller { tid, tgid, inner_pid, .. } = *self.start.caller;
        let ours = fd::readlink_at(self.at.as_raw_fd(), c"self").ok();
        let same_numbers = ours.is_some_and(|ours| ours == self.start.own_pid.to_string().as_bytes());
        let pid = if same_numbers { tgid } else { inner_pid };
        match name {
            b"self" => Some(pid.to_string().into_bytes()),
            // In another procfs the number of the thread is not known; that of its first thread is.
            b"thread-self" if same_numbers => Some(format!("{pid}/task/{tid}").into_bytes()),
            b"thread-self" => Some(format!("{pid}/task/{pid}").into_bytes()),
            _ => None,
        }
    }

    /// fs.protected_symlinks: in a directory like /tmp, links are followed for their owner and for the directory's.
    fn protected(&self, link: &Stat) -> io::Result<()> {
        let directory = fd::fstat(self.at.as_raw_fd())?;
        let shared = directory.mode & (libc::S_ISVTX | libc::S_IWOTH) == libc::S_ISVTX | libc::S_IWOTH;
        let foreign = link.uid != self.start.caller.rights.user && link.uid != directory.uid;
        if shared && foreign { fail(libc::EACCES) } else { Ok(()) }
    }

    fn at_root(&self) -> io::Result<bool> {
        let root = fd::fstat(self.start.root.as_raw_fd())?;
        Ok(fd::fstat(self.at.as_raw_fd())?.inode == root.inode)
    }

    fn must_be_directory(&self, stat: &Stat) -> io::Result<()> {
        if stat.is_dir() { Ok(()) } else { fail(libc::ENOTDIR) }
    }
}

/// Refuses what the kernel would show us and not the caller.
fn check_procfs(start: &Start<'_>, found: &Found) -> io::Result<()> {
    let in_procfs = found.there.as_ref().is_some_and(|there| fd::is_procfs(there.handle.as_raw_fd()));
    if !in_procfs || !fd::is_procfs(found.parent.as_raw_fd()) {
        return Ok(());
    }
    let open = match owner(&found.parent) {
        Owner::Nobody => true,
        Owner::Process(pid) => is_own(start, pid) || PUBLIC.contains(&found.name.as_bytes()),
        Owner::Unknown => PUBLIC.contains(&found.name.as_bytes()),
    };
    if open { Ok(()) } else { fail(libc::EACCES) }
}

fn is_own(start: &Start<'_>, pid: i32) -> bool {
    let Caller { tid, tgid, inner_pid, .. } = *start.caller;
    pid != start.own_pid && [tid, tgid, inner_pid].contains(&pid)
}

/// To whom a directory of procfs belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    /// It is no process's.
    Nobody,
    Process(i32),
    /// Only a part of procfs is mounted there.
    Unknown,
}

/// Climbs to the top of the procfs: what lies just below it is named for its process.
fn owner(directory: &OwnedFd) -> Owner {
    let mut below: Option<OwnedFd> = None;
    let Ok(mut at) = directory.try_clone() else { return Owner::Unknown };
    for _ in 0..MAX_DEPTH {
        if !fd::is_procfs(at.as_raw_fd()) {
            return Owner::Unknown;
        }
        if fd::fstat(at.as_raw_fd()).is_ok_and(|stat| stat.inode.1 == PROC_ROOT) {
            let Some(path) = below.as_ref().and_then(paths::of_own) else { return Owner::Nobody };
            let name = path.rsplit(|byte| *byte == b'/').next().and_then(|name| std::str::from_utf8(name).ok());
            return name.and_then(|name| name.parse().ok()).map_or(Owner::Nobody, Owner::Process);
        }
        let Ok(up) = fd::open_at(&at, c"..", libc::O_PATH | libc::O_DIRECTORY, 0) else { return Owner::Unknown };
        below = Some(std::mem::replace(&mut at, up));
    }
    Owner::Unknown
}

fn fail<T>(errno: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_procfs_belong_to_processes() {
        let own = std::process::id().cast_signed();
        let cases = [
            (format!("/proc/{own}"), Owner::Process(own)),
            (format!("/proc/{own}/task/{own}/fd"), Owner::Process(own)),
            ("/proc/self/fd".to_owned(), Owner::Process(own)),
            ("/proc".to_owned(), Owner::Nobody),
            ("/proc/sys/kernel".to_owned(), Owner::Nobody),
            ("/".to_owned(), Owner::Unknown),
        ];
        for (path, expected) in cases {
            let directory = fd::open(&CString::new(path.clone()).expect("no NUL"), libc::O_PATH).expect("a directory");
            assert_eq!(owner(&directory), expected, "{path}");
        }
    }
}
