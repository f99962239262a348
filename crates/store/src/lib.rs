//! The embedded store: SQLite in WAL mode and a folder of blobs.
//!
//! It keeps facts, their leaf hashes, and the indexes that views need; it does not know what a fact means
//! beyond the keys and counts that the model gives it.
//!
//! Invariants:
//! - There is one write path, [`Writer::transaction`]: facts, leaf hashes, tree frontier, indexes, counts,
//!   checkpoint and ledger entries of a batch are in one SQLite transaction. [`Queue`] keeps work, not evidence.
//! - A fact's bytes are hashed as they are stored and never serialised again.
//! - Indexes and counts are pure functions of facts: [`fsck`] computes them anew and compares.

pub mod blobs;
mod bodies;
pub mod error;
mod facts_of_type;
pub mod fsck;
pub mod key;
mod late_tallies;
pub mod ledger;
pub mod location;
pub mod migrations;
mod moments;
mod outline;
mod pack;
pub mod postings;
pub mod prepared;
pub mod queue;
pub mod reader;
pub mod removal;
pub mod retention;
pub mod state_head;
pub mod store;
pub mod tail;
mod tallies;
pub mod usage;
mod version_runs;
pub mod writer;

pub use blobs::{BlobRow, Blobs};
pub use error::StoreError;
pub use key::command_key;
pub use ledger::{LedgerEntry, LedgerEvent};
pub use location::Location;
pub use moments::Moments;
pub use prepared::{Prepared, PreparedList, Ready};
pub use queue::{Accepted, Claimed, JobRow, JobState, NewJob, Queue};
pub use reader::{EventRow, Position, Reader, RunRow};
pub use store::Store;
pub use writer::{Appended, Batch, Durability, Writer};

/// Number of a run inside its store, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunNo(pub i64);

/// Zero-based sequence number of a fact in its run's log: its leaf index.
pub type Seq = u64;

/// Facts of a run take the row ids `run << SEQ_BITS | seq`.
const SEQ_BITS: u32 = 40;

fn position(run: RunNo, seq: u64) -> i64 {
    debug_assert!(seq < 1 << SEQ_BITS, "a run holds at most 2^40 facts");
    (run.0 << SEQ_BITS) | seq as i64
}

fn seq_of(position: i64) -> u64 {
    (position & ((1 << SEQ_BITS) - 1)) as u64
}
