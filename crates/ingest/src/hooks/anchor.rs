//! Where a hook stands among the processes of its host.

use agentprov_model::declared::{Ancestor, FileIdentity, MAX_ANCESTORS, ProcessAnchor};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Looks at this process and its ancestors. What can't be looked at ends the chain.
///
/// # Errors
/// When this process itself can't be looked at.
pub fn here() -> io::Result<ProcessAnchor> {
    of(std::process::id())
}

/// Looks at a process and its ancestors. What can't be looked at ends the chain.
///
/// # Errors
/// When the process itself can't be looked at.
pub fn of(pid: u32) -> io::Result<ProcessAnchor> {
    let boot = agentprov_capture::boot_id()?;
    let (carrier, mut parent) = look_at(pid)?;
    let mut ancestors = Vec::with_capacity(8);
    while parent != 0 && ancestors.len() < MAX_ANCESTORS {
        let Ok((ancestor, next)) = look_at(parent) else { break };
        ancestors.push(ancestor);
        parent = next;
    }
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok().and_then(|text| unified(&text));
    let pid_namespace = std::fs::metadata(format!("/proc/{pid}/ns/pid")).ok().map(|found| found.ino());
    Ok(ProcessAnchor { boot, carrier, ancestors, cgroup, pid_namespace })
}

/// A process, and the pid of its parent.
fn look_at(pid: u32) -> io::Result<(Ancestor, u32)> {
    let stat = agentprov_capture::process_stat(pid)?;
    // Follows the link: the executable itself is looked at, also where its name is gone.
    let exe = std::fs::metadata(format!("/proc/{pid}/exe")).ok();
    let exe = exe.map(|found| FileIdentity { device: found.dev(), inode: found.ino() });
    Ok((Ancestor { pid, start_ticks: stat.start_ticks, exe }, stat.ppid))
}

/// The path in the unified hierarchy; else the first one that is named.
fn unified(text: &str) -> Option<String> {
    let path = |line: &str| line.splitn(3, ':').nth(2).map(str::to_owned);
    let unified = text.lines().find(|line| line.starts_with("0::"));
    unified.or_else(|| text.lines().next()).and_then(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_find_ourselves_and_our_parent() {
        let anchor = here().expect("a host with /proc");
        assert_eq!(anchor.carrier.pid, std::process::id());
        let own = agentprov_capture::process_key(std::process::id()).expect("our key");
        assert_eq!(anchor.key(&anchor.carrier), own);
        assert!(anchor.carrier.exe.is_some());
        assert_eq!(anchor.ancestors.first().map(|parent| parent.pid), Some(std::os::unix::process::parent_id()));
    }

    #[test]
    fn the_unified_hierarchy_is_preferred() {
        assert_eq!(unified("12:cpu:/a\n0::/b:c\n"), Some("/b:c".to_owned()));
        assert_eq!(unified("12:cpu:/a\n"), Some("/a".to_owned()));
    }
}
