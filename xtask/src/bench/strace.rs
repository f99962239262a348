//! The rival that records a command the usual way.

use std::path::Path;
use std::process::Command;

/// The system calls that a recording of processes, files and connections has to see.
///
/// `?` lets strace pass over those that this architecture does not have.
const TRACED: &str = "?execve,?execveat,?fork,?vfork,?clone,?clone3,?exit_group,\
?open,?openat,?openat2,?creat,?truncate,?ftruncate,\
?rename,?renameat,?renameat2,?unlink,?unlinkat,?link,?linkat,?symlink,?symlinkat,\
?mkdir,?mkdirat,?rmdir,?mknod,?mknodat,\
?chmod,?fchmod,?fchmodat,?fchmodat2,?chown,?fchown,?lchown,?fchownat,\
?chdir,?fchdir,?socket,?connect,?bind,?listen,?accept,?accept4,?sendto,?sendmsg,?sendmmsg,\
?setuid,?setgid,?setreuid,?setregid,?setresuid,?setresgid,?ptrace";

/// strace around the words that follow, with its output in `file`.
pub(crate) fn around(file: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-o"]).arg(file).args(["-e", &format!("trace={TRACED}")]).arg("--");
    command
}

/// How many processes and threads the output mentions.
pub(crate) fn tasks_in(output: &str) -> usize {
    let pids: std::collections::BTreeSet<&str> =
        output.lines().filter_map(|line| line.split_whitespace().next()).collect();
    pids.len()
}

#[cfg(test)]
mod tests {
    use super::tasks_in;

    #[test]
    fn tasks_are_counted_by_their_pid() {
        let output = "10 execve(\"/bin/sh\") = 0\n11 execve(\"/bin/true\") = 0\n11 +++ exited with 0 +++\n";
        assert_eq!(tasks_in(output), 2);
    }
}
