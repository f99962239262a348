//! A git repository, asked through the git command line.

use crate::change::batch::Batch;
use crate::change::error::ChangeError;
use agentprov_model::{GitBlobId, OsBytes};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A repository with a work tree.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    batch: RefCell<Option<Batch>>,
    read: RefCell<HashMap<GitBlobId, Option<Arc<[u8]>>>>,
}

/// What git has under a name of a blob.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Blob {
    Bytes(Arc<[u8]>),
    TooLarge(u64),
    Missing,
}

impl Repository {
    /// The repository around a folder.
    ///
    /// # Errors
    /// [`ChangeError::NoRepository`], or when git can't be run.
    pub fn find(folder: &Path) -> Result<Self, ChangeError> {
        let output = git(folder, &["rev-parse", "--show-toplevel"])?;
        let mut top = output.map_err(|_| ChangeError::NoRepository(folder.display().to_string()))?;
        if top.last() == Some(&b'\n') {
            top.pop();
        }
        if top.is_empty() {
            return Err(ChangeError::NoRepository(folder.display().to_string()));
        }
        Ok(Self { root: PathBuf::from(OsString::from_vec(top)), batch: RefCell::new(None), read: RefCell::default() })
    }

    /// Top of the work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs a command and gives what it wrote.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, ChangeError> {
        let command = arguments.first().copied().unwrap_or_default().to_owned();
        self.ask(arguments)?.map_err(|message| ChangeError::Git { command, message })
    }

    /// Runs a command whose failure is an answer.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, ChangeError> {
        git(&self.root, arguments)
    }

    /// The first line of what a command says; None where it fails.
    pub(crate) fn line(&self, arguments: &[&str]) -> Result<Option<String>, ChangeError> {
        Ok(self.ask(arguments)?.ok().and_then(|answer| {
            let text = String::from_utf8(answer).ok()?;
            text.lines().next().map(str::to_owned)
        }))
    }

    /// The full name of a commit.
    ///
    /// # Errors
    /// [`ChangeError::NoCommit`], or [`ChangeError::Shallow`] where the clone may have lost it.
    pub fn commit(&self, name: &str) -> Result<String, ChangeError> {
        let revision = format!("{name}^{{commit}}");
        match self.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision])? {
            Some(id) => Ok(id),
            None if self.is_shallow()? => Err(ChangeError::Shallow(name.to_owned())),
            None => Err(ChangeError::NoCommit(name.to_owned())),
        }
    }

    /// Whether history was cut off when the repository was cloned.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn is_shallow(&self) -> Result<bool, ChangeError> {
        Ok(self.line(&["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true"))
    }

    /// Name and address of whoever works here, as git has them set.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn user(&self) -> Result<Option<String>, ChangeError> {
        let (name, address) = (self.line(&["config", "user.name"])?, self.line(&["config", "user.email"])?);
        Ok(match (name, address) {
            (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
            (name, address) => name.or(address),
        })
    }

    /// Bytes of a file at a commit; None where it has no such file.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn file_at(&self, commit: &str, path: &OsBytes) -> Result<Option<Arc<[u8]>>, ChangeError> {
        let Some(blob) = self.blob_at(commit, path)? else { return Ok(None) };
        Ok(match self.blobs(&[blob])?.pop() {
            Some(Blob::Bytes(bytes)) => Some(bytes),
            _ => None,
        })
    }

    /// Name of the blob of a file at a commit.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn blob_at(&self, commit: &str, path: &OsBytes) -> Result<Option<GitBlobId>, ChangeError> {
        let Some(path) = path.as_str() else { return Ok(None) };
        let revision = format!("{commit}:{path}");
        let name = self.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision])?;
        Ok(name.and_then(|name| parse_blob(&name)))
    }

    /// Bytes of one blob, kept for the next time; None where git does not have it or it is too large.
    pub(crate) fn bytes_of(&self, name: GitBlobId) -> Result<Option<Arc<[u8]>>, ChangeError> {
        if let Some(known) = self.read.borrow().get(&name) {
            return Ok(known.clone());
        }
        let bytes = match self.blobs(&[name])?.pop() {
            Some(Blob::Bytes(bytes)) => Some(bytes),
            _ => None,
        };
        self.read.borrow_mut().insert(name, bytes.clone());
        Ok(bytes)
    }

    /// Blobs, in the order of their names.
    pub(crate) fn blobs(&self, names: &[GitBlobId]) -> Result<Vec<Blob>, ChangeError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut slot = self.batch.borrow_mut();
        let batch = match slot.as_mut() {
            Some(batch) => batch,
            None => slot.insert(Batch::start(command(&self.root))?),
        };
        let answer = batch.read(names);
        if answer.is_err() {
            // What is left in the pipe belongs to the questions that failed.
            *slot = None;
        }
        answer
    }
}

/// A name of a blob as git prints it.
pub(crate) fn parse_blob(name: &str) -> Option<GitBlobId> {
    name.parse().map(GitBlobId::Sha1).or_else(|_| name.parse().map(GitBlobId::Sha256)).ok()
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // A review reads: it takes no locks, fetches nothing and asks nobody.
    command
        .arg("-C")
        .arg(folder)
        .args([
            "--no-optional-locks",
            "--literal-pathspecs",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "log.showSignature=false",
            "-c",
            "log.showRoot=true",
        ])
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stderr(Stdio::piped());
    command
}

fn git(folder: &Path, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, ChangeError> {
    let output = command(folder)
        .args(arguments.iter().map(OsStr::new))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .output()
        .map_err(ChangeError::Run)?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(Err(if message.is_empty() { output.status.to_string() } else { message }))
}
