//! Many bodies in one row.
//!
//! Facts of telemetry come in bulk and are much alike: neighbours that are packed together take an eighth of the room, and
//! the processor less time than writing them one by one. A pack is a zstd frame over lines, one for each of `span` facts
//! from `pos` on: the body, or nothing where that was taken out on purpose. A body is compact JSON, which has no line
//! feed of its own.
//!
//! Where rows contradict each other, every reader follows the same rule: a fact's own row comes first, then the nearest
//! pack that begins at it or before it.

mod editor;
mod scan;

pub(crate) use editor::Editor;
pub(crate) use scan::Scan;

use crate::Seq;
use crate::bodies::bytes_of;
use crate::error::StoreError;
use rusqlite::{Connection, Row};

pub(crate) const SCHEMA: &str = "
-- pos = run.no << 40 | seq of the first
CREATE TABLE pack (
    pos   INTEGER PRIMARY KEY,
    span  INTEGER NOT NULL,
    lines BLOB NOT NULL
);
";

/// Bytes at which a pack is full. With a quarter of it an ingest takes a fifth longer, with four times as much no less.
const FULL: usize = 32 << 10;
/// A longer body has a row of its own, so that what a reader unpacks stays small.
const LONGEST_BODY: usize = 16 << 10;
/// Fewer facts have rows of their own: whoever takes in single events reads single rows.
const FEWEST: usize = 16;
/// Facts in a pack at most.
pub(crate) const MAX_SPAN: i64 = 1024;
/// A fast level. Levels -1, -3 and 3 made an ingest no faster.
const ZSTD_LEVEL: i32 = 1;

/// What is read of a pack, and where the next one begins that is so near that it could reach into it.
macro_rules! columns {
    () => {
        "pos, span, lines, (SELECT min(pos) FROM pack AS other WHERE other.pos > pack.pos AND other.pos < pack.pos + 1024)"
    };
}
use columns;
const _: () = assert!(MAX_SPAN == 1024, "the columns above say so too");

/// Whether a body can be packed.
pub(crate) fn fits(body: &[u8]) -> bool {
    !body.is_empty() && body.len() <= LONGEST_BODY && memchr::memchr(b'\n', body).is_none()
}

/// Neighbours in one run that wait to be packed.
#[derive(Default)]
pub(crate) struct Pending {
    first: Seq,
    span: u64,
    lines: Vec<u8>,
}

impl Pending {
    /// Whether the fact of this number is the next one.
    pub(crate) fn is_followed_by(&self, seq: Seq) -> bool {
        self.first + self.span == seq
    }

    /// Adds a body that [`fits`] and is the next one, or the first.
    pub(crate) fn push(&mut self, seq: Seq, body: &[u8]) {
        if self.span == 0 {
            self.first = seq;
        }
        self.span += 1;
        self.lines.extend_from_slice(body);
        self.lines.push(b'\n');
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= FULL || self.span >= MAX_SPAN as u64
    }

    /// Whether so many wait that they are packed.
    pub(crate) fn is_worth_it(&self) -> bool {
        self.span >= FEWEST as u64
    }

    pub(crate) fn first(&self) -> Seq {
        self.first
    }

    pub(crate) fn span(&self) -> u64 {
        self.span
    }

    pub(crate) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// The bodies with their numbers.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = (Seq, &[u8])> {
        (self.first..).zip(self.lines.split_inclusive(|byte| *byte == b'\n')).map(|(seq, line)| {
            let body = line.strip_suffix(b"\n").unwrap_or(line);
            (seq, body)
        })
    }

    pub(crate) fn clear(&mut self) {
        self.span = 0;
        self.lines.clear();
    }
}

/// Makes frames; what it needs for that is used again.
#[derive(Default)]
pub(crate) struct Packer {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    frame: Vec<u8>,
}

impl Packer {
    /// The frame over these lines.
    pub(crate) fn pack(&mut self, lines: &[u8]) -> Result<&[u8], StoreError> {
        let compressor = match &mut self.compressor {
            Some(there) => there,
            none => none.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(StoreError::Pack)?),
        };
        self.frame.clear();
        self.frame.reserve(zstd::zstd_safe::compress_bound(lines.len()));
        compressor.compress_to_buffer(lines, &mut self.frame).map_err(StoreError::Pack)?;
        Ok(&self.frame)
    }
}

/// The bodies of one pack.
#[derive(Default)]
pub(crate) struct Unpacked {
    decompressor: zstd::bulk::Decompressor<'static>,
    first: i64,
    span: i64,
    lines: Vec<u8>,
    /// Where each line ends, its line feed left aside. Empty where the frame is damaged.
    ends: Vec<usize>,
}

