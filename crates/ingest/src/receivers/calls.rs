//! System calls by what they do.

use agentprov_model::telemetry::{FileAction, NetworkAction};

/// What a system call or kernel function does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    Exec,
    Exit,
    Spawn,
    File(FileAction),
    Network(NetworkAction),
    Privilege,
    ExecMap,
    IoUring,
}

/// By the bare name of a system call.
pub(super) fn system_call(name: &str) -> Option<Deed> {
    use Deed::{Exec, Exit, File, IoUring, Network, Privilege, Spawn};
    Some(match name {
        "execve" | "execveat" | "spawned_process" => Exec,
        "exit" | "exit_group" | "procexit" => Exit,
        "clone" | "clone3" | "fork" | "vfork" => Spawn,
        "open" | "openat" | "openat2" | "open_by_handle_at" => File(FileAction::Open),
        "creat" => File(FileAction::Create),
        "read" | "pread" | "pread64" | "readv" | "preadv" | "preadv2" => File(FileAction::Read),
        "write" | "pwrite" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "truncate" | "ftruncate" => {
            File(FileAction::Write)
        }
        "rename" | "renameat" | "renameat2" => File(FileAction::Rename),
        "unlink" | "unlinkat" | "rmdir" => File(FileAction::Unlink),
        "link" | "linkat" | "symlink" | "symlinkat" => File(FileAction::Link),
        "mkdir" | "mkdirat" | "mknod" | "mknodat" | "chmod" | "fchmod" | "fchmodat" | "fchmodat2" | "chown"
        | "fchown" | "lchown" | "fchownat" => File(FileAction::Meta),
        "connect" => Network(NetworkAction::Connect),
        "accept" | "accept4" => Network(NetworkAction::Accept),
        "bind" | "listen" => Network(NetworkAction::Bind),
        "sendto" | "sendmsg" | "sendmmsg" => Network(NetworkAction::Send),
        "recvfrom" | "recvmsg" | "recvmmsg" => Network(NetworkAction::Receive),
        "setuid" | "setreuid" | "setresuid" | "setfsuid" | "setgid" | "setregid" | "setresgid" | "setfsgid"
        | "setgroups" | "ptrace" | "mount" | "umount" | "umount2" | "pivot_root" | "chroot" | "unshare" | "setns"
        | "bpf" | "init_module" | "finit_module" | "delete_module" | "capset" | "kexec_load" | "process_vm_writev"
        | "process_vm_readv" | "perf_event_open" | "keyctl" => Privilege,
        "io_uring_setup" | "io_uring_enter" | "io_uring_register" => IoUring,
        _ => return None,
    })
}

/// By the name of a kernel function, as probes give it.
pub(super) fn kernel_function(name: &str) -> Option<Deed> {
    use Deed::{Exec, ExecMap, File, Network, Privilege};
    let bare =
        ["__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__se_sys_", "__do_sys_", "sys_enter_", "sys_exit_", "sys_"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
    if let Some(call) = bare {
        return system_call(call);
    }
    Some(match name.strip_prefix("bpf_lsm_").or_else(|| name.strip_prefix("security_")).unwrap_or(name) {
        "bprm_check" | "bprm_creds_from_file" | "bprm_check_security" => Exec,
        "file_open" | "fd_install" => File(FileAction::Open),
        "file_permission" => File(FileAction::Read),
        "path_truncate" | "vfs_write" => File(FileAction::Write),
        "vfs_read" => File(FileAction::Read),
        "inode_create" => File(FileAction::Create),
        "path_rename" | "inode_rename" => File(FileAction::Rename),
        "path_unlink" | "inode_unlink" | "path_rmdir" | "inode_rmdir" => File(FileAction::Unlink),
        "path_link" | "inode_link" | "path_symlink" | "inode_symlink" => File(FileAction::Link),
        "path_chmod" | "path_chown" | "inode_setattr" | "path_mkdir" | "path_mknod" => File(FileAction::Meta),
        "mmap_file" | "file_mprotect" => ExecMap,
        "tcp_connect" | "socket_connect" | "ip4_datagram_connect" | "ip6_datagram_connect" => {
            Network(NetworkAction::Connect)
        }
        "tcp_close" | "inet_release" => Network(NetworkAction::Close),
        "tcp_sendmsg" | "udp_sendmsg" | "socket_sendmsg" => Network(NetworkAction::Send),
        "tcp_recvmsg" | "udp_recvmsg" => Network(NetworkAction::Receive),
        "inet_csk_accept" | "inet_accept" | "socket_accept" => Network(NetworkAction::Accept),
        "inet_bind" | "socket_bind" | "inet_listen" | "inet_csk_listen_start" => Network(NetworkAction::Bind),
        "commit_creds"
        | "task_fix_setuid"
        | "ptrace_access_check"
        | "sb_mount"
        | "bpf"
        | "kernel_module_request"
        | "kernel_read_file"
        | "do_init_module" => Privilege,
        _ => return None,
    })
}

/// The bare name of a kernel function that is a system call.
pub(super) fn bare_name(name: &str) -> &str {
    let (_, bare) = name.split_once("sys_enter_").or_else(|| name.split_once("sys_exit_")).unwrap_or(("", name));
    bare.rsplit_once("_sys_").map_or(bare, |(_, call)| call)
}
