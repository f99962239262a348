//! Directories that were renamed: the files below them change their names without versions of their own.

use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::{AttemptNo, EventType, FileOp, OsBytes, What};
use agentprov_store::{Reader, RunRow, Seq};

/// A directory took another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryMove {
    /// Sequence of the fact.
    pub seq: Seq,
    /// In which attempt.
    pub attempt: AttemptNo,
    /// Absolute name before.
    pub from: OsBytes,
    /// Absolute name after.
    pub to: OsBytes,
    /// Both directories changed places.
    pub exchange: bool,
}

impl DirectoryMove {
    /// The new name of a path that was below `from`.
    pub fn carry(&self, path: &OsBytes) -> Option<OsBytes> {
        replace_prefix(path, &self.from, &self.to).or_else(|| self.exchanged(path, &self.to, &self.from))
    }

    /// The name before the move of a path that is below `to` after it.
    pub fn undo(&self, path: &OsBytes) -> Option<OsBytes> {
        replace_prefix(path, &self.to, &self.from).or_else(|| self.exchanged(path, &self.from, &self.to))
    }

    fn exchanged(&self, path: &OsBytes, from: &OsBytes, to: &OsBytes) -> Option<OsBytes> {
        if self.exchange { replace_prefix(path, from, to) } else { None }
    }
}

fn replace_prefix(path: &OsBytes, from: &OsBytes, to: &OsBytes) -> Option<OsBytes> {
    let rest = path.as_bytes().strip_prefix(from.as_bytes())?;
    rest.starts_with(b"/").then(|| OsBytes::new([to.as_bytes(), rest].concat()))
}

/// Every successful rename of a directory, in append order.
pub(crate) fn directory_moves(reader: &Reader, run: &RunRow) -> Result<Vec<DirectoryMove>, GraphError> {
    let mut moves = Vec::new();
    for (seq, fact) in facts_of_type(reader, run, EventType::FileRename)? {
        let What::FileChanged(change) = fact.what else { continue };
        if let (true, true, Some(to)) = (change.directory, change.result.succeeded(), change.path2) {
            let exchange = change.op == FileOp::Exchange;
            moves.push(DirectoryMove { seq, attempt: fact.attempt, from: change.path, to, exchange });
        }
    }
    Ok(moves)
}
