//! Lines as bytes, and what differs between two lists of them.

use imara_diff::{Algorithm, Diff, InternedInput};
use std::ops::Range;

/// Lines of a file, each with its line feed; only the last may lack one.
pub fn split_lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Lines `before` were replaced by lines `after`; counted from zero, either may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Lines that went.
    pub before: Range<usize>,
    /// Lines that came.
    pub after: Range<usize>,
}

/// What differs, in order; everything between hunks was preserved.
pub fn hunks(before: &[&[u8]], after: &[&[u8]]) -> Vec<Hunk> {
    let mut input: InternedInput<&[u8]> = InternedInput::default();
    input.update_before(before.iter().copied());
    input.update_after(after.iter().copied());
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    diff.hunks().map(|hunk| Hunk { before: range(hunk.before), after: range(hunk.after) }).collect()
}

/// Every line of both files in the contract's form: a space, `-` or `+`, then the line without its end.
pub fn whole_diff(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (split_lines(before), split_lines(after));
    let mut rows = Vec::with_capacity(after.len());
    let mut row = |prefix: char, line: &[u8]| {
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
        rows.push(format!("{prefix}{text}"));
    };
    let mut at = 0;
    for hunk in hunks(&before, &after) {
        before[at..hunk.before.start].iter().for_each(|line| row(' ', line));
        before[hunk.before.clone()].iter().for_each(|line| row('-', line));
        after[hunk.after].iter().for_each(|line| row('+', line));
        at = hunk.before.end;
    }
    before[at..].iter().for_each(|line| row(' ', line));
    rows
}
