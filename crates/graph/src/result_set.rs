//! The integrity pair of contract documents, and cursors.

use crate::error::GraphError;
use agentprov_log::{Hash, leaf_hash};
use agentprov_store::{Position, RunRow};
use agentprov_model::EventTime;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Names what was asked, of which state: the same on every page of a query, on every host that has the log.
///
/// The hash covers the canonical query, the run, the tree size and the root over the facts below it.
pub fn result_set_id(query: &str, run: &str, size: u64, root: &Hash) -> String {
    let mut hasher = Sha256::new();
    for part in [query.as_bytes(), run.as_bytes(), &size.to_be_bytes(), &root.0] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&hasher.finalize()))
}

/// Hash over the rows of a page as they are printed.
pub fn page_hash(rows: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(rows).unwrap_or_default();
    format!("sha256:{}", leaf_hash(&bytes).to_hex())
}

/// A place to go on from: tree size that the query is pinned to, and the last position given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Facts at or beyond this size are not part of the query.
    pub size: u64,
    /// Last position of the page before.
    pub after: Position,
}

impl Cursor {
    /// Opaque text, without `|`.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.after.at.as_nanos().to_be_bytes());
        bytes.extend(self.after.seq.to_be_bytes());
        data_encoding::BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads what [`Cursor::encode`] made, for a run.
    ///
    /// # Errors
    /// [`GraphError::Argument`] for anything else, or a size that the run never had.
    pub fn decode(text: &str, run: &RunRow) -> Result<Self, GraphError> {
        let malformed = || GraphError::Argument(format!("'{text}' is no cursor of this query"));
        let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| malformed())?;
        let bytes: [u8; 24] = bytes.try_into().map_err(|_| malformed())?;
        let word = |at: usize| {
            let mut word = [0u8; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            word
        };
        let size = u64::from_be_bytes(word(0));
        if size > run.size {
            return Err(malformed());
        }
        let at = EventTime::from_nanos(i64::from_be_bytes(word(8)));
        Ok(Self { size, after: Position { at, seq: u64::from_be_bytes(word(16)) } })
    }
}
