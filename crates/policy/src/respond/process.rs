//! Processes of this host, as far as responses and taints need them.

use crate::respond::Ended;
use crate::taint::{PipeEnds, PipeView};
use agentprov_model::{ProcessKey, ResponseTarget};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;

/// Descriptors looked at in one process.
const MAX_DESCRIPTORS: usize = 1024;

/// Holds exactly the process of that key.
///
/// # Errors
/// How a response ends that can't have it.
pub(super) fn hold(target: &ResponseTarget) -> Result<(OwnedFd, &ProcessKey), Ended> {
    let ResponseTarget::Process(key) = target else {
        return Err(Ended::unsupported("the start time of the process is not known, and a bare pid is no identity"));
    };
    let boot =
        agentprov_capture::boot_id().map_err(|error| Ended::failed(format!("can't read the boot id: {error}")))?;
    if boot != key.boot {
        return Err(Ended::unsupported("the process belongs to another boot or another host"));
    }
    let gone = || Ended::failed(format!("pid {} had ended before", key.pid));
    let pid = i32::try_from(key.pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    let held = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| match error {
        rustix::io::Errno::SRCH => gone(),
        other => Ended::failed(format!("can't hold pid {}: {other}", key.pid)),
    })?;
    // The process of the key was there before the descriptor was opened. If it still is, the descriptor is its own.
    if agentprov_capture::is_alive(key) {
        return Ok((held, key));
    }
    match agentprov_capture::process_key(key.pid) {
        Ok(other) if other != *key => Err(Ended::unsupported(format!(
            "pid {} is another process now: it started at tick {}, not {}",
            key.pid, other.start_ticks, key.start_ticks
        ))),
        _ => Err(gone()),
    }
}

/// Pipe ends from `/proc/<pid>/fd`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcPipes;

impl PipeView for ProcPipes {
    fn ends(&self, process: &ProcessKey) -> PipeEnds {
        let mut ends = PipeEnds::default();
        let Ok(entries) = std::fs::read_dir(format!("/proc/{}/fd", process.pid)) else { return ends };
        for entry in entries.flatten().take(MAX_DESCRIPTORS) {
            let Some(inode) = std::fs::read_link(entry.path()).ok().and_then(|link| inode_of(link.to_str()?)) else {
                continue;
            };
            // The mode of the link is that of the descriptor.
            let Ok(mode) = entry.path().symlink_metadata().map(|metadata| metadata.permissions().mode()) else {
                continue;
            };
            if mode & 0o400 != 0 {
                ends.reads.push(inode);
            }
            if mode & 0o200 != 0 {
                ends.writes.push(inode);
            }
        }
        // Looked at last: had the pid been given to somebody else meanwhile, these are not the ends of this process.
        if agentprov_capture::is_alive(process) { ends } else { PipeEnds::default() }
    }
}

fn inode_of(link: &str) -> Option<u64> {
    link.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()
}
