//! Finding the pattern that a path fits without trying them all.

use super::PathEntry;
use super::path_pattern::{PathPattern, Segment};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

/// Entries by their first literal segment; those that have none are tried on every path that their ends allow.
#[derive(Clone, Debug, Default)]
pub(super) struct PathIndex {
    entries: Vec<PathEntry>,
    by_segment: HashMap<Vec<u8>, Vec<usize>, BuildHasherDefault<Fnv>>,
    others: Vec<Other>,
}

/// An entry without any literal segment.
#[derive(Clone, Copy, Debug)]
struct Other {
    number: usize,
    /// Lower case of the byte that a file name must begin with to fit.
    first: Option<u8>,
    /// The same of its end.
    last: Option<u8>,
}

impl Other {
    fn of(number: usize, pattern: &PathPattern) -> Self {
        // Only where the pattern is about the file name alone does its one segment say how that begins and ends.
        let pieces = match pattern.segments.as_slice() {
            [Segment::Glob(pieces)] if !pattern.anchored && !pattern.below => pieces.as_slice(),
            _ => &[],
        };
        let lower = |byte: Option<&u8>| byte.map(u8::to_ascii_lowercase);
        let first = lower(pieces.first().and_then(|piece| piece.first()));
        let last = lower(pieces.last().and_then(|piece| piece.last()));
        Self { number, first, last }
    }

    fn may_fit(&self, path: &Segments<'_>) -> bool {
        let name = path.lower(path.len().wrapping_sub(1)).unwrap_or_default();
        self.first.is_none_or(|first| name.first() == Some(&first))
            && self.last.is_none_or(|last| name.last() == Some(&last))
    }
}

/// The segments of a path, in both cases.
pub(super) struct Segments<'p> {
    absolute: bool,
    exact: &'p [u8],
    lower: Cow<'p, [u8]>,
    places: SmallVec<[Range<usize>; 12]>,
}

impl<'p> Segments<'p> {
    pub(super) fn of(path: &'p [u8]) -> Self {
        let lower = match path.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(path.to_ascii_lowercase()),
            false => Cow::Borrowed(path),
        };
        let mut places = SmallVec::new();
        let mut start = 0;
        for segment in path.split(|&byte| byte == b'/') {
            let place = start..start + segment.len();
            start = place.end + 1;
            if !segment.is_empty() && segment != b"." {
                places.push(place);
            }
        }
        Self { absolute: path.first() == Some(&b'/'), exact: path, lower, places }
    }

    fn len(&self) -> usize {
        self.places.len()
    }

    /// A segment in lower case.
    fn lower(&self, index: usize) -> Option<&[u8]> {
        self.lower.get(self.places.get(index)?.clone())
    }

    /// The segments in lower case.
    pub(super) fn all_lower(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.places.iter().filter_map(|place| self.lower.get(place.clone()))
    }

    fn get(&self, index: usize, exact_case: bool) -> Option<&[u8]> {
        if exact_case { self.exact.get(self.places.get(index)?.clone()) } else { self.lower(index) }
    }
}

/// FNV-1a: quick on short names. The keys are those of the table, so nobody can make them collide.
#[derive(Clone, Copy, Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    // The length of a key tells nothing that its bytes do not, and would cost as much as they do.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
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
                None => index.others.push(Other::of(number, &entry.pattern)),
            }
        }
        index.entries = entries;
        index
    }

    /// The first entry, in the order they were given, that the path fits.
    pub(super) fn find(&self, path: &Segments<'_>) -> Option<&PathEntry> {
        let keyed = path.all_lower().filter_map(|segment| self.by_segment.get(segment)).flatten().copied();
        let others = self.others.iter().filter(|other| other.may_fit(path)).map(|other| other.number);
        let number = keyed.chain(others).filter(|&number| self.fits(number, path)).min()?;
        self.entries.get(number)
    }

    fn fits(&self, number: usize, path: &Segments<'_>) -> bool {
        let Some(entry) = self.entries.get(number) else { return false };
        let pattern = &entry.pattern;
        let length = pattern.segments.len();
        let Some(slack) = path.len().checked_sub(length) else { return false };
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
