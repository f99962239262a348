//! Which repository something was said of, so that it does not count for another.

use crate::change::{ChangeError, Repository};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What stays the same over clones, forks, new addresses and folders of a repository, and differs between two of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RepositoryId {
    /// By the first commit of its main line.
    Git(String),
    /// By the name under which its changes are posted to the service.
    Posted(String),
    /// A diff that is of no repository.
    Nowhere,
}

/// A text that names no repository.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' names no repository: git:COMMIT, posted:NAME or none")]
pub struct RepositoryIdError(String);

impl Repository {
    /// Which repository it is, by the line of first parents below a commit. None where history was cut off or there is
    /// no such commit: then nothing tells it from another.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn identity(&self, commit: &str) -> Result<Option<RepositoryId>, ChangeError> {
        // The end of a shallow history would pass for the first commit.
        if self.is_shallow()? {
            return Ok(None);
        }
        let first = self.line(&["rev-list", "--first-parent", "--max-parents=0", "--end-of-options", commit, "--"])?;
        Ok(first.filter(|commit| is_commit(commit)).map(RepositoryId::Git))
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl FromStr for RepositoryId {
    type Err = RepositoryIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "none" => Ok(Self::Nowhere),
            Some(("git", commit)) if is_commit(commit) => Ok(Self::Git(commit.to_owned())),
            Some(("posted", name)) => Ok(Self::Posted(name.to_owned())),
            _ => Err(RepositoryIdError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RepositoryId {
    type Error = RepositoryIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RepositoryId> for String {
    fn from(id: RepositoryId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(commit) => write!(f, "git:{commit}"),
            Self::Posted(name) => write!(f, "posted:{name}"),
            Self::Nowhere => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_nothing_else_is_one() {
        let commit = "a".repeat(40);
        for name in [format!("git:{commit}"), "posted:org/name: x".into(), "none".into()] {
            assert_eq!(name.parse::<RepositoryId>().unwrap().to_string(), name);
        }
        for bad in ["", "git:abc", "posted", "nowhere", &format!("GIT:{commit}"), &format!("git:{commit}\n")] {
            assert!(bad.parse::<RepositoryId>().is_err(), "{bad}");
        }
    }
}
