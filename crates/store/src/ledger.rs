//! The store's own log: its leaves say which runs there are, how they were sealed, and what was removed.

use agentprov_model::{AttemptNo, EventTime, RunId};
use serde::{Deserialize, Serialize};

/// One leaf of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When it was appended.
    pub at: EventTime,
    /// The run it speaks of.
    pub run: RunId,
    /// What happened to the run.
    pub event: LedgerEvent,
}

/// What the ledger records of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerEvent {
    /// The run's log was opened.
    Opened,
    /// An attempt ended; the run's log then had this signed head.
    Sealed {
        /// The attempt.
        attempt: AttemptNo,
        /// The run's checkpoint, a signed note.
        checkpoint: String,
    },
    /// The bodies and blobs of the run were removed; its leaf hashes stay.
    Removed(Removal),
}

/// Who removed what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removal {
    /// User id and, where known, name of who removed it.
    pub by: String,
    /// Why, such as `rm` or `gc --keep 30d`.
    pub reason: String,
    /// Facts whose bodies are gone.
    pub facts: u64,
    /// Blobs that no other run needed.
    pub blobs: u64,
    /// The run's checkpoint when it was removed, a signed note.
    pub checkpoint: String,
}

impl LedgerEntry {
    /// The bytes that are stored and hashed.
    pub fn to_body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a ledger entry has only string keys and writes to memory")
    }

    /// Reads a stored body.
    ///
    /// # Errors
    /// When the bytes are no ledger entry that this version knows.
    pub fn from_body(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}
