//! Acting with the rights of somebody else, in one thread. The C library would change all threads: these are raw calls.

#![allow(unsafe_code, reason = "setfsuid, setfsgid, setgroups, capset, umask and unshare")]

use super::check;
use std::io;

/// What decides about files: user, group, further groups, effective capabilities.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rights {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) capabilities: u64,
}

/// `struct __user_cap_header_struct`, capset(2).
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`.
const CAP_VERSION: u32 = 0x2008_0522;

/// Gives this thread a umask and directories of its own.
pub(crate) fn own_umask() -> io::Result<()> {
    // SAFETY: plain integer.
    check(unsafe { libc::unshare(libc::CLONE_FS) }).map(drop)
}

/// Sets the umask.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: plain integer; it can't fail.
    unsafe { libc::umask(mask) };
}

/// Runs `deed` in this thread with the rights `other` instead of `own`; `None` where they can't be taken.
pub(crate) fn with_rights<T>(own: &Rights, other: &Rights, deed: impl FnOnce() -> T) -> Option<T> {
    if own == other {
        return Some(deed());
    }
    let taken = take(other);
    let result = taken.is_ok().then(deed);
    give_back(own);
    result
}

fn take(rights: &Rights) -> io::Result<()> {
    set_groups(&rights.groups)?;
    set_file_ids(rights)?;
    // What the change of the user left is cut down to what the other has.
    set_effective(rights.capabilities)
}

fn give_back(own: &Rights) {
    let _had_before = set_effective(own.capabilities);
    let _had_before = set_file_ids(own);
    let _had_before = set_effective(own.capabilities);
    let _had_before = set_groups(&own.groups);
}

fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the pointer and length describe `groups`; the raw call changes this thread only.
    let result = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_file_ids(rights: &Rights) -> io::Result<()> {
    // SAFETY: plain integers; an id of -1 changes nothing and tells the present one.
    let held = unsafe {
        libc::syscall(libc::SYS_setfsgid, rights.group);
        libc::syscall(libc::SYS_setfsuid, rights.user);
        [libc::syscall(libc::SYS_setfsgid, u32::MAX), libc::syscall(libc::SYS_setfsuid, u32::MAX)]
    };
    let wanted = [rights.group, rights.user].map(|id| libc::c_long::from(id.cast_signed()));
    if held == wanted { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

fn set_effective(capabilities: u64) -> io::Result<()> {
    let header = CapHeader { version: CAP_VERSION, pid: 0 };
    let mut data = [CapData::default(); 2];
    // SAFETY: header and data are live and of the sizes that version 3 asks for.
    let read = unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) };
    if read != 0 {
        return Err(io::Error::last_os_error());
    }
    data[0].effective = capabilities as u32;
    data[1].effective = (capabilities >> 32) as u32;
    if data.iter().any(|half| half.effective & !half.permitted != 0) {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    // SAFETY: as above.
    let set = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
