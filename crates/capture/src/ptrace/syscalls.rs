//! Which system calls are looked at, by architecture.

use libc::c_long;

/// `AUDIT_ARCH_X86_64`, linux/audit.h.
pub(crate) const ARCH_X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386`.
pub(crate) const ARCH_I386: u32 = 0x4000_0003;
/// `AUDIT_ARCH_AARCH64`.
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCH_AARCH64: u32 = 0xc000_00b7;
/// Set in the number of an x32 call.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// The architecture of this program.
#[cfg(target_arch = "x86_64")]
pub(crate) const NATIVE: u32 = ARCH_X86_64;
/// The architecture of this program.
#[cfg(target_arch = "aarch64")]
pub(crate) const NATIVE: u32 = ARCH_AARCH64;

/// A call that is looked at, whatever its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Open,
    Creat,
    Openat,
    Openat2,
    Rename,
    Renameat,
    Renameat2,
    Link,
    Linkat,
    Symlink,
    Symlinkat,
    Unlink,
    Unlinkat,
    Rmdir,
    Mkdir,
    Mkdirat,
    Mknod,
    Mknodat,
    Chmod,
    Fchmod,
    Fchmodat,
    Chown,
    Lchown,
    Fchown,
    Fchownat,
    Truncate,
    Connect,
    Bind,
    Sendto,
    Sendmsg,
    Sendmmsg,
    Socketcall,
    Execve,
    Execveat,
    Prctl,
    Seccomp,
    IoUringSetup,
    Ptrace,
    /// A call that is recorded as an attempt at privilege, by its name and numeric arguments.
    Privilege(&'static Privileged),
}

/// How a privilege call is shown.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Privileged {
    pub(crate) name: &'static str,
    pub(crate) args: &'static [(&'static str, Kind)],
}

/// How an argument is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A signed number of 32 bits.
    Int,
    /// Hexadecimal flags.
    Flags,
    /// A path or another NUL-terminated string.
    Text,
}

macro_rules! privileged {
    ($($name:ident($($arg:ident: $kind:ident),*);)*) => {
        $(#[allow(non_upper_case_globals, reason = "named after the call")]
        pub(crate) static $name: Privileged =
            Privileged { name: stringify!($name), args: &[$((stringify!($arg), Kind::$kind)),*] };)*
    };
}

privileged! {
    setuid(uid: Int);
    setgid(gid: Int);
    setreuid(ruid: Int, euid: Int);
    setregid(rgid: Int, egid: Int);
    setresuid(ruid: Int, euid: Int, suid: Int);
    setresgid(rgid: Int, egid: Int, sgid: Int);
    setfsuid(uid: Int);
    setfsgid(gid: Int);
    setgroups(size: Int);
    capset();
    mount(source: Text, target: Text, fstype: Text, flags: Flags);
    umount2(target: Text, flags: Flags);
    move_mount(from_dirfd: Int, from_path: Text, to_dirfd: Int, to_path: Text, flags: Flags);
    pivot_root(new_root: Text, put_old: Text);
    chroot(path: Text);
    unshare(flags: Flags);
    setns(fd: Int, nstype: Flags);
    bpf(cmd: Int);
    init_module(module: Flags, len: Int, params: Text);
    finit_module(fd: Int, params: Text, flags: Flags);
    delete_module(name: Text, flags: Flags);
}

/// One row: number and meaning.
pub(crate) type Row = (u32, Call);

macro_rules! rows {
    ($($number:ident => $call:expr),* $(,)?) => { &[$((number(libc::$number), $call)),*] };
}

const fn number(raw: c_long) -> u32 {
    raw as u32
}

/// Calls of the native architecture that both x86_64 and arm64 have. The frequent ones first: the filter tries in order.
static COMMON: &[Row] = rows![
    SYS_openat => Call::Openat,
    SYS_sendmsg => Call::Sendmsg,
    SYS_sendto => Call::Sendto,
    SYS_execve => Call::Execve,
    SYS_unlinkat => Call::Unlinkat,
    SYS_prctl => Call::Prctl,
    SYS_connect => Call::Connect,
    SYS_openat2 => Call::Openat2,
    SYS_renameat => Call::Renameat,
    SYS_renameat2 => Call::Renameat2,
    SYS_linkat => Call::Linkat,
    SYS_symlinkat => Call::Symlinkat,
    SYS_mkdirat => Call::Mkdirat,
    SYS_mknodat => Call::Mknodat,
    SYS_fchmod => Call::Fchmod,
    SYS_fchmodat => Call::Fchmodat,
    SYS_fchmodat2 => Call::Fchmodat,
    SYS_fchown => Call::Fchown,
    SYS_fchownat => Call::Fchownat,
    SYS_truncate => Call::Truncate,
    SYS_bind => Call::Bind,
    SYS_sendmmsg => Call::Sendmmsg,
    SYS_execveat => Call::Execveat,
    SYS_seccomp => Call::Seccomp,
    SYS_io_uring_setup => Call::IoUringSetup,
    SYS_ptrace => Call::Ptrace,
    SYS_setuid => Call::Privilege(&setuid),
    SYS_setgid => Call::Privilege(&setgid),
    SYS_setreuid => Call::Privilege(&setreuid),
    SYS_setregid => Call::Privilege(&setregid),
    SYS_setresuid => Call::Privilege(&setresuid),
    SYS_setresgid => Call::Privilege(&setresgid),
    SYS_setfsuid => Call::Privilege(&setfsuid),
    SYS_setfsgid => Call::Privilege(&setfsgid),
    SYS_setgroups => Call::Privilege(&setgroups),
    SYS_capset => Call::Privilege(&capset),
    SYS_mount => Call::Privilege(&mount),
    SYS_umount2 => Call::Privilege(&umount2),
    SYS_move_mount => Call::Privilege(&move_mount),
    SYS_pivot_root => Call::Privilege(&pivot_root),
    SYS_chroot => Call::Privilege(&chroot),
    SYS_unshare => Call::Privilege(&unshare),
    SYS_setns => Call::Privilege(&setns),
    SYS_bpf => Call::Privilege(&bpf),
    SYS_init_module => Call::Privilege(&init_module),
    SYS_finit_module => Call::Privilege(&finit_module),
    SYS_delete_module => Call::Privilege(&delete_module),
];

/// Calls of the native architecture that only x86_64 has.
#[cfg(target_arch = "x86_64")]
static OLD: &[Row] = rows![
    SYS_open => Call::Open,
    SYS_creat => Call::Creat,
    SYS_rename => Call::Rename,
    SYS_link => Call::Link,
    SYS_symlink => Call::Symlink,
    SYS_unlink => Call::Unlink,
    SYS_rmdir => Call::Rmdir,
    SYS_mkdir => Call::Mkdir,
    SYS_mknod => Call::Mknod,
    SYS_chmod => Call::Chmod,
    SYS_chown => Call::Chown,
    SYS_lchown => Call::Lchown,
];
#[cfg(not(target_arch = "x86_64"))]
static OLD: &[Row] = &[];

/// 32-bit programs on x86_64; numbers from asm/unistd_32.h.
#[cfg(target_arch = "x86_64")]
static I386: &[Row] = &[
    (295, Call::Openat),
    (5, Call::Open),
    (102, Call::Socketcall),
    (11, Call::Execve),
    (8, Call::Creat),
    (437, Call::Openat2),
    (38, Call::Rename),
    (302, Call::Renameat),
    (353, Call::Renameat2),
    (9, Call::Link),
    (303, Call::Linkat),
    (83, Call::Symlink),
    (304, Call::Symlinkat),
    (10, Call::Unlink),
    (301, Call::Unlinkat),
    (40, Call::Rmdir),
    (39, Call::Mkdir),
    (296, Call::Mkdirat),
    (14, Call::Mknod),
    (297, Call::Mknodat),
    (15, Call::Chmod),
    (94, Call::Fchmod),
    (306, Call::Fchmodat),
    (452, Call::Fchmodat),
    (182, Call::Chown),
    (212, Call::Chown),
    (16, Call::Lchown),
    (198, Call::Lchown),
    (95, Call::Fchown),
    (207, Call::Fchown),
    (298, Call::Fchownat),
    (92, Call::Truncate),
    (193, Call::Truncate),
    (362, Call::Connect),
    (361, Call::Bind),
    (369, Call::Sendto),
    (370, Call::Sendmsg),
    (345, Call::Sendmmsg),
    (358, Call::Execveat),
    (172, Call::Prctl),
    (354, Call::Seccomp),
    (425, Call::IoUringSetup),
    (26, Call::Ptrace),
    (23, Call::Privilege(&setuid)),
    (213, Call::Privilege(&setuid)),
    (46, Call::Privilege(&setgid)),
    (214, Call::Privilege(&setgid)),
    (70, Call::Privilege(&setreuid)),
    (203, Call::Privilege(&setreuid)),
    (71, Call::Privilege(&setregid)),
    (204, Call::Privilege(&setregid)),
    (164, Call::Privilege(&setresuid)),
    (208, Call::Privilege(&setresuid)),
    (170, Call::Privilege(&setresgid)),
    (210, Call::Privilege(&setresgid)),
    (138, Call::Privilege(&setfsuid)),
    (139, Call::Privilege(&setfsgid)),
    (81, Call::Privilege(&setgroups)),
    (206, Call::Privilege(&setgroups)),
    (185, Call::Privilege(&capset)),
    (21, Call::Privilege(&mount)),
    (52, Call::Privilege(&umount2)),
    (429, Call::Privilege(&move_mount)),
    (217, Call::Privilege(&pivot_root)),
    (61, Call::Privilege(&chroot)),
    (310, Call::Privilege(&unshare)),
    (346, Call::Privilege(&setns)),
    (357, Call::Privilege(&bpf)),
    (128, Call::Privilege(&init_module)),
    (350, Call::Privilege(&finit_module)),
    (129, Call::Privilege(&delete_module)),
];

/// The calls of an architecture; empty for one that is not decoded.
pub(crate) fn rows(arch: u32) -> impl Iterator<Item = Row> {
    #[cfg(target_arch = "x86_64")]
    let foreign = if arch == ARCH_I386 { I386 } else { &[] };
    #[cfg(not(target_arch = "x86_64"))]
    let foreign: &[Row] = &[];
    let (common, old) = if arch == NATIVE { (COMMON, OLD) } else { (foreign, &[] as &[Row]) };
    common.iter().chain(old).copied()
}

/// Looks calls up by number.
pub(crate) struct Lookup {
    native: Vec<Option<Call>>,
    #[cfg(target_arch = "x86_64")]
    i386: Vec<Option<Call>>,
}

impl Lookup {
    pub(crate) fn new() -> Self {
        let table = |arch| {
            let mut table = vec![None; 512];
            for (number, call) in rows(arch) {
                if let Some(slot) = table.get_mut(number as usize) {
                    *slot = Some(call);
                }
            }
            table
        };
        Self {
            native: table(NATIVE),
            #[cfg(target_arch = "x86_64")]
            i386: table(ARCH_I386),
        }
    }

    /// The call, or `None` where it is not one that we decode.
    pub(crate) fn find(&self, arch: u32, number: u64) -> Option<Call> {
        let index = usize::try_from(number).ok()?;
        match arch {
            NATIVE => *self.native.get(index)?,
            #[cfg(target_arch = "x86_64")]
            ARCH_I386 => *self.i386.get(index)?,
            _ => None,
        }
    }
}
