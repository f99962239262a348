//! The tree of a run over roots of its tiles: prefix roots and proofs without every leaf in memory.

use agentprov_log::{Frontier, Hash, LeafSource, node_hash};
use agentprov_store::{Reader, RunNo, StoreError};

/// Leaves in a tile, as a level.
pub(super) const TILE_LEVEL: u32 = 8;
/// Leaves in a tile.
pub(super) const TILE: u64 = 1 << TILE_LEVEL;

/// Roots of full tiles, and of all perfect subtrees above them.
pub(super) struct TileTree<'r> {
    reader: &'r Reader,
    run: RunNo,
    /// `levels[k][i]`: root of subtree `i` of 2^(8 + k) leaves.
    levels: Vec<Vec<Hash>>,
    /// Leaf hashes after the last full tile.
    rest: Vec<Hash>,
}

impl<'r> TileTree<'r> {
    pub(super) fn new(reader: &'r Reader, run: RunNo, tiles: Vec<Hash>, rest: Vec<Hash>) -> Self {
        let mut levels = vec![tiles];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let above = below.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
            levels.push(above);
        }
        Self { reader, run, levels, rest }
    }

    /// Leaves of the tree.
    pub(super) fn size(&self) -> u64 {
        self.levels[0].len() as u64 * TILE + self.rest.len() as u64
    }

    /// Root over the first `size` leaves.
    pub(super) fn root(&self, size: u64) -> Result<Hash, StoreError> {
        agentprov_log::tree::root(self, size)
    }
}

impl LeafSource for TileTree<'_> {
    type Error = StoreError;

    fn subtree_root(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        let missing = || StoreError::Damaged(format!("no subtree {index} of level {level}"));
        if let Some(above) = level.checked_sub(TILE_LEVEL) {
            let row = self.levels.get(above as usize).ok_or_else(missing)?;
            return row.get(index as usize).copied().ok_or_else(missing);
        }
        let first = index << level;
        let (tile, offset) = (first / TILE, (first % TILE) as usize);
        let range = offset..offset + (1 << level);
        let leaves = match tile.cmp(&(self.levels[0].len() as u64)) {
            std::cmp::Ordering::Less => parse_tile(&self.reader.leaf_tile(self.run, tile)?),
            std::cmp::Ordering::Equal => self.rest.clone(),
            std::cmp::Ordering::Greater => return Err(missing()),
        };
        let leaves = leaves.get(range).ok_or_else(missing)?;
        Ok(leaves.iter().copied().collect::<Frontier>().root())
    }
}

/// Hashes of a stored tile; bytes that make no whole hash are left out.
pub(super) fn parse_tile(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.iter().map(|chunk| Hash(*chunk)).collect()
}
