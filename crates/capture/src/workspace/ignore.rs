//! Asking git which paths it ignores: one long-lived `check-ignore`, answers kept per directory.

use super::git::{self, Pipes};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Restarts after which nothing counts as ignored any more.
const MAX_FAILURES: u32 = 8;
/// Directories that are remembered before the memory starts anew.
const MAX_DIRECTORIES: usize = 20_000;

/// Questions to git about ignored paths.
pub(crate) struct Ignore {
    workspace: PathBuf,
    active: bool,
    child: Option<Pipes>,
    failures: u32,
    /// Directory below the workspace -> is it, as a whole, ignored?
    directories: HashMap<Vec<u8>, bool>,
}

impl Ignore {
    pub(crate) fn new(workspace: &Path) -> Self {
        Self {
            workspace: workspace.to_owned(),
            active: git::git_dir(workspace).is_some(),
            child: None,
            failures: 0,
            directories: HashMap::new(),
        }
    }

    /// The rules may have changed: forget, and let git read them again.
    pub(crate) fn forget(&mut self) {
        self.child = None;
        self.directories.clear();
    }

    /// True where git ignores the path, given below the workspace. A tracked file is not ignored.
    pub(crate) fn ignores(&mut self, below: &[u8]) -> bool {
        if !self.active || self.failures >= MAX_FAILURES {
            return false;
        }
        if let Some(slash) = below.iter().rposition(|byte| *byte == b'/')
            && self.directory(&below[..slash])
        {
            return true;
        }
        self.ask_or_no(below)
    }

    /// Everything below an ignored directory is ignored (gitignore(5)): one question for a whole build output.
    fn directory(&mut self, dir: &[u8]) -> bool {
        if let Some(known) = self.directories.get(dir) {
            return *known;
        }
        let above = dir.iter().rposition(|byte| *byte == b'/').is_some_and(|slash| self.directory(&dir[..slash]));
        let mut query = dir.to_vec();
        query.push(b'/');
        let ignored = above || self.ask_or_no(&query);
        if self.directories.len() >= MAX_DIRECTORIES {
            self.directories.clear();
        }
        self.directories.insert(dir.to_vec(), ignored);
        ignored
    }

    fn ask_or_no(&mut self, below: &[u8]) -> bool {
        match self.ask(below) {
            Ok(ignored) => ignored,
            Err(_) => {
                self.child = None;
                self.failures += 1;
                false
            }
        }
    }

    fn ask(&mut self, below: &[u8]) -> std::io::Result<bool> {
        let pipes = match &mut self.child {
            Some(pipes) => pipes,
            empty => {
                let arguments = ["check-ignore", "--stdin", "-z", "--verbose", "--non-matching"];
                empty.insert(git::start(&self.workspace, &arguments)?)
            }
        };
        pipes.ask.write_all(below)?;
        pipes.ask.write_all(&[0])?;
        pipes.ask.flush()?;
        // <source> NUL <line> NUL <pattern> NUL <path> NUL; the first three are empty where nothing matches.
        let mut fields: [Vec<u8>; 4] = Default::default();
        for field in &mut fields {
            if pipes.answer.read_until(0, field)? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
            }
            field.pop();
        }
        let [source, _, pattern, _] = fields;
        Ok(!source.is_empty() && !pattern.starts_with(b"!"))
    }
}
