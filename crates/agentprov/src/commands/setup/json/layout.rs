//! How a text is laid out, so that what comes in looks like what is there.

use std::ops::Range;

/// Line ending of the text.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Blanks at the start of the line that holds the place.
pub(super) fn indent_of(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..];
    &line[..line.find(|character| character != ' ' && character != '\t').unwrap_or(line.len())]
}

/// One step of indentation: that of the root's first child where it has a line of its own.
pub(super) fn step(text: &str, root: &[Range<usize>]) -> String {
    let first = root.first().filter(|child| starts_line(text, child.start));
    match first.map(|child| indent_of(text, child.start)) {
        Some(indent) if !indent.is_empty() => indent.to_owned(),
        _ => "  ".to_owned(),
    }
}

/// True where only blanks stand before the place on its line.
pub(super) fn starts_line(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches([' ', '\t']);
    before.ends_with('\n')
}

/// The place after the last character before `end` that is no blank.
pub(super) fn content_end(text: &str, end: usize) -> usize {
    text[..end].trim_end_matches([' ', '\t', '\r', '\n']).len()
}
