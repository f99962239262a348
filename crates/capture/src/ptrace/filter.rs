//! The seccomp filter: which calls stop, which pass. Classic BPF, see seccomp(2).

use super::syscalls::{self, Call};
use crate::gate::Opens;
use libc::sock_filter;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_SET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Offsets in `struct seccomp_data`.
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGS: u32 = 16;

/// Flags of an open that may create or change something; O_TMPFILE needs O_WRONLY or O_RDWR, O_CREAT stands alone.
const OPEN_CHANGES: u32 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u32;

/// Builds the filter. Without `reads` an open that can only read does not stop.
pub(crate) fn build(reads: bool) -> Vec<sock_filter> {
    let mut program = vec![statement(LOAD, OFFSET_ARCH)];
    let native = section(syscalls::NATIVE, reads);
    skip_unless(&mut program, syscalls::NATIVE, native.len());
    program.extend(native);
    #[cfg(target_arch = "x86_64")]
    {
        let foreign = section(syscalls::ARCH_I386, reads);
        skip_unless(&mut program, syscalls::ARCH_I386, foreign.len());
        program.extend(foreign);
    }
    // An architecture that we don't know: every call stops, the tracer says so once per process.
    program.push(statement(RETURN, libc::SECCOMP_RET_TRACE));
    program
}

/// The filter of a guarded command: `connect` is held for the guard, and the opens that the gate wants to see. What would
/// pass it by is refused: io_uring, connecting with the first message (TCP Fast Open), calls of other architectures,
/// and, where opens are held, handles of files. Landlock is not offered then: we open with our own rights, and its
/// limits would not hold.
pub(crate) fn guard(opens: Opens) -> Vec<sock_filter> {
    let errno = |errno: i32| statement(RETURN, libc::SECCOMP_RET_ERRNO | errno as u32);
    let allow = statement(RETURN, libc::SECCOMP_RET_ALLOW);
    let hold = statement(RETURN, libc::SECCOMP_RET_USER_NOTIF);
    let fast_open = libc::MSG_FASTOPEN as u32;
    let mut program = vec![
        statement(LOAD, OFFSET_ARCH),
        jump(JUMP_EQUAL, syscalls::NATIVE, 1, 0),
        errno(libc::ENOSYS),
        statement(LOAD, OFFSET_NUMBER),
    ];
    if syscalls::NATIVE == syscalls::ARCH_X86_64 {
        program.extend([jump(JUMP_SET, syscalls::X32_BIT, 0, 1), errno(libc::ENOSYS)]);
    }
    let mut on = |number: libc::c_long, body: &[sock_filter]| {
        program.push(jump(JUMP_EQUAL, number as u32, 0, body.len() as u8));
        program.extend_from_slice(body);
    };
    on(libc::SYS_connect, &[hold]);
    on(libc::SYS_io_uring_setup, &[errno(libc::ENOSYS)]);
    if opens > Opens::None {
        // O_PATH opens nothing: what is done with it later is held again.
        let path_only = |flags: u32| [load_arg(flags), jump(JUMP_SET, libc::O_PATH as u32, 0, 1), allow];
        let held = |flags: u32| {
            let mut body = path_only(flags).to_vec();
            match opens {
                Opens::All => body.push(hold),
                _ => body.extend([jump(JUMP_SET, OPEN_CHANGES, 0, 1), hold, allow]),
            }
            body
        };
        #[cfg(target_arch = "x86_64")]
        {
            on(libc::SYS_open, &held(1));
            on(libc::SYS_creat, &[hold]);
        }
        on(libc::SYS_openat, &held(2));
        on(libc::SYS_openat2, &[hold]);
        on(libc::SYS_open_by_handle_at, &[errno(libc::EPERM)]);
        on(libc::SYS_landlock_create_ruleset, &[errno(libc::EOPNOTSUPP)]);
    }
    for (number, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
        program.extend([
            jump(JUMP_EQUAL, number as u32, 0, 4),
            load_arg(flags),
            jump(JUMP_SET, fast_open, 0, 1),
            errno(libc::EOPNOTSUPP),
            allow,
        ]);
    }
    program.push(allow);
    program
}

/// Runs the next `length` instructions only where the accumulator holds `arch`. Conditional jumps reach 255 only.
fn skip_unless(program: &mut Vec<sock_filter>, arch: u32, length: usize) {
    program.push(jump(JUMP_EQUAL, arch, 1, 0));
    program.push(statement(JUMP, length as u32));
}

