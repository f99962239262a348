//! The roots of all perfect subtrees, kept: many proofs of one tree then cost a look-up each.

use super::{LeafMissing, LeafSource};
use crate::hash::{Hash, node_hash};

/// All perfect subtrees over leaf hashes in memory; twice as large as the leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtrees {
    /// By level; the leaves first.
    levels: Vec<Vec<Hash>>,
}

impl Subtrees {
    /// Hashes the leaves together, once.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        loop {
            let below = levels.last().map(Vec::as_slice).unwrap_or_default();
            let roots: Vec<Hash> = below.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
            if roots.is_empty() {
                return Self { levels };
            }
            levels.push(roots);
        }
    }
}

impl LeafSource for Subtrees {
    type Error = LeafMissing;

    fn subtree_root(&self, level: u32, index: u64) -> Result<Hash, LeafMissing> {
        let leaves = self.levels.first().map_or(0, Vec::len) as u64;
        let roots = usize::try_from(level).ok().and_then(|level| self.levels.get(level));
        let root = roots.zip(usize::try_from(index).ok()).and_then(|(roots, index)| roots.get(index));
        root.copied().ok_or(LeafMissing { level, index, leaves })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::tree::inclusion_proof;

    #[test]
    fn proofs_are_those_of_the_leaves() {
        for size in [1u64, 2, 3, 7, 8, 9, 100] {
            let leaves: Vec<Hash> = (0..size).map(|number| leaf_hash(&number.to_be_bytes())).collect();
            let kept = Subtrees::new(leaves.clone());
            for index in 0..size {
                assert_eq!(inclusion_proof(&kept, index, size), inclusion_proof(leaves.as_slice(), index, size));
            }
        }
        let none = Subtrees::new(Vec::new());
        assert_eq!(none.subtree_root(0, 0), Err(LeafMissing { level: 0, index: 0, leaves: 0 }));
    }
}
