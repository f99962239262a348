//! A cgroup of its own for the recorded tree, where the host allows one.

use crate::sys::fd;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Names another directory to make the scope in.
const PARENT_VARIABLE: &str = "AGENTPROV_CGROUP_PARENT";

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
        let unique = format!("agentprov-{}-{}", std::process::id(), nanos());
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
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                _ => return,
            }
        }
    }
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
fn mount_point() -> Result<PathBuf, String> {
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
