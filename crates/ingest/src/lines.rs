//! Reading lines of any length in bounded memory, hashing the exact bytes.

use memchr::memchr;
use sha2::{Digest, Sha256};
use std::io::Read;

/// Longest line that is held; longer ones become failed rows.
pub const MAX_LINE: usize = 4 << 20;
/// Bytes asked of the input at once.
const CHUNK: usize = 256 << 10;

/// A line without its line end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'b> {
    /// Its number in the input, from 1.
    pub number: u64,
    /// Its bytes; empty where it was too long to be held.
    pub bytes: &'b [u8],
    /// It was longer than the limit and its bytes are gone.
    pub too_long: bool,
    /// A newline ended it; false for a torn last line.
    pub terminated: bool,
}

/// Splits an input into lines.
pub struct LineReader<R> {
    input: R,
    max_line: usize,
    buffer: Vec<u8>,
    /// Bytes of the buffer before this were given out.
    start: usize,
    /// Bytes of the buffer before this hold no newline.
    searched: usize,
    ended: bool,
    /// A line that is too long is being passed over.
    skipping: bool,
    number: u64,
    hasher: Sha256,
    bytes: u64,
    /// The input gave less than was asked of it the last time: it may have to be waited for.
    short: bool,
}

impl<R: Read> LineReader<R> {
    /// Reads lines up to [`MAX_LINE`].
    pub fn new(input: R) -> Self {
        Self::with_limit(input, MAX_LINE)
    }

    /// The same with another limit.
    pub fn with_limit(input: R, max_line: usize) -> Self {
        Self {
            input,
            max_line,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            ended: false,
            skipping: false,
            number: 0,
            hasher: Sha256::new(),
            bytes: 0,
            short: false,
        }
    }

    /// True where the next line may have to be waited for.
    pub fn may_wait(&self) -> bool {
        self.short && !self.ended && memchr(b'\n', &self.buffer[self.searched..]).is_none()
    }

    /// The next line; None at the end of the input.
    ///
    /// # Errors
    /// What the input says.
    pub fn next_line(&mut self) -> std::io::Result<Option<Line<'_>>> {
        loop {
            if let Some(at) = memchr(b'\n', &self.buffer[self.searched..]) {
                let end = self.searched + at;
                let from = self.start;
                self.start = end + 1;
                self.searched = self.start;
                return Ok(Some(self.line(from, end, true)));
            }
            self.searched = self.buffer.len();
            if self.searched - self.start > self.max_line {
                self.skipping = true;
                self.start = self.searched;
            }
            if self.ended {
                let (from, end) = (self.start, self.buffer.len());
                if from == end && !self.skipping {
                    return Ok(None);
                }
                self.start = end;
                return Ok(Some(self.line(from, end, false)));
            }
            self.fill()?;
        }
    }

    fn line(&mut self, from: usize, end: usize, terminated: bool) -> Line<'_> {
        self.number += 1;
        let too_long = std::mem::take(&mut self.skipping) || end - from > self.max_line;
        let bytes = if too_long { &[][..] } else { self.buffer.get(from..end).unwrap_or_default() };
        Line { number: self.number, bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes), too_long, terminated }
    }

    fn fill(&mut self) -> std::io::Result<()> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let count = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(length + count);
        read?;
        self.hasher.update(&self.buffer[length..]);
        self.bytes += count as u64;
        self.ended = count == 0;
        self.short = count < CHUNK;
        Ok(())
    }

    /// SHA-256 and number of the bytes read so far.
    pub fn digest(&self) -> ([u8; 32], u64) {
        (self.hasher.clone().finalize().into(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time.
    struct Dribble<'b>(&'b [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn every_line_comes_out_once(
            lines in proptest::collection::vec("[a-z\u{0}é]{0,20}", 0..20),
            torn in any::<bool>(),
            step in 1usize..9,
        ) {
            let mut input = lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
            if torn {
                input.extend(b"torn");
            }
            let mut reader = LineReader::with_limit(Dribble(&input, step), 16);
            let mut found = Vec::new();
            while let Some(line) = reader.next_line().expect("it reads") {
                prop_assert_eq!(line.number, found.len() as u64 + 1);
                found.push((line.bytes.to_vec(), line.too_long, line.terminated));
            }
            let mut expected: Vec<_> = lines.iter().map(|line| match line.len() > 16 {
                true => (Vec::new(), true, true),
                false => (line.clone().into_bytes(), false, true),
            }).collect();
            if torn {
                expected.push((b"torn".to_vec(), false, false));
            }
            prop_assert_eq!(found, expected);
            let digest: [u8; 32] = Sha256::digest(&input).into();
            prop_assert_eq!(reader.digest(), (digest, input.len() as u64));
        }
    }

    #[test]
    fn a_line_without_end_does_not_grow_memory() {
        let mut reader = LineReader::with_limit(std::io::repeat(b'x').take(64 << 20), 1 << 20);
        let line = reader.next_line().expect("it reads").expect("a line");
        assert!(line.too_long && !line.terminated && line.bytes.is_empty());
        assert!(reader.buffer.capacity() < 4 << 20, "{}", reader.buffer.capacity());
        assert_eq!(reader.next_line().expect("it reads"), None);
    }
}
