//! Descriptors: open, look at, duplicate, close.

#![allow(unsafe_code, reason = "raw system calls on descriptors")]

use super::check;
use agentprov_model::EventTime;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Which inode: device and number.
pub(crate) type Inode = (u64, u64);

/// What `stat(2)` says, as far as we use it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) inode: Inode,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    pub(crate) links: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// For devices which one.
    pub(crate) device: u64,
    /// Last change of content or attributes (ctime), by the realtime clock.
    pub(crate) changed: EventTime,
}

impl Stat {
    pub(crate) const fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    pub(crate) const fn is_dir(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }

    pub(crate) const fn is_symlink(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFLNK
    }

    /// Permission bits.
    pub(crate) const fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
}

fn stat_from(raw: &libc::stat) -> Stat {
    Stat {
        inode: (raw.st_dev, raw.st_ino),
        mode: raw.st_mode,
        size: u64::try_from(raw.st_size).unwrap_or(0),
        #[allow(clippy::useless_conversion, reason = "the width differs between architectures")]
        links: u64::from(raw.st_nlink),
        uid: raw.st_uid,
        gid: raw.st_gid,
        device: raw.st_rdev,
        changed: EventTime::from_nanos(raw.st_ctime.saturating_mul(1_000_000_000).saturating_add(raw.st_ctime_nsec)),
    }
}

/// `open(2)`, always close-on-exec.
pub(crate) fn open(path: &CStr, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    let fd = check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })?;
    // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `open(2)` with a mode, always close-on-exec.
pub(crate) fn open_with_mode(path: &CStr, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    let fd = check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, mode) })?;
    // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `openat(2)`, always close-on-exec.
pub(crate) fn open_at(dir: &OwnedFd, path: &CStr, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    let fd = check(unsafe { libc::openat(dir.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC, mode) })?;
    // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens a name in a directory, always close-on-exec; a link in its place is `ELOOP`.
pub(crate) fn open_no_links(dir: &OwnedFd, name: &CStr, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    /// `struct open_how`, openat2(2).
    #[repr(C)]
    struct How {
        flags: u64,
        mode: u64,
        resolve: u64,
    }
    /// linux/openat2.h
    const RESOLVE_NO_SYMLINKS: u64 = 4;
    let wanted = (flags | libc::O_CLOEXEC).cast_unsigned();
    let how = How { flags: wanted.into(), mode: mode.into(), resolve: RESOLVE_NO_SYMLINKS };
    // SAFETY: `name` is NUL-terminated, `how` is live and as long as we say.
    let fd =
        unsafe { libc::syscall(libc::SYS_openat2, dir.as_raw_fd(), name.as_ptr(), &raw const how, size_of::<How>()) };
    match i32::try_from(fd).ok().filter(|fd| *fd >= 0) {
        // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
        Some(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        None => match io::Error::last_os_error() {
            // It knows fewer flags than open, which passes over what it does not know; or it is not allowed here.
            error if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EPERM)) => {
                open_at(dir, name, flags | libc::O_NOFOLLOW, mode)
            }
            error => Err(error),
        },
    }
}

/// True for a descriptor in procfs.
pub(crate) fn is_procfs(fd: RawFd) -> bool {
    let mut raw = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `raw` is a writable structure.
    let result = unsafe { libc::fstatfs(fd, raw.as_mut_ptr()) };
    // SAFETY: zeroed is valid for this plain structure.
    result == 0 && unsafe { raw.assume_init() }.f_type == libc::PROC_SUPER_MAGIC
}

/// `fstat(2)`.
pub(crate) fn fstat(fd: RawFd) -> io::Result<Stat> {
    let mut raw = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `raw` is a writable stat structure.
    check(unsafe { libc::fstat(fd, raw.as_mut_ptr()) })?;
    // SAFETY: zeroed is valid for this plain structure, and the call filled it.
    Ok(stat_from(&unsafe { raw.assume_init() }))
}

/// `stat(2)` or, without `follow`, `lstat(2)`.
pub(crate) fn stat(path: &CStr, follow: bool) -> io::Result<Stat> {
    let mut raw = MaybeUninit::<libc::stat>::zeroed();
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: `path` is NUL-terminated, `raw` a writable stat structure.
    check(unsafe { libc::fstatat(libc::AT_FDCWD, path.as_ptr(), raw.as_mut_ptr(), flags) })?;
    // SAFETY: zeroed is valid for this plain structure, and the call filled it.
    Ok(stat_from(&unsafe { raw.assume_init() }))
}

