//! System call numbers by architecture, of the calls that we map.

/// `arch` of x86_64.
const X86_64: u64 = 0xc000_003e;
/// `arch` of aarch64.
const AARCH64: u64 = 0xc000_00b7;

pub(super) fn name(arch: Option<u64>, number: i64) -> Option<&'static str> {
    let common = match number {
        425 => Some("io_uring_setup"),
        426 => Some("io_uring_enter"),
        427 => Some("io_uring_register"),
        435 => Some("clone3"),
        437 => Some("openat2"),
        _ => None,
    };
    match arch? {
        X86_64 => common.or_else(|| look_up(X86_64_CALLS, number)),
        AARCH64 => common.or_else(|| look_up(AARCH64_CALLS, number)),
        _ => None,
    }
}

fn look_up(calls: &[(i64, &'static str)], number: i64) -> Option<&'static str> {
    calls.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[rustfmt::skip]
const X86_64_CALLS: &[(i64, &str)] = &[
    (0, "read"), (1, "write"), (2, "open"), (42, "connect"), (43, "accept"), (44, "sendto"), (45, "recvfrom"),
    (46, "sendmsg"), (47, "recvmsg"), (49, "bind"), (50, "listen"), (56, "clone"), (57, "fork"), (58, "vfork"),
    (59, "execve"), (60, "exit"), (76, "truncate"), (77, "ftruncate"), (82, "rename"), (83, "mkdir"), (84, "rmdir"),
    (85, "creat"), (86, "link"), (87, "unlink"), (88, "symlink"), (90, "chmod"), (91, "fchmod"), (92, "chown"),
    (93, "fchown"), (94, "lchown"), (101, "ptrace"), (105, "setuid"), (106, "setgid"), (113, "setreuid"),
    (114, "setregid"), (116, "setgroups"), (117, "setresuid"), (119, "setresgid"), (133, "mknod"),
    (155, "pivot_root"), (161, "chroot"), (165, "mount"), (166, "umount2"), (175, "init_module"),
    (176, "delete_module"), (231, "exit_group"), (257, "openat"), (258, "mkdirat"), (259, "mknodat"),
    (260, "fchownat"), (263, "unlinkat"), (264, "renameat"), (265, "linkat"), (266, "symlinkat"), (268, "fchmodat"),
    (272, "unshare"), (288, "accept4"), (298, "perf_event_open"), (308, "setns"), (310, "process_vm_readv"),
    (311, "process_vm_writev"), (313, "finit_module"), (316, "renameat2"), (321, "bpf"), (322, "execveat"),
];

#[rustfmt::skip]
const AARCH64_CALLS: &[(i64, &str)] = &[
    (33, "mknodat"), (34, "mkdirat"), (35, "unlinkat"), (36, "symlinkat"), (37, "linkat"), (38, "renameat"),
    (39, "umount2"), (40, "mount"), (41, "pivot_root"), (45, "truncate"), (46, "ftruncate"), (51, "chroot"),
    (52, "fchmod"), (53, "fchmodat"), (54, "fchownat"), (55, "fchown"), (56, "openat"), (63, "read"), (64, "write"),
    (93, "exit"), (94, "exit_group"), (97, "unshare"), (105, "init_module"), (106, "delete_module"), (117, "ptrace"),
    (143, "setregid"), (144, "setgid"), (145, "setreuid"), (146, "setuid"), (147, "setresuid"), (149, "setresgid"),
    (159, "setgroups"), (200, "bind"), (201, "listen"), (202, "accept"), (203, "connect"), (206, "sendto"),
    (207, "recvfrom"), (211, "sendmsg"), (212, "recvmsg"), (220, "clone"), (221, "execve"), (241, "perf_event_open"),
    (242, "accept4"), (268, "setns"), (270, "process_vm_readv"), (271, "process_vm_writev"), (273, "finit_module"),
    (276, "renameat2"), (280, "bpf"), (281, "execveat"),
];
