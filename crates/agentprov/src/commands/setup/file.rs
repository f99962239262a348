//! A settings file: read whole, replaced whole, links and permissions kept.

use crate::failure::Failure;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Larger than any settings file.
const MAX_BYTES: u64 = 8 << 20;

/// A settings file that may be there or not.
pub(super) struct SettingsFile {
    /// As the agent names it.
    pub(super) named: PathBuf,
    /// Where the bytes are: behind all links.
    pub(super) real: PathBuf,
    /// Its text; None where there is no file.
    pub(super) text: Option<String>,
}

impl SettingsFile {
    pub(super) fn read(named: PathBuf) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", named.display()));
        let real = match named.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Err(_) if named.is_symlink() => {
                return Err(Failure::new(format!("{} is a link to a file that is not there", named.display()))
                    .hint("make the file that it points to, or remove the link"));
            }
            Err(_) => return Ok(Self { real: named.clone(), named, text: None }),
        };
        let metadata = real.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Failure::new(format!("{} is no file", named.display())));
        }
        if metadata.len() > MAX_BYTES {
            return Err(Failure::new(format!(
                "{}: {} bytes are too many for settings",
                named.display(),
                metadata.len()
            )));
        }
        let bytes = std::fs::read(&real).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|error| broken(&named, &error))?;
        Ok(Self { named, real, text: Some(text) })
    }

    /// Replaces the text; gives the folders that had to be made.
    pub(super) fn write(&self, text: &str) -> Result<Vec<PathBuf>, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(format!("{} can't be written: {error}", self.real.display())).hint("nothing was changed")
        };
        let folder = self.real.parent().unwrap_or(Path::new("/"));
        let made = missing_folders(folder);
        std::fs::create_dir_all(folder).map_err(failed)?;
        self.unchanged()?;
        let draft = folder.join(format!(".agentprov-setup-{}", std::process::id()));
        let written = self.write_draft(&draft, text).and_then(|()| std::fs::rename(&draft, &self.real));
        if let Err(error) = written {
            let _ = std::fs::remove_file(&draft);
            return Err(failed(error));
        }
        Ok(made)
    }

    fn write_draft(&self, draft: &Path, text: &str) -> std::io::Result<()> {
        let mut file = File::options().write(true).create_new(true).open(draft)?;
        file.write_all(text.as_bytes())?;
        if let Ok(old) = self.real.metadata() {
            let new = file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        }
        file.sync_all()
    }

    /// Removes the file, and of the folders those that are empty then.
    pub(super) fn delete(&self, folders: &[PathBuf]) -> Result<(), Failure> {
        self.unchanged()?;
        std::fs::remove_file(&self.real)
            .map_err(|error| Failure::new(format!("{} can't be removed: {error}", self.real.display())))?;
        for folder in folders.iter().rev() {
            // Not empty: somebody else put something in.
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    /// Fails where the file is no longer what was read: an agent may save its settings at any time.
    fn unchanged(&self) -> Result<(), Failure> {
        let now = match std::fs::read(&self.real) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::new(format!("{}: {error}", self.real.display()))),
        };
        if now.as_deref() == self.text.as_deref().map(str::as_bytes) {
            return Ok(());
        }
        Err(Failure::new(format!("{} was changed by somebody else just now", self.real.display()))
            .hint("run the command again"))
    }
}

fn missing_folders(folder: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = folder.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn broken(path: &Path, error: &std::string::FromUtf8Error) -> Failure {
    let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    Failure::new(format!("{}:{line}:{column}: this byte is not UTF-8; the file was left as it is", path.display()))
        .hint("repair the file, then run the command again")
}
