//! Which files get versions, and what is kept of their bytes: decided by place.

use agentprov_model::{HashOnly, OsBytes};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a path lies, for the question what to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the work tree; ignored or not is git's to say.
    Workspace,
    /// In `.git`, among the files that steer git: kept.
    GitControl,
    /// In `.git`, bulk.
    GitBulk,
    /// Elsewhere on disk.
    Outside,
    /// Kernel file systems, and files of the recorder itself: no versions.
    Unversioned,
}

impl Place {
    /// A reason why only the hash is kept, where the place alone decides that.
    pub(crate) const fn hash_only(self) -> Option<HashOnly> {
        match self {
            Self::GitBulk => Some(HashOnly::GitInternal),
            Self::Outside => Some(HashOnly::OutsideWorkspace),
            Self::Workspace | Self::GitControl | Self::Unversioned => None,
        }
    }

    /// Below the workspace, `.git` included.
    pub(crate) const fn inside(self) -> bool {
        matches!(self, Self::Workspace | Self::GitControl | Self::GitBulk)
    }
}

/// Where the workspace is.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: Vec<u8>,
    own_files: Vec<Vec<u8>>,
}

impl Layout {
    pub(crate) fn new(workspace: &Path, own_files: &[PathBuf]) -> Self {
        let mut root = workspace.as_os_str().as_bytes().to_vec();
        while root.len() > 1 && root.last() == Some(&b'/') {
            root.pop();
        }
        Self { root, own_files: own_files.iter().map(|path| path.as_os_str().as_bytes().to_vec()).collect() }
    }

    /// The path below the workspace; empty for the workspace itself.
    pub(crate) fn below<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        if self.root == b"/" {
            return path.strip_prefix(b"/");
        }
        let rest = path.strip_prefix(self.root.as_slice())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
    }

    /// As facts name it.
    pub(crate) fn workspace_path(&self, path: &[u8]) -> Option<OsBytes> {
        self.below(path).filter(|rest| !rest.is_empty()).map(OsBytes::from)
    }

    pub(crate) fn place(&self, path: &[u8]) -> Place {
        if self.own_files.iter().any(|own| own == path) {
            return Place::Unversioned;
        }
        let Some(below) = self.below(path) else {
            let kernel = [&b"/dev/"[..], b"/proc/", b"/sys/"].iter().any(|prefix| path.starts_with(prefix));
            let shared = path.starts_with(b"/dev/shm/");
            return if !path.starts_with(b"/") || kernel && !shared { Place::Unversioned } else { Place::Outside };
        };
        if below == b".git" {
            return Place::GitControl;
        }
        match below.strip_prefix(b".git/") {
            Some(inner) => git_place(inner),
            None => Place::Workspace,
        }
    }
}

/// Files below a git directory, those of submodules included.
fn git_place(inner: &[u8]) -> Place {
    if let Some(module) = inner.strip_prefix(b"modules/").or_else(|| inner.strip_prefix(b"worktrees/")) {
        return match module.iter().position(|byte| *byte == b'/') {
            Some(slash) => git_place(&module[slash + 1..]),
            None => Place::GitBulk,
        };
    }
    let control = [&b"hooks/"[..], b"info/", b"refs/"].iter().any(|dir| inner.starts_with(dir))
        || [&b"config"[..], b"config.worktree", b"HEAD", b"packed-refs", b"description"].contains(&inner);
    if control { Place::GitControl } else { Place::GitBulk }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let layout = Layout::new(Path::new("/w/repo"), &[PathBuf::from("/w/repo/.agentprov/spool")]);
        for (path, place) in [
            ("/w/repo/src/a.rs", Place::Workspace),
            ("/w/repo/.gitignore", Place::Workspace),
            ("/w/repo/.git", Place::GitControl),
            ("/w/repo/.git/hooks/pre-commit", Place::GitControl),
            ("/w/repo/.git/config", Place::GitControl),
            ("/w/repo/.git/index", Place::GitBulk),
            ("/w/repo/.git/objects/aa/bb", Place::GitBulk),
            ("/w/repo/.git/modules/x/config", Place::GitControl),
            ("/w/repository/x", Place::Outside),
            ("/w/repo/.agentprov/spool", Place::Unversioned),
            ("/w/repo/.agentprov/spool2", Place::Workspace),
            ("/dev/null", Place::Unversioned),
            ("/dev/shm/x", Place::Outside),
            ("pipe:[1]", Place::Unversioned),
        ] {
            assert_eq!(layout.place(path.as_bytes()), place, "{path}");
        }
        assert_eq!(layout.workspace_path(b"/w/repo/src/a"), Some(OsBytes::from("src/a")));
    }
}
