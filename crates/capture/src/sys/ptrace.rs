//! ptrace(2) and waitpid(2) on our tracees.

#![allow(unsafe_code, reason = "raw ptrace requests")]

use std::io;

/// What the tracer is told about and how tracees end with it.
const OPTIONS: libc::c_int = libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_EXITKILL;

/// `PTRACE_GET_SYSCALL_INFO`, Linux 5.3.
const GET_SYSCALL_INFO: libc::c_uint = 0x420e;

/// How a stopped thread goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resume {
    /// Until the next event.
    Cont,
    /// Until the call that it is in ends.
    ToExit,
    /// Stays in group-stop, but hears SIGCONT.
    Listen,
}

/// A change of state of one tracee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// `exit(2)` with this status.
    Exited(i32),
    /// Ended by this signal, with or without a core.
    Killed { signal: i32, core: bool },
    /// About to get this signal.
    Signal(i32),
    /// At the end of a system call.
    CallExit,
    /// In a ptrace event; the signal says more for PTRACE_EVENT_STOP.
    Event { event: i32, signal: i32 },
}

/// One system call, at its entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// AUDIT_ARCH_ of the call.
    pub(crate) arch: u32,
    /// Number in that architecture.
    pub(crate) number: u64,
    /// Arguments.
    pub(crate) args: [u64; 6],
}

/// `struct ptrace_syscall_info` (ptrace(2)): the union is read by `op`.
#[repr(C)]
#[derive(Clone, Copy)]
struct RawInfo {
    op: u8,
    reserved: u8,
    flags: u16,
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    data: [u64; 8],
}

const OP_ENTRY: u8 = 1;
const OP_EXIT: u8 = 2;
const OP_SECCOMP: u8 = 3;

fn request(request: libc::c_uint, tid: i32, address: usize, data: usize) -> io::Result<libc::c_long> {
    // SAFETY: callers pass numbers, or addresses of live buffers of the length that the request expects.
    let result = unsafe { libc::syscall(libc::SYS_ptrace, libc::c_long::from(request), tid, address, data) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Attaches without stopping.
pub(crate) fn seize(pid: i32) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, pid, 0, OPTIONS.cast_unsigned() as usize).map(drop)
}

/// Lets a stopped thread go on, with a signal or none. A thread that is gone is no error here: its end is reported.
pub(crate) fn resume(tid: i32, how: Resume, signal: i32) {
    let kind = match how {
        Resume::Cont => libc::PTRACE_CONT,
        Resume::ToExit => libc::PTRACE_SYSCALL,
        Resume::Listen => libc::PTRACE_LISTEN,
    };
    let _gone = request(kind, tid, 0, signal.cast_unsigned() as usize);
}

/// The message of the last event: a new pid, or the former thread id at exec.
pub(crate) fn event_message(tid: i32) -> io::Result<u64> {
    let mut message: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, tid, 0, (&raw mut message) as usize)?;
    #[allow(clippy::useless_conversion, reason = "c_ulong has 32 bits elsewhere")]
    Ok(u64::from(message))
}

/// Namespaces that decide what a process means by a pid or a path.
#[cfg(target_arch = "x86_64")]
const NEW_NAMESPACES: u64 = (libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUSER) as u64;

/// True where the call in which a thread reports a birth certainly leaves the child in the caller's namespaces.
///
/// Its number and first argument are read from the registers (asm/user_64.h); the flags of clone3 lie in memory that
/// another thread may change, and 32-bit calls have other numbers: they are not certain.
#[cfg(target_arch = "x86_64")]
pub(crate) fn birth_keeps_namespaces(tid: i32) -> bool {
    const ORIG_RAX: usize = 15 * size_of::<u64>();
    const RDI: usize = 14 * size_of::<u64>();
    let register = |offset: usize| {
        let mut value: u64 = 0;
        request(libc::PTRACE_PEEKUSER, tid, offset, (&raw mut value) as usize).map(|_| value)
    };
    match register(ORIG_RAX).ok().and_then(|number| libc::c_long::try_from(number).ok()) {
        Some(libc::SYS_fork | libc::SYS_vfork) => true,
        Some(libc::SYS_clone) => register(RDI).is_ok_and(|flags| flags & NEW_NAMESPACES == 0),
        _ => false,
    }
}

/// As on x86_64; here the registers are not read, and nothing is certain.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn birth_keeps_namespaces(_tid: i32) -> bool {
    false
}

fn syscall_info(tid: i32) -> io::Result<RawInfo> {
    let mut info =
        RawInfo { op: 0, reserved: 0, flags: 0, arch: 0, instruction_pointer: 0, stack_pointer: 0, data: [0; 8] };
    request(GET_SYSCALL_INFO, tid, size_of::<RawInfo>(), (&raw mut info) as usize)?;
    Ok(info)
}

/// The call that a thread in a seccomp stop is about to make.
pub(crate) fn call_entry(tid: i32) -> io::Result<Option<Entry>> {
    let info = syscall_info(tid)?;
    if info.op != OP_SECCOMP && info.op != OP_ENTRY {
        return Ok(None);
    }
    let mut args = [0; 6];
    args.copy_from_slice(&info.data[1..7]);
    Ok(Some(Entry { arch: info.arch, number: info.data[0], args }))
}

/// The value that the call gives back, at a call-exit stop.
pub(crate) fn call_result(tid: i32) -> io::Result<Option<i64>> {
    let info = syscall_info(tid)?;
    Ok((info.op == OP_EXIT).then(|| info.data[0].cast_signed()))
}

/// Waits for a change of any tracee of this thread. `None` only without `block`.
pub(crate) fn wait(block: bool) -> io::Result<Option<(i32, Change)>> {
    let mut status = 0;
    let flags = libc::__WALL | libc::__WNOTHREAD | if block { 0 } else { libc::WNOHANG };
    // SAFETY: `status` is writable.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
    match pid {
        0 => Ok(None),
        1.. => Ok(Some((pid, change_of(status)))),
        _ => Err(io::Error::last_os_error()),
    }
}

fn change_of(status: i32) -> Change {
    if libc::WIFEXITED(status) {
        return Change::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Change::Killed { signal: libc::WTERMSIG(status), core: libc::WCOREDUMP(status) };
    }
    let signal = libc::WSTOPSIG(status);
    match status >> 16 {
        0 if signal == libc::SIGTRAP | 0x80 => Change::CallExit,
        0 => Change::Signal(signal),
        event => Change::Event { event, signal },
    }
}

/// Waits for one child that is not traced; `None` without a change where `block` is not set.
pub(crate) fn wait_child(pid: i32, block: bool) -> io::Result<Option<(i32, Change)>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is writable.
        let got = unsafe { libc::waitpid(pid, &raw mut status, if block { 0 } else { libc::WNOHANG }) };
        match got {
            0 => return Ok(None),
            1.. => return Ok(Some((got, change_of(status)))),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted || !block {
                    return Err(error);
                }
            }
        }
    }
}
