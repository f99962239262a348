//! What this host allows, and which back-end that makes.

use crate::finished::CaptureError;
use crate::options::Backend;
use crate::sys::fork::{self, Side};
use crate::sys::{fd, ptrace, seccomp};
use crate::{capability, cgroup};
use agentprov_model::Mechanism;

/// One line of a diagnosis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackendProbe {
    /// What was looked at: `ptrace`, `procfs`, `cgroup`, `kernel`, `yama`, `inotify`, `no_new_privs`, `open_files`.
    pub name: &'static str,
    /// It can be used.
    pub usable: bool,
    /// What was found, for people.
    pub detail: String,
    /// What to do where it can't be used.
    pub way_out: Option<String>,
}

/// Looks at everything that decides how a recording observes. Forks one child that ends at once.
pub fn probe() -> Vec<BackendProbe> {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    let line = |name, usable, detail: String, way_out: Option<&str>| BackendProbe {
        name,
        usable,
        detail,
        way_out: way_out.map(str::to_owned),
    };
    let mut lines = Vec::new();
    lines.push(match ptrace_works() {
        Ok(()) => line("ptrace", true, "seccomp filter and ptrace work".to_owned(), None),
        Err(why) => line("ptrace", false, why, Some("`--backend procfs` samples instead")),
    });
    lines.push(match std::fs::read_dir("/proc/self/task") {
        Ok(_) => line("procfs", true, "/proc can be read".to_owned(), None),
        Err(error) => line("procfs", false, format!("/proc: {error}"), Some("mount /proc")),
    });
    lines.push(match cgroup::Scope::create() {
        Ok(scope) => line("cgroup", true, format!("a cgroup can be made (id {})", scope.id()), None),
        Err(why) => line("cgroup", false, why, Some("delegate a cgroup2 subtree, or set AGENTPROV_CGROUP_PARENT")),
    });
    lines.push(line("kernel", true, read("/proc/sys/kernel/osrelease").unwrap_or_default(), None));
    lines.push(match read("/proc/sys/kernel/yama/ptrace_scope") {
        // Even 2 and below allow tracing one's own children; 3 allows nothing.
        Ok(scope) => line("yama", scope != "3", format!("kernel.yama.ptrace_scope is {scope}"), None),
        Err(_) => line("yama", true, "yama is not in this kernel".to_owned(), None),
    });
    let watches = read("/proc/sys/fs/inotify/max_user_watches").unwrap_or_else(|_| "unknown".to_owned());
    let queued = read("/proc/sys/fs/inotify/max_queued_events").unwrap_or_else(|_| "unknown".to_owned());
    let instances = read("/proc/sys/fs/inotify/max_user_instances").unwrap_or_else(|_| "unknown".to_owned());
    let detail = format!("watches {watches}, queued events {queued}, instances {instances} (one per recording)");
    lines.push(line("inotify", crate::sys::inotify::Inotify::new().is_ok(), detail, None));
    let privileged = capability::held(capability::CAP_SYS_ADMIN);
    lines.push(if privileged {
        line("no_new_privs", true, "not needed: sudo and setuid programs keep their privilege".to_owned(), None)
    } else {
        let detail = "is set on the command: sudo and setuid programs run without their privilege";
        line("no_new_privs", false, detail.to_owned(), Some("run such programs outside, or use `--backend procfs`"))
    });
    lines.push(line("open_files", true, format!("limit {}", fd::raise_open_files()), None));
    lines
}

/// Chooses the back-end; the reason is for people.
pub(crate) fn choose(wanted: Backend) -> Result<(Mechanism, String), CaptureError> {
    match wanted {
        Backend::Procfs => Ok((Mechanism::Procfs, "asked for".to_owned())),
        Backend::Ptrace if seccomp::knows_trace() => Ok((Mechanism::Ptrace, "asked for".to_owned())),
        Backend::Ptrace => {
            let reason = "this kernel has no seccomp filters with RET_TRACE".to_owned();
            Err(CaptureError::Backend { backend: "ptrace", reason })
        }
        Backend::Auto => match ptrace_works() {
            Ok(()) => Ok((Mechanism::Ptrace, "exact, and works without privilege".to_owned())),
            Err(why) => Ok((Mechanism::Procfs, format!("ptrace is not possible: {why}"))),
        },
    }
}

/// Tries seize and filter on a child that does nothing.
fn ptrace_works() -> Result<(), String> {
    if !seccomp::knows_trace() {
        return Err("this kernel has no seccomp filters with RET_TRACE".to_owned());
    }
    let (gate, open) = crate::sys::fd::pipe().map_err(|error| format!("pipe: {error}"))?;
    match fork::fork().map_err(|error| format!("fork: {error}"))? {
        Side::Child => {
            use std::os::fd::AsRawFd;
            drop(open);
            let mut byte = [0u8; 1];
            let _end_of_file = crate::sys::fd::read(gate.as_raw_fd(), &mut byte);
            let status = match seccomp::install(&crate::ptrace::filter::build(true)) {
                Ok(()) => 0,
                Err(_) => 1,
            };
            fork::exit_now(status)
        }
        Side::Parent(child) => {
            drop(gate);
            let seized = ptrace::seize(child);
            drop(open);
            let mut installed = false;
            while let Ok(Some((pid, change))) = ptrace::wait_child(child, true) {
                match change {
                    ptrace::Change::Exited(status) => {
                        installed = status == 0;
                        break;
                    }
                    ptrace::Change::Killed { .. } => break,
                    other => crate::ptrace::serve::pass_on(pid, other),
                }
            }
            seized.map_err(|error| format!("PTRACE_SEIZE was refused: {error}"))?;
            if installed { Ok(()) } else { Err("a seccomp filter was refused".to_owned()) }
        }
    }
}