/// The calls of one architecture; ends with a return on every path.
fn section(arch: u32, reads: bool) -> Vec<sock_filter> {
    let mut program = vec![statement(LOAD, OFFSET_NUMBER)];
    if arch == syscalls::ARCH_X86_64 {
        program.push(jump(JUMP_SET, syscalls::X32_BIT, 0, 1));
        program.push(statement(RETURN, libc::SECCOMP_RET_TRACE));
    }
    for (number, call) in syscalls::rows(arch) {
        let body = body(call, reads);
        program.push(jump(JUMP_EQUAL, number, 0, body.len() as u8));
        program.extend(body);
    }
    program.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
    program
}

/// What to do with one call; ends with a return on every path.
fn body(call: Call, reads: bool) -> Vec<sock_filter> {
    let trace = statement(RETURN, libc::SECCOMP_RET_TRACE);
    let allow = statement(RETURN, libc::SECCOMP_RET_ALLOW);
    match call {
        Call::Open if !reads => vec![load_arg(1), jump(JUMP_SET, OPEN_CHANGES, 0, 1), trace, allow],
        Call::Openat if !reads => vec![load_arg(2), jump(JUMP_SET, OPEN_CHANGES, 0, 1), trace, allow],
        // Without an address it is a write to a connected socket. The high half counts too.
        Call::Sendto => {
            vec![load_arg(4), jump(JUMP_EQUAL, 0, 0, 2), load_arg_high(4), jump(JUMP_EQUAL, 0, 1, 0), trace, allow]
        }
        Call::Prctl => vec![load_arg(0), jump(JUMP_EQUAL, libc::PR_SET_SECCOMP as u32, 0, 1), trace, allow],
        // Requests that make somebody a tracer; the rest needs one of them first.
        Call::Ptrace => vec![
            load_arg(0),
            jump(JUMP_EQUAL, libc::PTRACE_TRACEME, 2, 0),
            jump(JUMP_EQUAL, libc::PTRACE_ATTACH, 1, 0),
            jump(JUMP_EQUAL, libc::PTRACE_SEIZE, 0, 1),
            trace,
            allow,
        ],
        // 1 socket, 2 bind, 3 connect, 11 sendto, 16 sendmsg, 20 sendmmsg (linux/net.h).
        Call::Socketcall => vec![
            load_arg(0),
            jump(JUMP_EQUAL, 2, 4, 0),
            jump(JUMP_EQUAL, 3, 3, 0),
            jump(JUMP_EQUAL, 11, 2, 0),
            jump(JUMP_EQUAL, 16, 1, 0),
            jump(JUMP_EQUAL, 20, 0, 1),
            trace,
            allow,
        ],
        _ => vec![trace],
    }
}

fn load_arg(index: u32) -> sock_filter {
    statement(LOAD, OFFSET_ARGS + index * 8 + if cfg!(target_endian = "big") { 4 } else { 0 })
}

