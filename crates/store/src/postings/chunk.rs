//! Chunks of a segment: entries of (kind, key, ascending sequence numbers) in sorted order.
//!
//! Entry: kind (1 byte), key (8 bytes, big-endian), length of the list in bytes (varint), then the list: varints,
//! the first as it is, the others as differences.

use super::Posting;
use crate::error::StoreError;
use std::cmp::Ordering;

/// A chunk is written out when it has grown to this many bytes.
const CHUNK_BYTES: usize = 2_048;

/// Packs sorted postings into chunks.
#[derive(Default)]
pub(super) struct ChunkWriter {
    chunk: Vec<u8>,
    chunk_first: Option<Posting>,
    list: Vec<u8>,
    list_key: Option<(u8, u64)>,
    previous: u64,
}

type Put<'p> = &'p mut dyn FnMut(Posting, &[u8]) -> Result<(), StoreError>;

impl ChunkWriter {
    pub(super) fn push(&mut self, posting: Posting, put: Put<'_>) -> Result<(), StoreError> {
        let key = (posting.kind, posting.key);
        let full = self.chunk.len() + self.list.len() >= CHUNK_BYTES;
        if self.list_key != Some(key) || full {
            self.end_list();
            if full {
                self.flush(put)?;
            }
            self.list_key = Some(key);
            self.previous = 0;
            self.chunk_first.get_or_insert(posting);
        }
        push_varint(&mut self.list, posting.seq - self.previous);
        self.previous = posting.seq;
        Ok(())
    }

    pub(super) fn finish(&mut self, put: Put<'_>) -> Result<(), StoreError> {
        self.end_list();
        self.flush(put)
    }

    fn end_list(&mut self) {
        let Some((kind, key)) = self.list_key.take() else { return };
        self.chunk.push(kind);
        self.chunk.extend(key.to_be_bytes());
        push_varint(&mut self.chunk, self.list.len() as u64);
        self.chunk.append(&mut self.list);
    }

    fn flush(&mut self, put: Put<'_>) -> Result<(), StoreError> {
        if let Some(first) = self.chunk_first.take() {
            put(first, &self.chunk)?;
            self.chunk.clear();
        }
        Ok(())
    }
}

/// Whether a chunk holds keys after the one that was looked for: later chunks then hold none of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Beyond {
    /// It does.
    Yes,
    /// It ends with or before the key.
    No,
}

/// Reads a chunk.
pub(super) struct ChunkReader<'c> {
    rest: &'c [u8],
}

fn damaged() -> StoreError {
    StoreError::Damaged("a posting chunk does not decode".into())
}

impl<'c> ChunkReader<'c> {
    pub(super) fn new(chunk: &'c [u8]) -> Self {
        Self { rest: chunk }
    }

    /// Appends the sequence numbers of one key, and says whether the chunk goes beyond it.
    pub(super) fn seek(mut self, kind: u8, key: u64, found: &mut Vec<u64>) -> Result<Beyond, StoreError> {
        while let Some((entry_kind, entry_key, list)) = self.entry()? {
            match (entry_kind, entry_key.cast_signed()).cmp(&(kind, key.cast_signed())) {
                Ordering::Less => {}
                Ordering::Equal => decode_list(list, |seq| found.push(seq))?,
                Ordering::Greater => return Ok(Beyond::Yes),
            }
        }
        Ok(Beyond::No)
    }

    pub(super) fn for_each(mut self, visit: &mut dyn FnMut(Posting)) -> Result<(), StoreError> {
        while let Some((kind, key, list)) = self.entry()? {
            decode_list(list, |seq| visit(Posting { kind, key, seq }))?;
        }
        Ok(())
    }

    fn entry(&mut self) -> Result<Option<Entry<'c>>, StoreError> {
        let Some((&kind, rest)) = self.rest.split_first() else { return Ok(None) };
        let (key, mut rest) = rest.split_at_checked(8).ok_or_else(damaged)?;
        let key = u64::from_be_bytes(key.try_into().map_err(|_| damaged())?);
        let length = read_varint(&mut rest)?;
        let (list, rest) = rest.split_at_checked(length as usize).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(Some((kind, key, list)))
    }
}

/// Kind and key of an entry, and its sequence numbers as they are encoded.
type Entry<'c> = (u8, u64, &'c [u8]);

fn decode_list(mut list: &[u8], mut visit: impl FnMut(u64)) -> Result<(), StoreError> {
    let mut previous = 0u64;
    while let Some((&byte, rest)) = list.split_first() {
        // Neighbours in a list are mostly less than 128 apart, which is one byte.
        let difference = if byte < 0x80 {
            list = rest;
            u64::from(byte)
        } else {
            read_varint(&mut list)?
        };
        previous = previous.checked_add(difference).ok_or_else(damaged)?;
        visit(previous);
    }
    Ok(())
}

/// LEB128.
fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Result<u64, StoreError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(damaged)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(damaged())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted() -> impl Strategy<Value = Vec<Posting>> {
        let posting = (1u8..4, 0u64..9, 0u64..1 << 40).prop_map(|(kind, key, seq)| Posting { kind, key, seq });
        proptest::collection::btree_set(posting, 0..2_000).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn chunks_give_back_what_went_in(postings in sorted()) {
            let mut chunks: Vec<(Posting, Vec<u8>)> = Vec::new();
            let mut put = |first: Posting, chunk: &[u8]| { chunks.push((first, chunk.to_vec())); Ok(()) };
            let mut writer = ChunkWriter::default();
            for posting in &postings {
                writer.push(*posting, &mut put).expect("put never fails");
            }
            writer.finish(&mut put).expect("put never fails");
            let mut back = Vec::new();
            for (first, chunk) in &chunks {
                let place = back.len();
                ChunkReader::new(chunk).for_each(&mut |posting| back.push(posting)).expect("own chunk decodes");
                prop_assert_eq!(*first, back[place]);
            }
            prop_assert_eq!(back, postings);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = ChunkReader::new(&bytes).for_each(&mut |_| {});
        }
    }
}
