//! Finding the pattern that a path fits without trying them all.

use super::PathEntry;
use super::path_pattern::Segment;
use std::collections::HashMap;

/// Entries by their first literal segment; those that begin with a glob are tried on every path.
#[derive(Clone, Debug, Default)]
pub(super) struct PathIndex {
    entries: Vec<PathEntry>,
    by_segment: HashMap<Vec<u8>, Vec<usize>>,
    /// Entries without any literal segment.
    others: Vec<usize>,
}

/// The segments of a path, in both cases.
pub(super) struct Segments<'p> {
    absolute: bool,
    exact: Vec<&'p [u8]>,
    lower: Vec<Vec<u8>>,
}

impl<'p> Segments<'p> {
    pub(super) fn of(path: &'p [u8]) -> Self {
        let named = |segment: &&[u8]| !segment.is_empty() && *segment != b".";
        let exact: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(named).collect();
        let lower = exact.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        Self { absolute: path.first() == Some(&b'/'), exact, lower }
    }

    /// The segments in lower case.
    pub(super) fn lower(&self) -> &[Vec<u8>] {
        &self.lower
    }

    fn get(&self, index: usize, exact_case: bool) -> Option<&[u8]> {
        if exact_case { self.exact.get(index).copied() } else { self.lower.get(index).map(Vec::as_slice) }
    }
}

impl PathIndex {
    pub(super) fn new(entries: Vec<PathEntry>) -> Self {
        let mut index = Self::default();
        for (number, entry) in entries.iter().enumerate() {
            let literal = entry.pattern.segments.iter().find_map(|segment| match segment {
                Segment::Literal(text) => Some(text.to_ascii_lowercase()),
                Segment::Glob(_) => None,
            });
            match literal {
                Some(text) => index.by_segment.entry(text).or_default().push(number),
                None => index.others.push(number),
            }
        }
        index.entries = entries;
        index
    }

    /// The first entry, in the order they were given, that the path fits.
    pub(super) fn find(&self, path: &Segments<'_>) -> Option<&PathEntry> {
        let keyed = path.lower.iter().filter_map(|segment| self.by_segment.get(segment)).flatten();
        let number = keyed.chain(&self.others).copied().filter(|&number| self.fits(number, path)).min()?;
        self.entries.get(number)
    }

    fn fits(&self, number: usize, path: &Segments<'_>) -> bool {
        let Some(entry) = self.entries.get(number) else { return false };
        let pattern = &entry.pattern;
        let length = pattern.segments.len();
        let Some(slack) = path.exact.len().checked_sub(length) else { return false };
        let fits_at = |start: usize| {
            let names = (start..start + length).map(|index| path.get(index, pattern.exact_case));
            pattern.segments.iter().zip(names).all(|(segment, name)| name.is_some_and(|name| segment.fits(name)))
        };
        match (pattern.anchored, pattern.below) {
            (true, true) => path.absolute && fits_at(0),
            (true, false) => path.absolute && slack == 0 && fits_at(0),
            // A directory itself is meant too: listing it tells the names.
            (false, true) => (0..=slack).any(fits_at),
            (false, false) => fits_at(slack),
        }
    }
}
