//! Paths as the tracee means them, seen from outside.

use super::process::Caller;
use crate::sys::fd::{self, Stat};
use crate::workspace::job::Pin;
use std::ffi::CString;
use std::io;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};

/// `/proc/<tid>/fd/<n>`.
pub(crate) fn fd_link(tid: i32, number: i64) -> CString {
    proc_path(format_args!("/proc/{tid}/fd/{number}"))
}

/// `/proc/self/fd/<n>` for a descriptor of our own.
pub(crate) fn own_link(file: &OwnedFd) -> CString {
    proc_path(format_args!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// A path below `/proc`.
pub(crate) fn proc_path(text: std::fmt::Arguments<'_>) -> CString {
    let mut bytes = Vec::with_capacity(40);
    let _memory = bytes.write_fmt(text);
    CString::new(bytes).unwrap_or_default()
}

/// Where a descriptor of the tracee leads.
pub(crate) fn of_fd(tid: i32, number: i64) -> Option<Vec<u8>> {
    fd::readlink(&fd_link(tid, number)).ok()
}

/// Where one of our own descriptors leads.
pub(crate) fn of_own(file: &OwnedFd) -> Option<Vec<u8>> {
    fd::readlink(&own_link(file)).ok()
}

/// `/proc/<tid>/<name>` as a link.
pub(crate) fn link(tid: i32, name: &str) -> Option<Vec<u8>> {
    fd::readlink(&proc_path(format_args!("/proc/{tid}/{name}"))).ok()
}

/// A path under which we reach what the tracee means by `given`.
pub(crate) fn reach(caller: &Caller, dirfd: i32, given: &[u8]) -> CString {
    let Caller { tid, tgid, .. } = *caller;
    let mut bytes = Vec::with_capacity(given.len() + 32);
    let rest = if let Some(rest) = given.strip_prefix(b"/") {
        // Names that mean something else to each process.
        let own = |prefix: &[u8]| given.strip_prefix(prefix);
        if let Some(rest) = own(b"/proc/self/") {
            let _memory = write!(bytes, "/proc/{tgid}/");
            rest
        } else if let Some(rest) = own(b"/proc/thread-self/") {
            let _memory = write!(bytes, "/proc/{tgid}/task/{tid}/");
            rest
        } else if let Some(rest) = own(b"/dev/fd/") {
            let _memory = write!(bytes, "/proc/{tid}/fd/");
            rest
        } else if let Some(number) =
            [&b"/dev/stdin"[..], b"/dev/stdout", b"/dev/stderr"].iter().position(|n| *n == given)
        {
            let _memory = write!(bytes, "/proc/{tid}/fd/{number}");
            b""
        } else if caller.other_root {
            let _memory = write!(bytes, "/proc/{tid}/root/");
            rest
        } else {
            bytes.push(b'/');
            rest
        }
    } else {
        let _memory = match dirfd {
            libc::AT_FDCWD => write!(bytes, "/proc/{tid}/cwd"),
            number => write!(bytes, "/proc/{tid}/fd/{number}"),
        };
        if !given.is_empty() {
            bytes.push(b'/');
        }
        given
    };
    bytes.extend_from_slice(rest);
    CString::new(bytes).unwrap_or_default()
}

/// `given` joined to the directory that it is relative to; nothing is resolved.
pub(crate) fn join(caller: &Caller, dirfd: i32, given: &[u8]) -> Vec<u8> {
    let base = if given.starts_with(b"/") {
        if !caller.other_root {
            return given.to_vec();
        }
        link(caller.tid, "root").filter(|root| root != b"/").unwrap_or_default()
    } else {
        base(caller, dirfd)
    };
    let mut path = base;
    if !given.is_empty() {
        if !given.starts_with(b"/") && path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(given);
    }
    path
}

fn base(caller: &Caller, dirfd: i32) -> Vec<u8> {
    let base = match dirfd {
        libc::AT_FDCWD => link(caller.tid, "cwd"),
        number => of_fd(caller.tid, i64::from(number)),
    };
    base.unwrap_or_default()
}

/// The absolute path of a name: its directory resolved, its last part not (that is what rename and unlink act on).
pub(crate) fn name(caller: &Caller, dirfd: i32, given: &[u8]) -> Vec<u8> {
    if given.is_empty() {
        return base(caller, dirfd);
    }
    let mut end = given.len();
    while end > 1 && given[end - 1] == b'/' {
        end -= 1;
    }
    let trimmed = &given[..end];
    let (dir, last) = match trimmed.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&trimmed[..=slash], &trimmed[slash + 1..]),
        None => (&b"."[..], trimmed),
    };
    if last.is_empty() || last == b"." || last == b".." {
        return join(caller, dirfd, given);
    }
    let resolved = if dir == b"." {
        Some(base(caller, dirfd))
    } else {
        fd::open(&reach(caller, dirfd, dir), libc::O_PATH | libc::O_DIRECTORY).ok().and_then(|dir| of_own(&dir))
    };
    match resolved {
        Some(mut path) if !path.is_empty() => {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(last);
            path
        }
        _ => join(caller, dirfd, given),
    }
}

/// True where joining `given` plainly gives `path`: then the fact need not carry both.
pub(crate) fn says_the_same(path: &[u8], given: &[u8]) -> bool {
    if given.starts_with(b"/") {
        return path == given;
    }
    let given = given.strip_prefix(b"./").unwrap_or(given);
    let plain = !given.split(|byte| *byte == b'/').any(|part| part == b".." || part == b"." || part.is_empty());
    plain && path.strip_suffix(given).is_some_and(|dir| dir.ends_with(b"/"))
}

/// Holds what is at a path fast; `follow` resolves a last symbolic link.
pub(crate) fn pin(path: &CString, follow: bool, readable: bool) -> io::Result<Pin> {
    let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
    let handle = fd::open(path, libc::O_PATH | nofollow)?;
    let stat = fd::fstat(handle.as_raw_fd())?;
    let target = if stat.is_symlink() { fd::readlink_at(handle.as_raw_fd(), c"").ok() } else { None };
    let file = if stat.is_file() && readable { reopen(&handle, &stat) } else { None };
    Ok(Pin { stat, fd: file, target })
}

/// A descriptor that can read, for an O_PATH one of a regular file.
pub(crate) fn reopen(handle: &OwnedFd, stat: &Stat) -> Option<OwnedFd> {
    // Only regular files: opening a fifo or a device has effects.
    if !stat.is_file() {
        return None;
    }
    fd::open(&own_link(handle), libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY).ok()
}

#[cfg(test)]
mod tests {
    use super::says_the_same;

    #[test]
    fn plain_names_need_no_second_form() {
        assert!(says_the_same(b"/a/b/c", b"/a/b/c"));
        assert!(says_the_same(b"/a/b/c", b"b/c"));
        assert!(says_the_same(b"/a/b/c", b"./c"));
        assert!(!says_the_same(b"/a/b/c", b"../b/c"));
        assert!(!says_the_same(b"/a/b/c", b"/link/c"));
        assert!(!says_the_same(b"/a/bc", b"c"));
    }
}
