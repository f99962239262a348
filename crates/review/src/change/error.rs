//! Why a change could not be read.

use std::io;

/// Why a change could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// git could not be started or talked to.
    #[error("git could not be run: {0}")]
    Run(#[source] io::Error),
    /// git refused.
    #[error("git {command} failed: {message}")]
    Git {
        /// The git command.
        command: String,
        /// What git said.
        message: String,
    },
    /// git answered in a way that is not understood.
    #[error("the answer of git {command} is not understood: {what}")]
    Answer {
        /// The git command.
        command: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The folder is in no repository with a work tree.
    #[error("{0} is not in a git work tree")]
    NoRepository(String),
    /// A name is no commit here.
    #[error("'{0}' names no commit of this repository")]
    NoCommit(String),
    /// The clone lacks the history that is needed.
    #[error("this clone is shallow and lacks the history down to the base ({0})")]
    Shallow(String),
    /// Two commits have no common ancestor.
    #[error("'{base}' and '{head}' have no common ancestor")]
    NoMergeBase {
        /// Given as base.
        base: String,
        /// Given as head.
        head: String,
    },
    /// Nothing says what to compare with.
    #[error("nothing says what HEAD is to be compared with: it has no upstream, and there is no main or master branch")]
    NoUpstream,
    /// The commit has no such parent.
    #[error("{commit} has no parent {parent}")]
    NoParent {
        /// The commit.
        commit: String,
        /// Number, counted from 1.
        parent: u32,
    },
    /// The index has conflicts.
    #[error("{0} has conflicts that are not resolved")]
    Unmerged(String),
    /// A file of the work tree could not be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The diff is not well-formed.
    #[error("line {line} of the diff: {what}")]
    Diff {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// More than is taken in.
    #[error("the change is too large: {0}")]
    TooLarge(String),
}

impl ChangeError {
    /// The next step, where one is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Run(_) => Some("install git, or add it to PATH"),
            Self::NoRepository(_) => Some("change into a clone"),
            Self::NoCommit(_) => Some("fetch the branch, or check the spelling; a range is written BASE..HEAD"),
            Self::Shallow(_) => {
                Some("clone with the whole history: fetch-depth: 0 for actions/checkout, or git fetch --unshallow")
            }
            Self::NoMergeBase { .. } => Some("compare branches of the same history"),
            Self::NoUpstream => Some("name the range: agentprov review BASE..HEAD"),
            Self::Unmerged(_) => Some("resolve the conflicts, then git add"),
            Self::NoParent { .. } | Self::Git { .. } | Self::Answer { .. } | Self::File { .. } => None,
            Self::Diff { .. } => Some("make it with git diff, without colour or external tools"),
            Self::TooLarge(_) => Some("review it in smaller ranges"),
        }
    }
}
