//! Line numbers and sets of them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;

/// A line of a file, counted from 1. Lines end at `\n` and at nothing else, as git counts them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineNumber(NonZeroU32);

impl LineNumber {
    /// The first line.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// A line counted from 1; `None` for 0 and for numbers that no file reaches.
    pub fn new(one_based: usize) -> Option<Self> {
        u32::try_from(one_based).ok().and_then(NonZeroU32::new).map(Self)
    }

    /// The line after that many others. Beyond the largest number it stays at the largest.
    pub fn after(lines: usize) -> Self {
        let before = u32::try_from(lines).unwrap_or(u32::MAX);
        Self(NonZeroU32::MIN.saturating_add(before))
    }

    /// Counted from 1.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// How many lines come before it.
    pub const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl fmt::Display for LineNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of lines, kept as ranges that neither touch nor overlap, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(LineNumber, LineNumber)>", into = "Vec<(LineNumber, LineNumber)>")]
pub struct LineSet {
    ranges: Vec<(LineNumber, LineNumber)>,
}

impl LineSet {
    /// Every line of any file: the file is new, or nobody can say what changed in it.
    pub fn all() -> Self {
        Self { ranges: vec![(LineNumber::FIRST, LineNumber(NonZeroU32::MAX))] }
    }

    /// Ranges from a first to a last line, both included, in any order.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (LineNumber, LineNumber)>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(LineNumber, LineNumber)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(open) if first.get() <= open.1.get().saturating_add(1) => open.1 = open.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// The ranges, first to last line, both included.
    pub fn ranges(&self) -> &[(LineNumber, LineNumber)] {
        &self.ranges
    }

    /// Whether there is no line in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether the line is in it.
    pub fn contains(&self, line: LineNumber) -> bool {
        self.overlaps(line, line)
    }

    /// Whether any line from `first` to `last` is in it.
    pub fn overlaps(&self, first: LineNumber, last: LineNumber) -> bool {
        let at = self.ranges.partition_point(|range| range.1 < first);
        self.ranges.get(at).is_some_and(|range| range.0 <= last)
    }
}

impl FromIterator<LineNumber> for LineSet {
    fn from_iter<I: IntoIterator<Item = LineNumber>>(lines: I) -> Self {
        Self::from_ranges(lines.into_iter().map(|line| (line, line)))
    }
}

impl From<Vec<(LineNumber, LineNumber)>> for LineSet {
    fn from(ranges: Vec<(LineNumber, LineNumber)>) -> Self {
        Self::from_ranges(ranges)
    }
}

impl From<LineSet> for Vec<(LineNumber, LineNumber)> {
    fn from(set: LineSet) -> Self {
        set.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize) -> LineNumber {
        LineNumber::new(number).unwrap()
    }

    #[test]
    fn there_is_no_line_zero() {
        assert_eq!(LineNumber::new(0), None);
        assert_eq!(LineNumber::after(0), LineNumber::FIRST);
        assert_eq!(LineNumber::after(usize::MAX).get(), u32::MAX);
        assert_eq!(line(7).index(), 6);
    }

    #[test]
    fn ranges_merge_where_they_touch() {
        let set: LineSet = [5, 1, 2, 9, 3].into_iter().map(line).collect();
        assert_eq!(set.ranges(), [(line(1), line(3)), (line(5), line(5)), (line(9), line(9))]);
        assert!(set.contains(line(2)) && !set.contains(line(4)));
        assert!(set.overlaps(line(4), line(5)) && set.overlaps(line(6), line(20)) && !set.overlaps(line(6), line(8)));
    }

    #[test]
    fn the_whole_file_has_every_line() {
        let all = LineSet::all();
        assert!(all.contains(LineNumber::FIRST) && all.contains(LineNumber::after(usize::MAX)));
        assert!(!LineSet::default().contains(LineNumber::FIRST));
    }
}
