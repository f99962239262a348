//! Sorted segments read side by side, one chunk of each at a time: merging needs no memory that grows with them.

use super::Posting;
use super::chunk::ChunkReader;
use crate::error::StoreError;
use rusqlite::Rows;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
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
        let mut source = Source { chunks, pending: VecDeque::new() };
        if let Some(first) = source.next()? {
            self.heads.push(Reverse((first.kind, first.key.cast_signed(), first.seq, self.sources.len())));
        }
        self.sources.push(source);
        Ok(())
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Posting, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Segments hold long stretches of one key: the source that was first mostly stays first, and nothing moves.
        let mut head = self.heads.peek_mut()?;
        let Reverse((kind, key, seq, place)) = *head;
        match self.sources[place].next() {
            Ok(Some(next)) => *head = Reverse((next.kind, next.key.cast_signed(), next.seq, place)),
            Ok(None) => drop(PeekMut::pop(head)),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(Posting { kind, key: key.cast_unsigned(), seq }))
    }
}
