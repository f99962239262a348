//! The bytes behind a state, where they are still to be had.

use crate::attempts::Attempt;
use crate::error::GraphError;
use agentprov_model::{Content, ContentId, FileState, GitBlobId, Kept};
use agentprov_store::{Reader, StoreError};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

/// SHA-256 of no bytes: a content that needs no file.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Bytes of a state, or why they are not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// The exact bytes; of a link its text, of a missing file none.
    Known(Rc<[u8]>),
    /// They are not to be had, for this reason.
    Unknown(String),
}

impl Bytes {
    /// The bytes, where they are known.
    pub fn known(&self) -> Option<&[u8]> {
        match self {
            Self::Known(bytes) => Some(bytes),
            Self::Unknown(_) => None,
        }
    }
}

/// Looks contents up, each once.
pub struct Contents<'r> {
    reader: &'r Reader,
    workspaces: Vec<PathBuf>,
    git_names: RefCell<HashMap<ContentId, GitBlobId>>,
    cache: RefCell<HashMap<ContentId, Bytes>>,
}

impl<'r> Contents<'r> {
    /// Contents of a run with these attempts, whose workspaces may hold some of them in git.
    pub fn new(reader: &'r Reader, attempts: &[Attempt]) -> Self {
        let mut workspaces: Vec<PathBuf> = Vec::new();
        for attempt in attempts.iter().rev() {
            let workspace = PathBuf::from(OsStr::from_bytes(attempt.started.workspace.as_bytes()));
            if !workspaces.contains(&workspace) {
                workspaces.push(workspace);
            }
        }
        Self { reader, workspaces, git_names: RefCell::default(), cache: RefCell::default() }
    }

    /// Bytes of a state.
    ///
    /// # Errors
    /// What the store says; a damaged or missing content is no error but [`Bytes::Unknown`].
    pub fn of_state(&self, state: &FileState) -> Result<Bytes, GraphError> {
        Ok(match state {
            FileState::Missing => Bytes::Known(Rc::from([])),
            FileState::Symlink { target } => Bytes::Known(Rc::from(target.as_bytes())),
            FileState::File { content, .. } => self.of(content)?,
            FileState::Unread { why, .. } => Bytes::Unknown(format!("the file was not read: {why}")),
            FileState::Unknown { why } => Bytes::Unknown(format!("the state is not known: {why}")),
            FileState::Directory => Bytes::Unknown("it is a directory".into()),
            FileState::Special => Bytes::Unknown("it is a fifo, socket or device".into()),
        })
    }

    /// Bytes of a content.
    ///
    /// # Errors
    /// As [`Contents::of_state`].
    pub fn of(&self, content: &Content) -> Result<Bytes, GraphError> {
        if let Some(git) = content.git {
            self.git_names.borrow_mut().insert(content.sha256, git);
        }
        if let Some(known) = self.cache.borrow().get(&content.sha256) {
            // Another name of the same content may know where git has it.
            if known.known().is_some() || content.git.is_none() {
                return Ok(known.clone());
            }
        }
        let bytes = self.look_up(content)?;
        self.cache.borrow_mut().insert(content.sha256, bytes.clone());
        Ok(bytes)
    }

    fn look_up(&self, content: &Content) -> Result<Bytes, GraphError> {
        if content.sha256.to_hex() == EMPTY {
            return Ok(Bytes::Known(Rc::from([])));
        }
        // A content of which only the hash was kept here may be stored for another path.
        let git = self.git_names.borrow().get(&content.sha256).copied();
        let mut damage = None;
        let nowhere = [PathBuf::new()];
        let workspaces = if self.workspaces.is_empty() { &nowhere[..] } else { &self.workspaces };
        for workspace in workspaces {
            match self.reader.content(&content.sha256, git.as_ref(), workspace) {
                Ok(Some(bytes)) => return Ok(Bytes::Known(Rc::from(bytes))),
                Ok(None) => {}
                Err(StoreError::Damaged(why)) => damage = Some(why),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Bytes::Unknown(damage.unwrap_or_else(|| match content.kept {
            Kept::Stored => "its blob is missing from the store".into(),
            Kept::Git => "git does not have it any more".into(),
            Kept::HashOnly(reason) => format!("only its hash was kept: {}", reason.explain()),
        })))
    }
}
