//! Names of tiles (C2SP tlog-tiles): how a log is laid out as static files.
//!
//! Level 0 holds leaf hashes; each hash of a level above is the root of one full tile below.

use std::fmt;

use crate::decimal::parse_decimal;

/// How many hashes or entries a full tile has.
pub const TILE_WIDTH: u16 = 256;
/// The highest level that a path may name.
pub const MAX_LEVEL: u8 = 63;
/// Eight levels of 256 span every u64 size, so that no higher one has a tile.
const USED_LEVELS: u8 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of a level, 32 bytes each: `tile/<L>/`.
    Hashes {
        /// The level, 0 for leaf hashes.
        level: u8,
    },
    /// Entries, each with a big-endian u16 length before it: `tile/entries/`.
    Entries,
}

/// One tile. It prints as its path below the prefix of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// Why there is no such tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The level is over [`MAX_LEVEL`].
    #[error("tile level {0} is over {MAX_LEVEL}")]
    Level(u8),
    /// The width is not 1 to [`TILE_WIDTH`].
    #[error("tile width {0} is not 1 to {TILE_WIDTH}")]
    Width(u16),
    /// The path is not `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]` in its one spelling.
    #[error("not the path of a tile")]
    Path,
}

impl Tile {
    /// The tile `index` of a kind with `width` hashes or entries; [`TILE_WIDTH`] is a full one.
    ///
    /// # Errors
    /// [`TileError::Level`] or [`TileError::Width`].
    pub fn new(kind: TileKind, index: u64, width: u16) -> Result<Tile, TileError> {
        match kind {
            TileKind::Hashes { level } if level > MAX_LEVEL => Err(TileError::Level(level)),
            _ if width == 0 || width > TILE_WIDTH => Err(TileError::Width(width)),
            _ => Ok(Tile { kind, index, width }),
        }
    }

    /// What the tile holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// The index of the tile within its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has, 1 to [`TILE_WIDTH`].
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile is partial; a partial tile is never hashed into the level above.
    pub fn is_partial(&self) -> bool {
        self.width < TILE_WIDTH
    }

    /// Reads a path.
    ///
    /// # Errors
    /// [`TileError::Path`] for any text that no tile prints as.
    pub fn parse(path: &str) -> Result<Tile, TileError> {
        Tile::parse_parts(path).ok_or(TileError::Path)
    }

    fn parse_parts(path: &str) -> Option<Tile> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes { level: u8::try_from(parse_decimal(level)?).ok()? },
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, u16::try_from(parse_decimal(width)?).ok()?),
            None => (rest, TILE_WIDTH),
        };
        let mut index = 0u64;
        for group in number.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Tile::new(kind, index, width).ok()?;
        // One spelling: this refuses x on the wrong groups, groups of zeros, and `.p/256`.
        (tile.to_string() == path).then_some(tile)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => write!(f, "tile/entries/")?,
        }
        let groups = self.index.checked_ilog(1000).unwrap_or(0);
        for group in (1..=groups).rev() {
            write!(f, "x{:03}/", self.index / 1000u64.pow(group) % 1000)?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_partial() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// How many full tiles a tree of `size` leaves has at `level`, and how many hashes are in the
/// partial one after them (0: there is none): floor(size / 256^(level + 1)) and
/// floor(size / 256^level) mod 256.
pub fn level_tiles(size: u64, level: u8) -> (u64, u16) {
    if level >= USED_LEVELS {
        return (0, 0);
    }
    let hashes = size >> (8 * u32::from(level));
    let width = u64::from(TILE_WIDTH);
    let partial = u16::try_from(hashes % width).expect("because it is below 256");
    (hashes / width, partial)
}

/// The tiles of hashes that appear, or whose width changes, when a tree grows from `old` to `new`
/// leaves (`old <= new`); from 0 these are all of its tiles. Level 0 first.
pub fn new_tiles(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..USED_LEVELS).flat_map(move |level| {
        let (old_full, old_partial) = level_tiles(old, level);
        let (full, partial) = level_tiles(new, level);
        let kind = TileKind::Hashes { level };
        let tile = move |index, width| Tile { kind, index, width };
        let grown = partial != 0 && (full, partial) != (old_full, old_partial);
        (old_full..full).map(move |index| tile(index, TILE_WIDTH)).chain(grown.then(|| tile(full, partial)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_round_trip() {
        let hashes = |level| TileKind::Hashes { level };
        for (kind, index, width, path) in [
            (hashes(0), 1_234_067, 256, "tile/0/x001/x234/067"),
            (hashes(0), 273, 112, "tile/0/273.p/112"),
            (hashes(63), 0, 1, "tile/63/000.p/1"),
            (hashes(7), 1000, 255, "tile/7/x001/000.p/255"),
            (hashes(1), 999, 256, "tile/1/999"),
            (TileKind::Entries, 5, 256, "tile/entries/005"),
            (TileKind::Entries, u64::MAX, 256, "tile/entries/x018/x446/x744/x073/x709/x551/615"),
        ] {
            let tile = Tile::new(kind, index, width).expect("a tile");
            assert_eq!(tile.to_string(), path);
            assert_eq!(Tile::parse(path), Ok(tile));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for path in [
            "",
            "tile/0/",
            "tile//000",
            "tile/0/0",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/001/001",
            "tile/00/000",
            "tile/64/000",
            "tile/256/000",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/+01",
            "tile/entries/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(Tile::parse(path), Err(TileError::Path), "{path:?}");
        }
    }

    #[test]
    fn widths_of_the_specification() {
        assert_eq!(level_tiles(70_000, 0), (273, 112));
        assert_eq!(level_tiles(70_000, 1), (1, 17));
        assert_eq!(level_tiles(70_000, 2), (0, 1));
        assert_eq!(level_tiles(70_000, 3), (0, 0));
        assert_eq!(level_tiles(256, 0), (1, 0));
        assert_eq!(level_tiles(256, 1), (0, 1));
        assert_eq!(level_tiles(u64::MAX, 63), (0, 0));
        assert_eq!(new_tiles(0, 70_000).count(), 273 + 1 + 1 + 1 + 1);
        let paths = |old, new| -> Vec<String> { new_tiles(old, new).map(|tile| tile.to_string()).collect() };
        assert_eq!(paths(0, 256), ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(paths(256, 257), ["tile/0/001.p/1"]);
        assert_eq!(paths(255, 256), ["tile/0/000", "tile/1/000.p/1"]);
        assert!(paths(300, 300).is_empty());
    }
}
