//! Reading rows: lines with everything about them that takes no understanding.

use crate::lines::LineReader;
use crate::redact::Redactor;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

/// Bytes that are handed on together: some milliseconds of understanding.
const BLOCK_BYTES: usize = 256 << 10;
/// Lines that are handed on together, however short they are.
const BLOCK_LINES: usize = 4_096;

/// Lines, one behind the other.
#[derive(Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    lines: Vec<Place>,
    /// What comes after them.
    pub(super) then: Then,
}

/// What comes after a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Then {
    /// More, at once.
    #[default]
    More,
    /// A live source may pause here.
    Wait,
    /// The input is over.
    End,
    /// The input can't be read any further.
    Broken,
}

struct Place {
    number: u64,
    bytes: Range<usize>,
    too_long: bool,
    sha256: [u8; 32],
    redacted: Option<Vec<u8>>,
}

/// A line of a block.
#[derive(Clone, Copy)]
pub(super) struct RowLine<'b> {
    /// Its number in the input, from 1.
    pub(super) number: u64,
    /// Its bytes, without the line end; empty where it was too long to be held.
    pub(super) bytes: &'b [u8],
    pub(super) too_long: bool,
    /// Of its bytes.
    pub(super) sha256: [u8; 32],
    /// Its bytes with secrets taken out, where it had any.
    redacted: Option<&'b [u8]>,
}

impl<'b> RowLine<'b> {
    /// The line as it is kept, and its digest.
    pub(super) fn kept(&self) -> (&'b [u8], [u8; 32]) {
        match self.redacted {
            Some(text) => (text, Sha256::digest(text).into()),
            None => (self.bytes, self.sha256),
        }
    }
}

impl Block {
    /// The lines, in order.
    pub(super) fn lines(&self) -> impl Iterator<Item = RowLine<'_>> {
        self.lines.iter().map(|line| RowLine {
            number: line.number,
            bytes: self.bytes.get(line.bytes.clone()).unwrap_or_default(),
            too_long: line.too_long,
            sha256: line.sha256,
            redacted: line.redacted.as_deref(),
        })
    }

    /// The block without what was in it; its memory is used again.
    pub(super) fn cleared(mut self) -> Self {
        self.bytes.clear();
        self.lines.clear();
        self.then = Then::More;
        self
    }
}

/// Takes a block and gives an empty one; none where nobody takes any more.
pub(super) type SendBlock<'s> = dyn FnMut(Block) -> Option<Block> + 's;

/// Reads an input.
pub(super) struct RowReader<R> {
    lines: LineReader<R>,
    /// There where rows are kept.
    redactor: Option<Redactor>,
    block: Block,
}

impl<R: Read> RowReader<R> {
    pub(super) fn new(input: R, keeps_rows: bool) -> Self {
        let redactor = keeps_rows.then(Redactor::new);
        Self { lines: LineReader::new(input), redactor, block: Block::default() }
    }

    /// Reads to the end. What came before a fault is handed on.
    pub(super) fn run(&mut self, send: &mut SendBlock<'_>) -> std::io::Result<()> {
        loop {
            if self.lines.may_wait() && !self.hand_over(Then::Wait, send) {
                return Ok(());
            }
            let line = match self.lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => {
                    self.hand_over(Then::End, send);
                    return Ok(());
                }
                Err(fault) => {
                    self.hand_over(Then::Broken, send);
                    return Err(fault);
                }
            };
            let start = self.block.bytes.len();
            self.block.bytes.extend_from_slice(line.bytes);
            let kept = self.redactor.map(|redactor| redactor.text(line.bytes).text);
            self.block.lines.push(Place {
                number: line.number,
                bytes: start..self.block.bytes.len(),
                too_long: line.too_long,
                sha256: Sha256::digest(line.bytes).into(),
                redacted: if let Some(Cow::Owned(text)) = kept { Some(text) } else { None },
            });
            let full = self.block.bytes.len() >= BLOCK_BYTES || self.block.lines.len() >= BLOCK_LINES;
            if full && !self.hand_over(Then::More, send) {
                return Ok(());
            }
        }
    }

    fn hand_over(&mut self, then: Then, send: &mut SendBlock<'_>) -> bool {
        self.block.then = then;
        let next = send(std::mem::take(&mut self.block));
        let goes_on = next.is_some();
        self.block = next.unwrap_or_default();
        goes_on
    }

    /// SHA-256 and number of the bytes read so far.
    pub(super) fn digest(&self) -> ([u8; 32], u64) {
        self.lines.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one piece a time, then fails.
    struct Pieces(Vec<&'static [u8]>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("unplugged"));
            }
            let piece = self.0.remove(0);
            into[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn blocks(input: impl Read) -> (Vec<(Vec<String>, Then)>, std::io::Result<()>) {
        let mut got = Vec::new();
        let ended = RowReader::new(input, true).run(&mut |block| {
            let text = |line: RowLine<'_>| {
                let (kept, digest) = line.kept();
                assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(kept)));
                String::from_utf8_lossy(kept).into_owned()
            };
            got.push((block.lines().map(text).collect(), block.then));
            Some(block.cleared())
        });
        (got, ended)
    }

    #[test]
    fn a_live_source_is_not_waited_for_with_lines_in_hand() {
        let (got, ended) = blocks(Pieces(vec![b"one\ntwo\nthr", b"ee\n"]));
        let texts = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        let expected =
            [(texts(&["one", "two"]), Then::Wait), (texts(&["three"]), Then::Wait), (texts(&[]), Then::Broken)];
        assert_eq!(got, expected);
        assert_eq!(ended.expect_err("it fails").to_string(), "unplugged");
    }

    #[test]
    fn secrets_are_taken_out_of_what_is_kept() {
        let (got, ended) = blocks(&b"{\"token\":\"ghp_0123456789abcdefghijABCDEFGHIJ012345\"}"[..]);
        ended.expect("it reads");
        let text = &got[0].0[0];
        assert!(text.contains("[redacted:") && !text.contains("ghp_"), "{text}");
    }

    #[test]
    fn long_inputs_come_in_blocks() {
        let input: String = (0..20_000).map(|n| format!("{n:040}\n")).collect();
        let (got, ended) = blocks(input.as_bytes());
        ended.expect("it reads");
        assert!(got.len() > 3 && got.iter().rev().skip(1).all(|(_, then)| *then != Then::End));
        assert_eq!(got.last().map(|(_, then)| *then), Some(Then::End));
        let back: String = got.iter().flat_map(|(lines, _)| lines).map(|line| format!("{line}\n")).collect();
        assert_eq!(back, input);
    }
}
