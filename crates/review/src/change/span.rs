//! What differs between two lists of lines.

use agentprov_graph::diff::{hunks, split_lines};
use std::ops::Range;

/// Lines `old` were replaced by lines `new`; counted from zero, either may be empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Lines that went.
    pub old: Range<usize>,
    /// Lines that came.
    pub new: Range<usize>,
}

/// What differs between two texts.
pub(crate) fn spans(old: &[u8], new: &[u8]) -> Vec<Span> {
    match (old.is_empty(), new.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => vec![Span { old: 0..0, new: 0..line_count(new) }],
        (false, true) => vec![Span { old: 0..line_count(old), new: 0..0 }],
        (false, false) => {
            let found = hunks(&split_lines(old), &split_lines(new));
            found.into_iter().map(|hunk| Span { old: hunk.before, new: hunk.after }).collect()
        }
    }
}

/// What differs when `\r\n` is taken for `\n`: a checkout may have turned one into the other.
pub(crate) fn spans_without_carriage_returns(old: &[u8], new: &[u8]) -> Vec<Span> {
    if memchr::memchr(b'\r', old).is_none() && memchr::memchr(b'\r', new).is_none() {
        return spans(old, new);
    }
    spans(&without_carriage_returns(old), &without_carriage_returns(new))
}

/// The text with `\n` where it has `\r\n`.
pub(crate) fn without_carriage_returns(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, b"\r\n") {
        plain.extend_from_slice(&rest[..at]);
        plain.push(b'\n');
        rest = &rest[at + 2..];
    }
    plain.extend_from_slice(rest);
    plain
}

/// Lines of a text; a last line without an end counts.
pub(crate) fn line_count(text: &[u8]) -> usize {
    let ends = memchr::memchr_iter(b'\n', text).count();
    ends + usize::from(!text.is_empty() && !text.ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_texts_have_no_lines() {
        assert_eq!(spans(b"", b"a\nb"), [Span { old: 0..0, new: 0..2 }]);
        assert_eq!(spans(b"a\n", b""), [Span { old: 0..1, new: 0..0 }]);
        assert_eq!(spans(b"a\nb\nc\n", b"a\nx\nc\n"), [Span { old: 1..2, new: 1..2 }]);
        assert_eq!(line_count(b"a\nb"), 2);
    }

    #[test]
    fn line_ends_can_be_left_out_of_the_comparison() {
        assert_eq!(spans(b"a\r\nb\r\n", b"a\nb\n").len(), 1);
        assert!(spans_without_carriage_returns(b"a\r\nb\r\n", b"a\nb\n").is_empty());
        assert_eq!(without_carriage_returns(b"a\r\n\rb\r\n\r"), b"a\n\rb\n\r");
    }
}
