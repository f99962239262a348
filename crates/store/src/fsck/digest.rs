//! Comparing indexes with facts in constant memory.
//!
//! Both sides are sets of small records in different orders. Each record is hashed, and the hashes are added up:
//! equal sums mean equal sets, up to chance of 2^-128.

use crate::error::StoreError;
use crate::outline::Outline;
use crate::reader::Reader;
use crate::{RunNo, postings};
use agentprov_model::ids::EVENT_TIME_SHIFT;
use sha2::{Digest, Sha256};

/// Sums over the records of a run's indexes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct IndexDigest {
    pub(super) events: u128,
    pub(super) postings: u128,
}

fn record(parts: [&[u8]; 3]) -> u128 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(bytes)
}

fn event_record(id: &[u8], low: i64, seq: u64) -> u128 {
    record([id, &low.to_be_bytes(), &seq.to_be_bytes()])
}

fn posting_record(kind: u8, key: u64, seq: u64) -> u128 {
    record([&[kind], &key.to_be_bytes(), &seq.to_be_bytes()])
}

impl IndexDigest {
    /// Adds what the indexes must hold for a fact.
    pub(super) fn add_fact(&mut self, seq: u64, fact: &Outline) {
        let low = fact.at.as_nanos() & ((1 << EVENT_TIME_SHIFT) - 1);
        self.events = self.events.wrapping_add(event_record(fact.id.as_bytes(), low, seq));
        for &(kind, key) in &fact.keys {
            self.postings = self.postings.wrapping_add(posting_record(kind, key, seq));
        }
    }

    /// Sums over what the indexes do hold.
    pub(super) fn of_stored(reader: &Reader, run: RunNo) -> Result<Self, StoreError> {
        let mut digest = Self::default();
        let mut statement = reader.connection().prepare_cached("SELECT id, low, seq FROM event WHERE run = ?1")?;
        let mut rows = statement.query([run.0])?;
        while let Some(row) = rows.next()? {
            let id = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let seq = row.get::<_, i64>(2)? as u64;
            digest.events = digest.events.wrapping_add(event_record(id, row.get(1)?, seq));
        }
        postings::for_each(reader.connection(), run, &mut |posting| {
            let record = posting_record(posting.kind, posting.key, posting.seq);
            digest.postings = digest.postings.wrapping_add(record);
        })?;
        Ok(digest)
    }
}
