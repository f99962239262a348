//! The processes below one of ours: what they are, and their end.

use std::collections::BTreeMap;
use std::process::Command;

/// The processes that descend from `pid`, parents first, each with its command line.
///
/// Who was left by its parent is not among them: it belongs to another tree by then.
pub(crate) fn below(pid: u32) -> Vec<(u32, String)> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = parent_of(child) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        found.extend(children.remove(parent).unwrap_or_default());
        next += 1;
    }
    found.into_iter().skip(1).map(|pid| (pid, command_line(pid))).collect()
}

/// Kills the processes that descend from `pid`, and says which.
pub(crate) fn kill_below(pid: u32) -> String {
    let doomed = below(pid);
    for (pid, _) in &doomed {
        // It may be gone already, which is what is wanted.
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
    doomed.iter().map(|(pid, line)| format!("{pid} {line}\n")).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before the state may hold blanks and parentheses (proc_pid_stat(5)).
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1)?.parse().ok()
}

fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.join(" ").trim_end().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grandchildren_are_named_and_killed() {
        let mut child = Command::new("sh").args(["-c", "sleep 31.5; :"]).spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let sleeps = || below(child.id()).iter().any(|(_, line)| line == "sleep 31.5");
        while !sleeps() && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(kill_below(child.id()).contains("sleep 31.5"));
        assert!(child.wait().unwrap().success(), "the shell goes on after its command");
    }
}
