//! What one thread hands the other: facts ready for append, and the results of their rows.

use super::row::RowResult;
use agentprov_model::{EventId, EventTime, Fact, RunId, SourceName};
use agentprov_store::PreparedList;
use std::ops::Range;

/// Events in one transaction: about 20 ms of writing.
pub(super) const CHUNK_EVENTS: usize = 4096;
/// Rows that are reported together even where few of them are events.
pub(super) const CHUNK_ROWS: usize = 16_384;
/// Bytes of facts that one chunk keeps room for: as many as events of usual length take.
const FACT_BYTES: usize = 4 << 20;
/// Bytes of raw rows, and of facts, that one chunk holds.
pub(super) const CHUNK_BYTES: usize = 8 << 20;

/// Number of a log in this ingest.
pub(super) type LogNo = usize;

/// Facts and results of some rows.
#[derive(Default)]
pub(super) struct Chunk {
    /// Logs that no earlier chunk named; numbers go on from there.
    pub(super) new_logs: Vec<RunId>,
    /// The facts, and where each goes.
    pub(super) facts: PreparedList,
    pub(super) entries: Vec<Entry>,
    pub(super) rows: Vec<RowResult>,
    /// Raw rows of the entries, one behind the other.
    pub(super) raw: Vec<u8>,
}

/// Where a fact goes.
pub(super) struct Entry {
    pub(super) log: LogNo,
    /// Set where the fact is an event of a row, which the manifest covers.
    pub(super) event: Option<EventEntry>,
}

/// The event of a row.
pub(super) struct EventEntry {
    pub(super) id: EventId,
    pub(super) at: EventTime,
    pub(super) source: SourceName,
    /// Where in the chunk the row stands as it is kept.
    pub(super) raw: Option<Range<usize>>,
}

impl Chunk {
    pub(super) fn push(&mut self, fact: &Fact, log: LogNo, event: Option<EventEntry>) {
        self.facts.push(fact);
        self.entries.push(Entry { log, event });
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= CHUNK_EVENTS
            || self.rows.len() >= CHUNK_ROWS
            || self.raw.len() >= CHUNK_BYTES
            || self.facts.body_bytes() >= CHUNK_BYTES
    }

    /// The chunk without what was in it; its memory is used again.
    pub(super) fn cleared(mut self) -> Self {
        self.new_logs.clear();
        self.facts.clear(FACT_BYTES);
        self.entries.clear();
        self.rows.clear();
        self.raw.clear();
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.rows.is_empty()
    }
}