fn load_arg_high(index: u32) -> sock_filter {
    statement(LOAD, OFFSET_ARGS + index * 8 + if cfg!(target_endian = "big") { 0 } else { 4 })
}

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A classic BPF machine, as far as the filter needs one.
    fn run(program: &[sock_filter], arch: u32, number: u32, args: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend_from_slice(&number.to_ne_bytes());
        data.extend_from_slice(&arch.to_ne_bytes());
        data.extend_from_slice(&[0; 8]);
        for arg in args {
            data.extend_from_slice(&arg.to_ne_bytes());
        }
        let (mut at, mut a) = (0usize, 0u32);
        loop {
            let step = program[at];
            at += 1;
            match step.code {
                LOAD => {
                    let k = step.k as usize;
                    a = u32::from_ne_bytes([data[k], data[k + 1], data[k + 2], data[k + 3]]);
                }
                JUMP => at += step.k as usize,
                JUMP_EQUAL => at += usize::from(if a == step.k { step.jt } else { step.jf }),
                JUMP_SET => at += usize::from(if a & step.k != 0 { step.jt } else { step.jf }),
                RETURN => return step.k,
                other => panic!("unknown instruction {other}"),
            }
        }
    }

    #[test]
    fn calls_stop_only_where_they_matter() {
        let native = syscalls::NATIVE;
        let quiet = build(false);
        let all = build(true);
        let openat = libc::SYS_openat as u32;
        let read_only = [0, 0, libc::O_CLOEXEC as u64, 0, 0, 0];
        let writes = [0, 0, (libc::O_WRONLY | libc::O_CLOEXEC) as u64, 0, 0, 0];
        assert_eq!(run(&quiet, native, openat, read_only), libc::SECCOMP_RET_ALLOW);
        assert_eq!(run(&all, native, openat, read_only), libc::SECCOMP_RET_TRACE);
        assert_eq!(run(&quiet, native, openat, writes), libc::SECCOMP_RET_TRACE);
        let sendto = libc::SYS_sendto as u32;
        assert_eq!(run(&all, native, sendto, [0; 6]), libc::SECCOMP_RET_ALLOW);
        assert_eq!(run(&all, native, sendto, [0, 0, 0, 0, 1 << 40, 0]), libc::SECCOMP_RET_TRACE);
        assert_eq!(run(&all, native, sendto, [0, 0, 0, 0, 8, 0]), libc::SECCOMP_RET_TRACE);
        assert_eq!(run(&all, native, libc::SYS_read as u32, [0; 6]), libc::SECCOMP_RET_ALLOW);
        let ptrace = libc::SYS_ptrace as u32;
        for (request, action) in [
            (libc::PTRACE_TRACEME, libc::SECCOMP_RET_TRACE),
            (libc::PTRACE_ATTACH, libc::SECCOMP_RET_TRACE),
            (libc::PTRACE_SEIZE, libc::SECCOMP_RET_TRACE),
            (libc::PTRACE_CONT, libc::SECCOMP_RET_ALLOW),
        ] {
            assert_eq!(run(&all, native, ptrace, [request as u64, 0, 0, 0, 0, 0]), action);
        }
        for (number, _) in syscalls::rows(native) {
            let conditional = [libc::SYS_sendto, libc::SYS_prctl].map(|number| number as u32).contains(&number);
            assert_eq!(run(&all, native, number, [0; 6]) == libc::SECCOMP_RET_TRACE, !conditional, "{number}");
        }
        assert_eq!(run(&all, 0xdead, 1, [0; 6]), libc::SECCOMP_RET_TRACE);
    }

    #[test]
    fn opens_are_held_as_the_gate_wants() {
        let writes = [0, 0, libc::O_WRONLY as u64, 0, 0, 0];
        for (opens, read, write) in [
            (Opens::None, libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_ALLOW),
            (Opens::Changing, libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_USER_NOTIF),
            (Opens::All, libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_USER_NOTIF),
        ] {
            let program = guard(opens);
            let on = |number: libc::c_long, args| run(&program, syscalls::NATIVE, number as u32, args);
            assert_eq!((on(libc::SYS_openat, [0; 6]), on(libc::SYS_openat, writes)), (read, write), "{opens:?}");
            let path = [0, 0, (libc::O_WRONLY | libc::O_PATH) as u64, 0, 0, 0];
            assert_eq!(on(libc::SYS_openat, path), libc::SECCOMP_RET_ALLOW);
            assert_eq!(on(libc::SYS_connect, [0; 6]), libc::SECCOMP_RET_USER_NOTIF);
            assert_eq!(on(libc::SYS_openat2, [0; 6]), write);
            let fast = [0, 0, 0, libc::MSG_FASTOPEN as u64, 0, 0];
            assert_eq!(on(libc::SYS_sendto, fast), libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32);
            assert_eq!(on(libc::SYS_read, [0; 6]), libc::SECCOMP_RET_ALLOW);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn foreign_numbers_are_not_ours() {
        let all = build(true);
        assert_eq!(run(&all, syscalls::NATIVE, syscalls::X32_BIT | 1, [0; 6]), libc::SECCOMP_RET_TRACE);
        // 5 is open for a 32-bit program and fstat for us.
        assert_eq!(run(&all, syscalls::ARCH_I386, 5, [0; 6]), libc::SECCOMP_RET_TRACE);
        assert_eq!(run(&all, syscalls::NATIVE, 5, [0; 6]), libc::SECCOMP_RET_ALLOW);
        assert_eq!(run(&all, syscalls::ARCH_I386, 102, [3, 0, 0, 0, 0, 0]), libc::SECCOMP_RET_TRACE);
        assert_eq!(run(&all, syscalls::ARCH_I386, 102, [9, 0, 0, 0, 0, 0]), libc::SECCOMP_RET_ALLOW);
    }
}
