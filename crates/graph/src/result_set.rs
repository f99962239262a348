//! The integrity pair of contract documents, and cursors.

use crate::error::GraphError;
use agentprov_log::{Frontier, Hash, leaf_hash};
use agentprov_model::EventTime;
use agentprov_store::{Position, RunRow, StoreError};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Names what was asked, of which state: the same on every page of a query, on every host that has the log.
///
/// The hash covers the canonical query, the run, the tree size and the root over the facts below it.
pub fn result_set_id(query: &str, run: &str, size: u64, root: &Hash) -> String {
    let parts = [query.as_bytes(), run.as_bytes(), &size.to_be_bytes(), &root.0];
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&digest(&parts)))
}

/// Hash over the rows of a page as they are printed.
pub fn page_hash(rows: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(rows).unwrap_or_default();
    format!("sha256:{}", leaf_hash(&bytes).to_hex())
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        // Lengths keep neighbouring parts from running together.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The state of a run's log that a query is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    /// Facts at or beyond this size are not part of the query.
    pub size: u64,
    /// Root over the facts below it.
    pub root: Hash,
}

impl Pin {
    /// The run as it stands now.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the stored frontier is none, or not that of the run's size.
    pub fn head(run: &RunRow) -> Result<Self, GraphError> {
        let damaged = |why: String| StoreError::Damaged(format!("the frontier of run {}: {why}", run.id));
        let frontier = Frontier::from_bytes(&run.frontier).map_err(|error| damaged(error.to_string()))?;
        if frontier.size() != run.size {
            return Err(damaged(format!("it has {} leaves, the run {}", frontier.size(), run.size)).into());
        }
        Ok(Self { size: run.size, root: frontier.root() })
    }

    /// The `result_set_id` of a query on this state.
    pub fn result_set_id(&self, query: &str, run: &RunRow) -> String {
        result_set_id(query, run.id.as_str(), self.size, &self.root)
    }
}

/// A place inside a result: what it means is the query's own business.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark(pub u64, pub u64);

/// The sign bit of a time, turned over so that marks sort as times do.
const SIGN: u64 = 1 << 63;

impl From<Position> for Mark {
    fn from(position: Position) -> Self {
        Self(position.at.as_nanos().cast_unsigned() ^ SIGN, position.seq)
    }
}

impl From<Mark> for Position {
    fn from(mark: Mark) -> Self {
        Self { at: EventTime::from_nanos((mark.0 ^ SIGN).cast_signed()), seq: mark.1 }
    }
}

/// A place to go on from: the state that the query is pinned to, and the last place given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The state. It travels with the cursor, so that a later page needs no rehash of the log.
    pub pin: Pin,
    /// Last place of the page before.
    pub after: Mark,
}

/// Bytes of an encoded cursor: size, root, mark, tag.
const CURSOR_LENGTH: usize = 8 + 32 + 16 + TAG_LENGTH;
const TAG_LENGTH: usize = 8;

impl Cursor {
    /// Opaque text, without `|`, that only the same query of the same run takes back.
    pub fn encode(&self, query: &str, run: &RunRow) -> String {
        let mut bytes = Vec::with_capacity(CURSOR_LENGTH);
        bytes.extend(self.pin.size.to_be_bytes());
        bytes.extend(self.pin.root.0);
        bytes.extend(self.after.0.to_be_bytes());
        bytes.extend(self.after.1.to_be_bytes());
        bytes.extend(tag(&bytes, query, run));
        data_encoding::BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads what [`Cursor::encode`] made for this query and run.
    ///
    /// # Errors
    /// [`GraphError::Argument`] for anything else, or a state that the run never had.
    pub fn decode(text: &str, query: &str, run: &RunRow) -> Result<Self, GraphError> {
        Self::parse(text, query, run).ok_or_else(|| {
            GraphError::Argument(format!("'{text}' is no cursor of this query; start again without one"))
        })
    }

    fn parse(text: &str, query: &str, run: &RunRow) -> Option<Self> {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (body, found) = bytes.split_at_checked(CURSOR_LENGTH - TAG_LENGTH)?;
        if found != tag(body, query, run) {
            return None;
        }
        let word = |at: usize| Some(u64::from_be_bytes(body.get(at..at + 8)?.try_into().ok()?));
        let pin = Pin { size: word(0)?, root: Hash(body.get(8..40)?.try_into().ok()?) };
        if pin.size > run.size || (pin.size == run.size && Pin::head(run).ok()? != pin) {
            return None;
        }
        Some(Self { pin, after: Mark(word(40)?, word(48)?) })
    }
}

/// Ties a cursor to its query and run, and notices a mistyped character. It is no secret and proves nothing.
fn tag(body: &[u8], query: &str, run: &RunRow) -> [u8; TAG_LENGTH] {
    let mut tag = [0; TAG_LENGTH];
    tag.copy_from_slice(&digest(&[body, query.as_bytes(), run.id.as_str().as_bytes()])[..TAG_LENGTH]);
    tag
}
