//! Reading the memory of a stopped tracee.

#![allow(unsafe_code, reason = "process_vm_readv and PTRACE_PEEKDATA")]

use std::io;

const PAGE: u64 = 4096;
/// Longest string that is read: PATH_MAX.
const STRING_MAX: usize = 4096;

/// Reads `buffer.len()` bytes at `address`, or fails.
pub(crate) fn read_exact(tid: i32, address: u64, buffer: &mut [u8]) -> io::Result<()> {
    if read_some(tid, address, buffer)? == buffer.len() {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EFAULT))
    }
}

/// Reads a NUL-terminated string of at most PATH_MAX bytes, without its NUL.
pub(crate) fn read_string(tid: i32, address: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut at = address;
    let mut wanted = 256u64;
    let mut buffer = [0u8; PAGE as usize];
    while text.len() < STRING_MAX {
        // Never across a page end: the next page may be absent though the string ends before it.
        let chunk = wanted.min(PAGE - at % PAGE) as usize;
        let got = read_some(tid, at, &mut buffer[..chunk])?;
        if got == 0 {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        if let Some(end) = buffer[..got].iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&buffer[..end]);
            return Ok(text);
        }
        text.extend_from_slice(&buffer[..got]);
        at += got as u64;
        wanted = PAGE;
    }
    Ok(text)
}

fn read_some(tid: i32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    if buffer.is_empty() {
        return Ok(0);
    }
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: buffer.len() };
    // SAFETY: `local` describes `buffer`; the remote address is only used in the tracee.
    let got = unsafe { libc::process_vm_readv(tid, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(got) {
        Ok(count) => Ok(count),
        Err(_) => match io::Error::last_os_error() {
            // A program that we may trace but not read this way (not dumpable): word by word.
            error if error.raw_os_error() == Some(libc::EPERM) => peek(tid, address, buffer),
            error => Err(error),
        },
    }
}

fn peek(tid: i32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    const WORD: usize = size_of::<libc::c_long>();
    for (index, chunk) in buffer.chunks_mut(WORD).enumerate() {
        let mut word: libc::c_long = 0;
        let at = address + (index * WORD) as u64;
        // SAFETY: the raw request (not libc's wrapper) stores the word at the fourth argument.
        let result =
            unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_PEEKDATA as libc::c_long, tid, at, &raw mut word) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let bytes = word.to_ne_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
    Ok(buffer.len())
}
