//! Installing a classic BPF filter, seccomp(2).

#![allow(unsafe_code, reason = "seccomp(2) and prctl(2)")]

use std::io;

/// Installs the program on the calling thread; without CAP_SYS_ADMIN that takes NO_NEW_PRIVS, which is then set.
/// Safe to call between fork and exec: no allocation, no locks.
pub(crate) fn install(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let wanted = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    match set_filter(&wanted) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            // SAFETY: plain integers.
            if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
            set_filter(&wanted)
        }
        other => other,
    }
}

fn set_filter(program: &libc::sock_fprog) -> io::Result<()> {
    // SAFETY: `program` describes a live array of instructions, which the kernel copies.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::from_ref(program)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether the kernel knows filters with RET_TRACE.
pub(crate) fn knows_trace() -> bool {
    let action: u32 = libc::SECCOMP_RET_TRACE;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}
