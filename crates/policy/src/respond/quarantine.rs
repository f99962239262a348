//! Makes a process tree stand still: freezes its cgroup where it has one of ours, else stops process after process.

use super::process::hold;
use super::{Adapter, Ended, Job};
use agentprov_model::ProcessKey;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Processes of one tree.
const MAX_PROCESSES: usize = 4096;
/// Rounds in which children that appeared meanwhile are looked for.
const MAX_ROUNDS: usize = 16;
const STEP: Duration = Duration::from_millis(5);

/// Freezing, or `SIGSTOP` for a tree.
#[derive(Clone, Copy, Debug)]
pub struct Quarantine {
    /// How long the tree's standing still is waited for.
    pub wait: Duration,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { wait: Duration::from_secs(5) }
    }
}

impl Adapter for Quarantine {
    fn act(&mut self, job: &Job) -> Ended {
        let (_held, key) = match hold(&job.request.target) {
            Ok(held) => held,
            Err(ended) => return ended,
        };
        if key.pid == std::process::id() {
            return Ended::failed("the process is the recorder itself");
        }
        match own_cgroup(key) {
            Some(cgroup) => self.freeze(cgroup),
            None => self.stop_tree(key.pid),
        }
    }
}

impl Quarantine {
    fn freeze(self, cgroup: PathBuf) -> Ended {
        if let Err(error) = std::fs::write(cgroup.join("cgroup.freeze"), "1") {
            return Ended::failed(format!("can't freeze {}: {error}", cgroup.display()));
        }
        let frozen = || {
            let events = std::fs::read_to_string(cgroup.join("cgroup.events")).unwrap_or_default();
            events.lines().any(|line| line == "frozen 1")
        };
        if self.until(frozen) {
            let path = cgroup.display();
            Ended::confirmed(format!(
                "{path} reports frozen 1; go on with 'echo 0 >{path}/cgroup.freeze', end with 'echo 1 >{path}/cgroup.kill'"
            ))
        } else {
            Ended::failed(format!("{} did not freeze within {:?}", cgroup.display(), self.wait))
        }
    }

    fn stop_tree(self, root: u32) -> Ended {
        let mut stopped = BTreeSet::new();
        for _ in 0..MAX_ROUNDS {
            let fresh: Vec<u32> = tree(root).into_iter().filter(|pid| !stopped.contains(pid)).collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                if let Err(error) = stop(pid)
                    && error != rustix::io::Errno::SRCH
                {
                    return Ended::failed(format!("SIGSTOP to pid {pid} was refused: {error}"));
                }
                stopped.insert(pid);
            }
        }
        let still = || tree(root).iter().all(|pid| matches!(state(*pid), None | Some('T' | 't' | 'Z' | 'X')));
        if self.until(still) {
            let pids: Vec<String> = stopped.iter().map(u32::to_string).collect();
            let (listed, given) = (pids.join(", "), pids.join(" "));
            Ended::confirmed(format!(
                "SIGSTOP sent, and /proc shows pids {listed} stopped; go on with 'kill -CONT {given}', end with 'kill -KILL {given}'"
            ))
        } else {
            Ended::failed(format!("the tree of pid {root} did not stop within {:?}", self.wait))
        }
    }

    fn until(self, holds: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + self.wait;
        while !holds() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(STEP);
        }
        true
    }
}

/// The cgroup that the recorder made for this tree, so that freezing it freezes nobody else.
fn own_cgroup(key: &ProcessKey) -> Option<PathBuf> {
    let text = std::fs::read_to_string(format!("/proc/{}/cgroup", key.pid)).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let ours = path.rsplit('/').next()?.starts_with("agentprov-");
    let folder = agentprov_capture::cgroup_mount_point().ok()?.join(path);
    (ours && folder.join("cgroup.freeze").exists()).then_some(folder)
}

fn stop(pid: u32) -> Result<(), rustix::io::Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH)?;
    pidfd_send_signal(pidfd_open(pid, PidfdFlags::empty())?, Signal::STOP)
}

/// The process and everything below it, by `/proc`. Children whose parent has ended are no longer below it.
fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, field(pid, 1)?.parse().ok()?))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied().filter(|_| found.len() < MAX_PROCESSES) {
        found.extend(children.remove(&pid).into_iter().flatten());
        at += 1;
    }
    found
}

fn state(pid: u32) -> Option<char> {
    field(pid, 0)?.chars().next()
}

/// A field of `/proc/<pid>/stat`, counted from the state.
fn field(pid: u32, index: usize) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let after = line.rfind(')')?;
    line.get(after + 1..)?.split_whitespace().nth(index).map(str::to_owned)
}
