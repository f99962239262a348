//! The kernel's interfaces behind safe functions: the only files of this crate that hold `unsafe`.

pub(crate) mod credentials;
pub(crate) mod fd;
pub(crate) mod fork;
pub(crate) mod inotify;
pub(crate) mod memory;
pub(crate) mod notify;
pub(crate) mod ptrace;
pub(crate) mod seccomp;
pub(crate) mod signals;
pub(crate) mod socket;

/// Turns `-1` into the error that errno names.
fn check(result: libc::c_int) -> std::io::Result<libc::c_int> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}