/// `readlinkat(2)`; with an empty path the link that `dir` itself (an O_PATH descriptor) names.
pub(crate) fn readlink_at(dir: RawFd, path: &CStr) -> io::Result<Vec<u8>> {
    let mut buffer = [0u8; libc::PATH_MAX as usize];
    // SAFETY: `path` is NUL-terminated, the buffer is as long as we say.
    let length = unsafe { libc::readlinkat(dir, path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok(buffer[..length].to_vec())
}

/// `readlink(2)`.
pub(crate) fn readlink(path: &CStr) -> io::Result<Vec<u8>> {
    readlink_at(libc::AT_FDCWD, path)
}

/// True where the path exists, by `faccessat(2)`.
pub(crate) fn exists(path: &CStr) -> bool {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::F_OK, 0) == 0 }
}

/// `pread(2)` until the buffer is full or the file ends.
pub(crate) fn read_at(fd: RawFd, buffer: &mut [u8], mut offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let rest = &mut buffer[filled..];
        // SAFETY: the pointer and length describe `rest`, which is writable.
        let got = unsafe { libc::pread(fd, rest.as_mut_ptr().cast(), rest.len(), offset.cast_signed()) };
        match usize::try_from(got) {
            Ok(0) => break,
            Ok(count) => {
                filled += count;
                offset += count as u64;
            }
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(filled)
}

/// `read(2)` once; `Ok(0)` at the end.
pub(crate) fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length describe `buffer`, which is writable.
    let got = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// `write(2)` until everything is written.
pub(crate) fn write_all(fd: RawFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the pointer and length describe `bytes`.
        let put = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(put) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) => {
                let error = io::Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EAGAIN) => {
                        poll(&[(fd, libc::POLLOUT)], -1)?;
                    }
                    _ => return Err(error),
                }
            }
        }
    }
    Ok(())
}

/// A close-on-exec pipe: read end, write end.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the kernel just gave us both descriptors.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Duplicates above 9, close-on-exec.
pub(crate) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes plain integers.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 10) })?;
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// `dup2(2)`.
pub(crate) fn duplicate_onto(fd: RawFd, onto: RawFd) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::dup2(fd, onto) }).map(drop)
}

/// True where the other side of a descriptor is gone.
pub(crate) fn hangs_up(fd: RawFd) -> bool {
    let mut one = libc::pollfd { fd, events: 0, revents: 0 };
    // SAFETY: one live pollfd.
    let ready = unsafe { libc::poll(&raw mut one, 1, 0) };
    ready == 1 && one.revents & libc::POLLHUP != 0
}

/// File status flags (`F_GETFL`), or an error for a descriptor that is not open.
pub(crate) fn status_flags(fd: RawFd) -> io::Result<i32> {
    // SAFETY: plain integers.
    check(unsafe { libc::fcntl(fd, libc::F_GETFL) })
}

/// True where the descriptor is closed at exec.
pub(crate) fn closes_on_exec(fd: RawFd) -> bool {
    // SAFETY: plain integers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) & libc::FD_CLOEXEC != 0 }
}

/// Closes a descriptor in a child between fork and exec, where its owner in the parent is never dropped.
pub(crate) fn close_raw(fd: RawFd) {
    // SAFETY: plain integer; nothing in this process uses the descriptor afterwards.
    unsafe { libc::close(fd) };
}

/// Closes every descriptor from 3 up except those listed.
pub(crate) fn close_all_except(keep: &[RawFd]) {
    let mut keep: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).filter(|fd| *fd > 2).collect();
    keep.sort_unstable();
    let mut from = 3u32;
    for fd in keep.into_iter().chain([u32::MAX]) {
        if fd > from {
            // SAFETY: plain integers; the caller gives up all descriptors that are not in `keep`.
            unsafe { libc::syscall(libc::SYS_close_range, from, fd - 1, 0u32) };
        }
        from = fd.saturating_add(1);
    }
}

/// An eventfd that does not block.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `poll(2)`: which of the descriptors are ready. A negative timeout (milliseconds) waits without end.
pub(crate) fn poll(wanted: &[(RawFd, i16)], timeout_ms: i32) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> =
        wanted.iter().map(|(fd, events)| libc::pollfd { fd: *fd, events: *events, revents: 0 }).collect();
    // SAFETY: the pointer and length describe `polled`.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout_ms) };
    if result < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(polled.iter().map(|entry| entry.revents != 0).collect())
}

/// Raises the soft limit on open files to the hard one; gives the limit.
pub(crate) fn raise_open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a writable rlimit structure.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 1024;
    }
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a filled rlimit structure.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 { limit.rlim_max } else { before }
}

/// True where a file has the extended attribute.
pub(crate) fn has_xattr(path: &CStr, name: &CStr) -> bool {
    // SAFETY: both strings are NUL-terminated; size 0 asks for the length only.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) > 0 }
}

/// Our effective user and group id.
pub(crate) fn effective_ids() -> (u32, u32) {
    // SAFETY: these calls have no preconditions.
    unsafe { (libc::geteuid(), libc::getegid()) }
}
