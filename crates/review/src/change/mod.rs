//! What is reviewed: files with their lines before and after, from git, from a diff or from a posted payload.
//!
//! Invariant: what can't be read is said so in the file it belongs to; no file of the change is left out.

mod batch;
mod content;
mod diff_text;
mod error;
mod from_git;
mod from_payload;
mod log;
mod payload;
mod posted_diff;
mod raw;
mod repository;
mod repository_id;
mod span;

pub(crate) use content::classify;
pub use content::{ChangeKind, ChangedFile, FileContent, Side};
pub use diff_text::from_diff;
pub use error::ChangeError;
pub use from_git::{Selection, from_git};
pub use from_payload::from_payload;
pub use log::{CommitRow, GitLog, GitPosition, Move};
pub use payload::{ChangedLine, LineChange, Payload, PayloadAttribution, PayloadError, ProvenanceData};
pub use repository::Repository;
pub(crate) use repository::parse_blob;
pub use repository_id::{RepositoryId, RepositoryIdError};
pub use span::Span;
pub(crate) use span::{line_count, spans, spans_without_carriage_returns};

use serde::Serialize;

/// Where a change comes from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// From one commit to another.
    Range {
        /// Commit before.
        base: String,
        /// Commit after.
        head: String,
        /// Tree of the head commit.
        tree: String,
    },
    /// From HEAD to the index.
    Staged {
        /// Commit before; absent before the first commit.
        base: Option<String>,
    },
    /// From HEAD to the files in the work tree, those that git does not track included.
    Worktree {
        /// Commit before; absent before the first commit.
        base: Option<String>,
    },
    /// A unified diff.
    Diff,
    /// Lines that somebody posted.
    Payload {
        /// Name of the repository, as posted.
        repo: String,
        /// Commit before, as posted.
        base: String,
        /// Commit after, as posted.
        head: String,
    },
}

/// A change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where it comes from.
    pub origin: Origin,
    /// Files, by path.
    pub files: Vec<ChangedFile>,
    /// What was said about the authors of lines by whoever handed the change in.
    pub asserted: Vec<AssertedLine>,
}

/// An unproven word about who wrote a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssertedLine {
    /// Place in [`Change::files`].
    pub file: usize,
    /// The line.
    pub line: crate::LineNumber,
    /// Which side of the change it is on.
    pub removed: bool,
    /// Who is said to have written it.
    pub by: PayloadAttribution,
}

impl Change {
    /// Lines that the change adds or removes.
    pub fn line_count(&self) -> usize {
        self.files.iter().map(|file| file.added().count() + file.removed().count()).sum()
    }

    /// The files as detectors take them: those with text at head, and lines that the change adds.
    pub fn scan_files(&self) -> Vec<crate::detect::ScanFile> {
        self.files.iter().filter_map(ChangedFile::scan_file).collect()
    }
}
