//! The states that a path passed through inside a run.
//!
//! Versions stand in append order, not in time order: a version's `before` is the state that the recorder knew
//! when it appended it, so append order is the order of the chain.

mod changed;
mod contents;
mod history;
mod moves;
mod resolve;

pub use changed::{ChangeRow, ChangeType, ChangedFile, changed_files};
pub use contents::{Bytes, Contents};
pub(crate) use history::versions_of_name;
pub use history::{FileHistory, history};
pub use moves::DirectoryMove;
pub use resolve::{FilePath, find_file, resolve_file};

pub(crate) use moves::directory_moves;

use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::{
    AttemptNo, Basis, EventId, EventTime, EventType, Fact, FileState, OsBytes, ProcessId, VersionCause, What,
};
use agentprov_store::{Reader, RunRow, Seq};
use sha2::{Digest, Sha256};

/// One passage of a path from a state to the next.
#[derive(Clone, Debug)]
pub struct Version {
    /// Sequence of the fact.
    pub seq: Seq,
    /// Id of the fact.
    pub event: EventId,
    /// When.
    pub at: EventTime,
    /// In which attempt.
    pub attempt: AttemptNo,
    /// On what ground the fact stands.
    pub basis: Basis,
    /// Absolute path.
    pub path: OsBytes,
    /// Path below the workspace; absent for files outside it.
    pub workspace_path: Option<OsBytes>,
    /// State before.
    pub before: FileState,
    /// State after.
    pub after: FileState,
    /// Every process that may have written it.
    pub writers: Vec<ProcessId>,
    /// What ended the writing.
    pub cause: VersionCause,
}

impl Version {
    /// The version that a fact tells of, where it tells of one.
    pub fn from_fact(seq: Seq, fact: Fact) -> Option<Self> {
        let What::FileVersion(version) = fact.what else { return None };
        Some(Self {
            seq,
            event: fact.id,
            at: fact.at,
            attempt: fact.attempt,
            basis: fact.basis,
            path: version.path,
            workspace_path: version.workspace_path,
            before: version.before,
            after: version.after,
            writers: version.writers,
            cause: version.cause,
        })
    }

    /// Where the bytes came from by name, for renames and links.
    pub fn source(&self) -> Option<&OsBytes> {
        match &self.cause {
            VersionCause::RenamedFrom(source) | VersionCause::LinkedFrom(source) => Some(source),
            _ => None,
        }
    }
}

/// Every version of the run, or of one attempt, in append order.
///
/// # Errors
/// What the store says.
pub fn all_versions(reader: &Reader, run: &RunRow, attempt: Option<AttemptNo>) -> Result<Vec<Version>, GraphError> {
    let facts = facts_of_type(reader, run, EventType::FileWrite)?;
    Ok(facts
        .into_iter()
        .filter(|(_, fact)| attempt.is_none_or(|attempt| fact.attempt == attempt))
        .filter_map(|(seq, fact)| Version::from_fact(seq, fact))
        .collect())
}

/// True where both states are known and the same; how a content is kept does not matter.
pub fn same_state(a: &FileState, b: &FileState) -> bool {
    match (a, b) {
        (FileState::File { content: a, mode: mode_a }, FileState::File { content: b, mode: mode_b }) => {
            a.sha256 == b.sha256 && mode_a == mode_b
        }
        (FileState::Symlink { target: a }, FileState::Symlink { target: b }) => a == b,
        (FileState::Missing, FileState::Missing) | (FileState::Directory, FileState::Directory) => true,
        _ => false,
    }
}

/// True where something is, or may be, at the path.
pub fn exists(state: &FileState) -> bool {
    !matches!(state, FileState::Missing)
}

/// Hex of the content's SHA-256 (of a link: of its text), or a word where there is none.
pub fn sha256_text(state: &FileState) -> String {
    match state {
        FileState::File { content, .. } => content.sha256.to_hex(),
        FileState::Symlink { target } => data_encoding::HEXLOWER.encode(&Sha256::digest(target.as_bytes())),
        FileState::Missing => "missing".into(),
        FileState::Directory => "directory".into(),
        FileState::Special => "special".into(),
        FileState::Unread { .. } | FileState::Unknown { .. } => "unknown".into(),
    }
}

/// Length in bytes; None where there is none or it is not known.
pub fn size_of(state: &FileState) -> Option<u64> {
    match state {
        FileState::File { content, .. } => Some(content.size),
        FileState::Symlink { target } => Some(target.len() as u64),
        FileState::Unread { size, .. } => *size,
        FileState::Missing | FileState::Directory | FileState::Special | FileState::Unknown { .. } => None,
    }
}

/// What kind of thing a state is, in one word.
pub const fn kind_of(state: &FileState) -> &'static str {
    match state {
        FileState::File { .. } => "file",
        FileState::Symlink { .. } => "symlink",
        FileState::Missing => "missing",
        FileState::Directory => "directory",
        FileState::Special => "special",
        FileState::Unread { .. } => "unread",
        FileState::Unknown { .. } => "unknown",
    }
}

/// The cause in one word, for documents.
pub const fn cause_name(cause: &VersionCause) -> &'static str {
    match cause {
        VersionCause::Closed => "closed",
        VersionCause::RenamedFrom(_) => "renamed_from",
        VersionCause::RenamedTo(_) => "renamed_to",
        VersionCause::LinkedFrom(_) => "linked_from",
        VersionCause::Symlinked => "symlinked",
        VersionCause::Unlinked => "unlinked",
        VersionCause::Truncated => "truncated",
        VersionCause::ModeChanged => "mode_changed",
        VersionCause::StillOpen => "still_open",
        VersionCause::Compared => "compared",
    }
}
