//! Sorted segments read side by side, one chunk of each at a time: merging needs no memory that grows with them.

use super::Posting;
use super::chunk::ChunkReader;
use crate::error::StoreError;
use rusqlite::Rows;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Order of postings, and the source that the posting came from.
type Head = (u8, i64, u64, usize);

/// One segment.
struct Source<'s> {
    chunks: Rows<'s>,
    pending: VecDeque<Posting>,
}

impl Source<'_> {
    fn next(&mut self) -> Result<Option<Posting>, StoreError> {
        while self.pending.is_empty() {
            let Some(row) = self.chunks.next()? else { return Ok(None) };
            let entries = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let pending = &mut self.pending;
            ChunkReader::new(entries).for_each(&mut |posting| pending.push_back(posting))?;
        }
        Ok(self.pending.pop_front())
    }
}

/// The postings of several segments in one order.
#[derive(Default)]
pub(super) struct Merged<'s> {
    sources: Vec<Source<'s>>,
    heads: BinaryHeap<Reverse<Head>>,
}

impl<'s> Merged<'s> {
    /// Adds a segment: its chunks in order.
    pub(super) fn add(&mut self, chunks: Rows<'s>) -> Result<(), StoreError> {
        self.sources.push(Source { chunks, pending: VecDeque::new() });
        self.refill(self.sources.len() - 1)
    }

    fn refill(&mut self, place: usize) -> Result<(), StoreError> {
        if let Some(posting) = self.sources[place].next()? {
            self.heads.push(Reverse((posting.kind, posting.key.cast_signed(), posting.seq, place)));
        }
        Ok(())
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Posting, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((kind, key, seq, place)) = self.heads.pop()?;
        if let Err(error) = self.refill(place) {
            return Some(Err(error));
        }
        Some(Ok(Posting { kind, key: key.cast_unsigned(), seq }))
    }
}
