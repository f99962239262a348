//! A cgroup of its own for the recorded tree, where the host allows one.

use crate::sys::fd;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Names another directory to make the scope in.
const PARENT_VARIABLE: &str = "AGENTPROV_CGROUP_PARENT";

/// How the names of our cgroups begin; then come the recorder's pid and the time, in ns since the epoch.
const PREFIX: &str = "agentprov-";
/// Age from which an empty cgroup of a dead recorder is left over. A younger one may be of a recorder in another pid
/// namespace that is about to use it.
const LEFT_OVER: Duration = Duration::from_secs(60);
/// Left-over cgroups that one start removes.
const SWEPT: usize = 64;

/// A cgroup that we made; removed when dropped, if it is empty then.
pub(crate) struct Scope {
    path: PathBuf,
    id: u64,
    directory: Option<OwnedFd>,
}

impl Scope {
    /// Makes a cgroup below ours.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) fn create() -> Result<Self, String> {
        let parent = parent()?;
        sweep(&parent);
        let unique = format!("{PREFIX}{}-{}", std::process::id(), nanos());
        let path = parent.join(unique);
        std::fs::create_dir(&path).map_err(|error| format!("can't make {}: {error}", path.display()))?;
        let scope = Self::open(path.clone());
        if scope.is_err() {
            let _still_empty = std::fs::remove_dir(&path);
        }
        scope
    }

    fn open(path: PathBuf) -> Result<Self, String> {
        let id = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.ino();
        let kind = std::fs::read_to_string(path.join("cgroup.type")).unwrap_or_default();
        if kind.trim().starts_with("domain invalid") || kind.trim() == "threaded" {
            return Err(format!("{} can't hold processes (cgroup.type is {})", path.display(), kind.trim()));
        }
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
        let directory = fd::open(&name, libc::O_PATH | libc::O_DIRECTORY)
            .map_err(|error| format!("can't open {}: {error}", path.display()))?;
        Ok(Self { path, id, directory: Some(directory) })
    }

    /// Gives the cgroup back where the process really is in it.
    ///
    /// # Errors
    /// Where it is not: the kernel refused, and the process is where we are.
    pub(crate) fn confirm(mut self, pid: i32) -> Result<Self, String> {
        self.directory = None;
        let procs = std::fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        if procs.lines().any(|line| line.parse() == Ok(pid)) {
            Ok(self)
        } else {
            Err(format!("the kernel did not let the command join {}", self.path.display()))
        }
    }

    /// The inode of the cgroup, which is its id.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// The directory, for a process to be born in.
    pub(crate) fn directory(&self) -> Option<RawFd> {
        self.directory.as_ref().map(AsRawFd::as_raw_fd)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.directory = None;
        // The kernel empties a cgroup a moment after its last process was reaped.
        for _ in 0..20 {
            match std::fs::remove_dir(&self.path) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                _ => return,
            }
        }
    }
}

/// Removes cgroups that killed recorders left behind. The kernel removes only empty ones.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    let left_over = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_left_over));
    for entry in left_over.take(SWEPT) {
        let _in_use = std::fs::remove_dir(entry.path());
    }
}

fn is_left_over(name: &str) -> bool {
    let Some((pid, made)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')) else { return false };
    let (Ok(pid), Ok(made)) = (pid.parse::<u32>(), made.parse::<u128>()) else { return false };
    nanos().saturating_sub(made) > LEFT_OVER.as_nanos() && !Path::new(&format!("/proc/{pid}")).exists()
}

/// The directory below which a scope may be made.
///
/// # Errors
/// Why there is none, for people.
pub(crate) fn parent() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os(PARENT_VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    let mount = mount_point()?;
    let own = std::fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"))?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("this process is in no cgroup2 group")?;
    Ok(mount.join(path.trim_start_matches('/')))
}

/// Where cgroup2 is mounted: `/sys/fs/cgroup`, or below it on hybrid hosts.
///
/// # Errors
/// Why there is none, for people.
pub fn mount_point() -> Result<PathBuf, String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").map_err(|error| format!("mountinfo: {error}"))?;
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        if after.starts_with("cgroup2 ")
            && let Some(point) = before.split(' ').nth(4)
        {
            return Ok(Path::new(point).to_owned());
        }
    }
    Err("cgroup2 is not mounted".to_owned())
}

fn nanos() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |passed| passed.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::{is_left_over, nanos};

    #[test]
    fn only_old_cgroups_of_dead_recorders_are_left_over() {
        let (us, nobody) = (std::process::id(), 0x7fff_fffe);
        assert!(is_left_over(&format!("agentprov-{nobody}-1795695731750000000")));
        assert!(!is_left_over(&format!("agentprov-{nobody}-{}", nanos())));
        assert!(!is_left_over(&format!("agentprov-{us}-1795695731750000000")));
        assert!(!is_left_over("agentprov-x-y") && !is_left_over("user.slice"));
    }
}