impl Unpacked {
    /// Takes the place of what was unpacked before. `span` is bounded, for whoever edits the database can set it to anything.
    fn read(&mut self, first: i64, span: i64, frame: &[u8]) {
        (self.first, self.span) = (first, span.clamp(0, MAX_SPAN));
        self.lines.clear();
        self.ends.clear();
        self.lines.reserve(FULL + LONGEST_BODY);
        if self.decompressor.decompress_to_buffer(frame, &mut self.lines).is_err() {
            self.lines.clear();
        }
        self.ends.extend(memchr::memchr_iter(b'\n', &self.lines).take(self.span as usize));
    }

    /// Holds nothing any more.
    pub(crate) fn forget(&mut self) {
        self.span = 0;
    }

    /// Makes the pack that stands for a place the one that is unpacked, where there is one.
    pub(crate) fn load(&mut self, connection: &Connection, pos: i64) -> rusqlite::Result<()> {
        if self.stands_for(pos) {
            return Ok(());
        }
        let sql = concat!("SELECT ", columns!(), " FROM pack WHERE pos <= ?1 AND pos > ?2 ORDER BY pos DESC LIMIT 1");
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([pos, pos - MAX_SPAN])?;
        match rows.next()? {
            Some(row) => self.read_row(row),
            None => Ok(()),
        }
    }

    /// The same with a row of [`columns`]. What the next pack stands for is left to it.
    fn read_row(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (first, next): (i64, Option<i64>) = (row.get(0)?, row.get(3)?);
        let span = row.get_ref(1)?.as_i64().unwrap_or(0);
        self.read(first, next.map_or(span, |next| span.min(next - first)), bytes_of(row.get_ref(2)?));
        Ok(())
    }

    fn stands_for(&self, pos: i64) -> bool {
        (self.first..self.first + self.span).contains(&pos)
    }

    pub(crate) fn places(&self) -> std::ops::Range<i64> {
        self.first..self.first + self.span
    }

    /// The body at a place: none where there is no pack for it or it was taken out. Of a damaged frame all bodies are
    /// empty, and so do not have the hash of their leaf.
    pub(crate) fn body(&self, pos: i64) -> Option<&[u8]> {
        if !self.stands_for(pos) {
            return None;
        }
        if self.is_damaged() {
            return Some(&[]);
        }
        let index = (pos - self.first) as usize;
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).map(|end| end + 1))?;
        self.lines.get(start..*self.ends.get(index)?).filter(|body| !body.is_empty())
    }

    fn is_damaged(&self) -> bool {
        self.ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_out(bodies in prop::collection::vec("[a-z\"{}]{1,90}", 1..200), first in 0u64..1 << 40) {
            let mut pending = Pending::default();
            for (seq, body) in (first..).zip(&bodies) {
                prop_assert!(fits(body.as_bytes()));
                prop_assert!(pending.span() == 0 || pending.is_followed_by(seq));
                pending.push(seq, body.as_bytes());
            }
            let given: Vec<_> = pending.bodies().map(|(seq, body)| (seq, body.to_vec())).collect();
            let expected: Vec<_> = (first..).zip(bodies.iter().map(|body| body.clone().into_bytes())).collect();
            prop_assert_eq!(&given, &expected);
            let mut packer = Packer::default();
            let frame = packer.pack(pending.lines()).expect("a frame").to_vec();
            let mut unpacked = Unpacked::default();
            unpacked.read(first as i64, pending.span() as i64, &frame);
            for (seq, body) in &expected {
                prop_assert_eq!(unpacked.body(*seq as i64), Some(body.as_slice()));
            }
            prop_assert_eq!(unpacked.body((first + pending.span()) as i64), None);
            prop_assert_eq!(unpacked.body(first as i64 - 1), None);
        }

        #[test]
        fn no_bytes_are_too_strange_to_be_read(frame in prop::collection::vec(any::<u8>(), 0..300), span in any::<i64>()) {
            let mut unpacked = Unpacked::default();
            unpacked.read(5, span, &frame);
            prop_assert!(unpacked.places().count() <= MAX_SPAN as usize);
            for pos in unpacked.places() {
                prop_assert!(unpacked.body(pos).is_none_or(|body| body.len() <= FULL + LONGEST_BODY));
            }
        }
    }

    #[test]
    fn a_frame_that_unfolds_to_more_than_a_pack_is_damaged() {
        let frame = zstd::bulk::compress(&vec![b'\n'; 1 << 30], ZSTD_LEVEL).expect("a frame");
        let mut unpacked = Unpacked::default();
        unpacked.read(0, 16, &frame);
        assert!(unpacked.is_damaged() && unpacked.lines.capacity() < 1 << 20);
        assert_eq!(unpacked.body(3), Some(&[][..]));
    }
}
