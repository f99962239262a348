//! The growing end of a log: frontier and the last, unfinished tile of leaf hashes.

use crate::error::StoreError;
use agentprov_log::{Frontier, Hash};
use rusqlite::{Connection, OptionalExtension};

/// Leaf hashes in a full tile.
pub(crate) const TILE: u64 = 256;

/// In-memory end of a run's log.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pub(crate) frontier: Frontier,
    /// Hashes of the unfinished tile, 32 bytes each.
    pub(crate) tile: Vec<u8>,
    /// Tiles that became full since the last flush, with their numbers.
    full: Vec<(u64, Vec<u8>)>,
}

impl Tail {
    pub(crate) fn new() -> Self {
        Self { frontier: Frontier::new(), tile: Vec::new(), full: Vec::new() }
    }

    /// Reads the end of a run's log; `base` is the row id of its tile 0.
    pub(crate) fn load(connection: &Connection, base: i64, frontier: &[u8]) -> Result<Self, StoreError> {
        let frontier = Frontier::from_bytes(frontier).map_err(|error| StoreError::Damaged(error.to_string()))?;
        let size = frontier.size();
        let partial = (size % TILE) as usize * 32;
        let tile = match partial {
            0 => Vec::new(),
            expected => {
                let row = base + (size / TILE) as i64;
                let hashes: Option<Vec<u8>> = connection
                    .prepare_cached("SELECT hashes FROM leaf WHERE pos = ?1")?
                    .query_row([row], |row| row.get(0))
                    .optional()?;
                hashes
                    .filter(|hashes| hashes.len() == expected)
                    .ok_or_else(|| StoreError::Damaged("the last leaf tile does not fit the tree size".into()))?
            }
        };
        Ok(Self { frontier, tile, full: Vec::new() })
    }

    pub(crate) fn push(&mut self, leaf: Hash) {
        let number = self.frontier.size() / TILE;
        self.frontier.push(leaf);
        self.tile.extend_from_slice(&leaf.0);
        if self.frontier.size().is_multiple_of(TILE) {
            self.full.push((number, std::mem::take(&mut self.tile)));
        }
    }

    /// Writes what changed since the last flush.
    pub(crate) fn flush(&mut self, connection: &Connection, base: i64) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO leaf (pos, hashes) VALUES (?1, ?2)")?;
        for (number, hashes) in self.full.drain(..) {
            statement.execute((base + number as i64, hashes))?;
        }
        if !self.tile.is_empty() {
            let number = self.frontier.size() / TILE;
            statement.execute((base + number as i64, &self.tile))?;
        }
        Ok(())
    }
}
