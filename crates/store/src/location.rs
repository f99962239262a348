//! Where the store is: found upward from a folder, as git finds `.git`.

use crate::error::StoreError;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Name of the data dir.
pub const DATA_DIR: &str = ".agentprov";

/// Database of the Go tool, which may lie in the same folder. It is never touched.
pub const FOREIGN_DATABASE: &str = "agentprov.db";

/// Our database.
pub const DATABASE: &str = "store.db";

/// A data dir and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The data dir.
    pub dir: PathBuf,
    /// True where the user named it; then its owner does not matter.
    pub chosen: bool,
}

impl Location {
    /// The folder that the user named.
    pub fn chosen(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), chosen: true }
    }

    /// Finds the data dir: the nearest `.agentprov` upward from `start`, else one to be made at the top
    /// of the git work tree around `start`, else one to be made in `start`.
    pub fn find(start: &Path) -> Self {
        let ancestors = || start.ancestors();
        let existing = ancestors().map(|dir| dir.join(DATA_DIR)).find(|dir| dir.is_dir());
        let dir = existing.unwrap_or_else(|| {
            let top = ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(start);
            top.join(DATA_DIR)
        });
        Self { dir, chosen: false }
    }

    /// The store that is there upward from `start`, else the user's own.
    pub fn find_or_own(start: &Path) -> Option<Self> {
        let found = Self::find(start);
        if found.dir.is_dir() { Some(found) } else { Self::own() }
    }

    /// The user's own store, for what belongs to no folder: `$XDG_DATA_HOME/agentprov`. None without a home.
    pub fn own() -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        data.map(|data| Self { dir: data.join("agentprov"), chosen: false })
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// True where a store is there already.
    pub fn exists(&self) -> bool {
        self.database().is_file()
    }

    /// The Go tool's database, where one lies in the data dir.
    pub fn foreign_database(&self) -> Option<PathBuf> {
        let path = self.dir.join(FOREIGN_DATABASE);
        path.is_file().then_some(path)
    }

    /// Refuses a store that was found, not named, and belongs to another user.
    ///
    /// # Errors
    /// [`StoreError::ForeignOwner`].
    pub fn check_owner(&self) -> Result<(), StoreError> {
        if self.chosen {
            return Ok(());
        }
        let Ok(metadata) = std::fs::metadata(&self.dir) else { return Ok(()) };
        let user = rustix::process::geteuid().as_raw();
        if metadata.uid() == user {
            return Ok(());
        }
        Err(StoreError::ForeignOwner { path: self.dir.clone(), owner: metadata.uid(), user })
    }

    /// Tells a store that is not there from one that can't be looked at.
    ///
    /// # Errors
    /// [`StoreError::Absent`], [`StoreError::NotAFolder`], or that the folder may not be entered.
    pub fn check_presence(&self) -> Result<(), StoreError> {
        match std::fs::metadata(self.database()) {
            Ok(metadata) if metadata.is_file() => Ok(()),
            Ok(_) => Err(StoreError::Absent(self.dir.clone())),
            Err(error) => Err(match error.kind() {
                std::io::ErrorKind::NotADirectory => StoreError::NotAFolder(self.dir.clone()),
                std::io::ErrorKind::PermissionDenied => StoreError::io("enter", &self.dir)(error),
                _ => StoreError::Absent(self.dir.clone()),
            }),
        }
    }

    /// Makes the data dir (0700) with a `.gitignore` that hides it from git.
    ///
    /// # Errors
    /// When the folder or the file can't be made.
    pub fn create(&self) -> Result<(), StoreError> {
        use std::os::unix::fs::DirBuilderExt;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&self.dir).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => {
                StoreError::NotAFolder(self.dir.clone())
            }
            _ => StoreError::io("create", &self.dir)(error),
        })?;
        let ignore = self.dir.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(&ignore, "# agentprov's own data; git need not see it.\n*\n")
                .map_err(StoreError::io("write", &ignore))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_upward_then_git_top_then_here() {
        let root = tempfile::tempdir().expect("temp dir");
        let deep = root.path().join("a/b/c");
        std::fs::create_dir_all(&deep).expect("dirs");
        assert_eq!(Location::find(&deep).dir, deep.join(DATA_DIR));
        std::fs::create_dir(root.path().join("a/.git")).expect("git dir");
        assert_eq!(Location::find(&deep).dir, root.path().join("a").join(DATA_DIR));
        std::fs::create_dir(root.path().join("a/b").join(DATA_DIR)).expect("data dir");
        assert_eq!(Location::find(&deep).dir, root.path().join("a/b").join(DATA_DIR));
    }
}
