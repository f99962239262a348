//! The text of a file and its lines, whatever the encoding.

use crate::lines::LineNumber;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

/// A file as text.
///
/// Invariant: lines are those that git counts, also where a language ends lines at other characters.
pub(super) struct Text {
    pub(super) text: String,
    /// Where each line starts.
    starts: Vec<usize>,
    /// Which of several equal lines each one is; counted when it is first asked for.
    ordinals: OnceLock<Vec<u32>>,
    /// It was UTF-16, of which git does not count the lines.
    pub(super) recoded: bool,
    /// It has bytes that no text has.
    pub(super) binary: bool,
}

impl Text {
    /// Decodes a file. Bytes that fit no encoding become `_`, one for one, so that columns stay where they are.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        if let Some(units) = utf16(bytes) {
            let text: String =
                char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            return Self::new(text, true, false);
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let binary = memchr::memchr(0, bytes).is_some();
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(std::iter::repeat_n('_', chunk.invalid().len()));
        }
        if binary {
            // A shell skips NUL bytes; as blanks they would hide a word from every rule.
            text.retain(|character| character != '\0');
        }
        Self::new(text, false, binary)
    }

    fn new(text: String, recoded: bool, binary: bool) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        Self { text, starts, ordinals: OnceLock::new(), recoded, binary }
    }

    /// The line in which a byte is.
    pub(super) fn line_of(&self, byte: usize) -> LineNumber {
        LineNumber::after(self.starts.partition_point(|&start| start <= byte).saturating_sub(1))
    }

    /// The column of a byte in its line, counted from 1.
    pub(super) fn column_of(&self, byte: usize) -> u32 {
        let start = self.starts.get(self.line_of(byte).index()).copied().unwrap_or(0);
        u32::try_from(byte.saturating_sub(start) + 1).unwrap_or(u32::MAX)
    }

    /// How many lines there are; what follows the last line end counts when it is not empty.
    pub(super) fn line_count(&self) -> usize {
        let last_is_empty = self.starts.last() == Some(&self.text.len());
        self.starts.len() - usize::from(last_is_empty)
    }

    /// The bytes of a line without its end; empty for a line that is not there.
    pub(super) fn line_range(&self, line: LineNumber) -> Range<usize> {
        let Some(&start) = self.starts.get(line.index()) else { return 0..0 };
        let end = self.starts.get(line.index() + 1).map_or(self.text.len(), |next| next - 1);
        let cut = if self.text.as_bytes().get(start..end).is_some_and(|line| line.ends_with(b"\r")) { 1 } else { 0 };
        start..end - cut
    }

    /// The text of a line without its end.
    pub(super) fn line(&self, line: LineNumber) -> &str {
        self.text.get(self.line_range(line)).unwrap_or_default()
    }

    /// The text from the first to the last of these lines.
    pub(super) fn lines(&self, first: LineNumber, last: LineNumber) -> &str {
        self.text.get(self.line_range(first).start..self.line_range(last).end).unwrap_or_default()
    }

    /// How many lines before this one have the same words.
    pub(super) fn ordinal(&self, line: LineNumber) -> u32 {
        let ordinals = self.ordinals.get_or_init(|| {
            let mut seen = HashMap::new();
            let lines = (0..self.line_count()).map(|at| words(self.line(LineNumber::after(at))));
            let count = |line| {
                let count = seen.entry(line).or_insert(0_u32);
                *count = count.saturating_add(1);
                *count - 1
            };
            lines.map(count).collect()
        });
        ordinals.get(line.index()).copied().unwrap_or(0)
    }

    /// The text with other line ends that the language knows made to `\n`, every byte staying in its place.
    pub(super) fn with_line_ends(&self, at_carriage_return: bool, at_separators: bool) -> std::borrow::Cow<'_, str> {
        let lone = at_carriage_return && memchr::memchr_iter(b'\r', self.text.as_bytes()).any(|at| self.is_lone(at));
        let separated = at_separators && self.text.contains(['\u{2028}', '\u{2029}']);
        if !lone && !separated {
            return self.text.as_str().into();
        }
        let mut out = String::with_capacity(self.text.len());
        for (at, character) in self.text.char_indices() {
            match character {
                '\r' if at_carriage_return && self.is_lone(at) => out.push('\n'),
                '\u{2028}' | '\u{2029}' if at_separators => out.push_str("  \n"),
                other => out.push(other),
            }
        }
        out.into()
    }

    fn is_lone(&self, at: usize) -> bool {
        self.text.as_bytes().get(at + 1) != Some(&b'\n')
    }
}

/// The words of a text with one blank between each: two texts with the same ones have the same fingerprint.
pub(super) fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The units of UTF-16 with a byte order mark, or without one where every second byte of the beginning is zero.
fn utf16(bytes: &[u8]) -> Option<impl Iterator<Item = u16>> {
    let big = match bytes {
        [0xFF, 0xFE, ..] => false,
        [0xFE, 0xFF, ..] => true,
        _ => {
            let head = bytes.get(..bytes.len().min(512))?;
            let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|&&byte| byte == 0).count();
            let half = head.len() / 2;
            match (half >= 4, zeros(0), zeros(1)) {
                (true, even, 0) if even * 10 >= half * 9 => true,
                (true, 0, odd) if odd * 10 >= half * 9 => false,
                _ => return None,
            }
        }
    };
    let skip = if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) { 2 } else { 0 };
    let (pairs, _) = bytes.get(skip..)?.as_chunks::<2>();
    Some(pairs.iter().map(move |&pair| if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize) -> LineNumber {
        LineNumber::new(number).unwrap()
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let text = Text::decode(b"ab\r\ncd\n\nx");
        assert_eq!(
            (text.line_count(), text.line(line(1)), text.line(line(2)), text.line(line(4))),
            (4, "ab", "cd", "x")
        );
        assert_eq!((text.line_of(5), text.column_of(5)), (line(2), 2));
        assert_eq!(text.line(line(9)), "");
        assert_eq!(Text::decode(b"").line_count(), 0);
        assert_eq!(Text::decode(b"a\n").line_count(), 1);
    }

    #[test]
    fn utf16_is_read_with_and_without_its_mark() {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let little: Vec<u8> = units("eval(x)\n").iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units("eval(x)\n").iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in
            [little.clone(), big.clone(), [&[0xFF, 0xFE][..], &little].concat(), [&[0xFE, 0xFF][..], &big].concat()]
        {
            let text = Text::decode(&bytes);
            assert_eq!(text.text, "eval(x)\n");
            assert!(text.recoded && !text.binary);
        }
    }

    #[test]
    fn bytes_that_are_no_text_keep_their_place() {
        let text = Text::decode(b"\xef\xbb\xbfa\xe9\xffb");
        assert_eq!(text.text, "a__b");
        let with_nul = Text::decode(b"ev\0al");
        assert!(with_nul.binary);
        assert_eq!(with_nul.text, "eval");
    }

    #[test]
    fn other_line_ends_show_without_moving_anything() {
        let text = Text::decode("# a\rimport os\u{2028}b\r\n".as_bytes());
        let python = text.with_line_ends(true, false);
        assert_eq!((python.as_ref(), python.len()), ("# a\nimport os\u{2028}b\r\n", text.text.len()));
        let script = text.with_line_ends(true, true);
        assert_eq!((script.as_ref(), script.len()), ("# a\nimport os  \nb\r\n", text.text.len()));
    }
}
