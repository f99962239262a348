//! Verification of the proofs of RFC 6962 section 2.1, without a tree at hand.
//!
//! The sizes alone say how many hashes a proof has, so the length is checked before anything is
//! hashed: no work depends on what a stranger sent beyond 64 node hashes.

use crate::hash::{Hash, empty_root, node_hash};
use crate::tree::{ProofError, check_index, check_order};

/// Checks that the leaf with hash `leaf` is number `index` of the tree (`size`, `root`)
/// (RFC 6962 section 2.1.1).
///
/// # Errors
/// [`ProofError::IndexOutOfRange`], [`ProofError::SizeTooLarge`], [`ProofError::TooShort`],
/// [`ProofError::TooLong`] or [`ProofError::RootMismatch`].
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    check_index(index, size)?;
    // Up to where the paths of this leaf and of the last leaf meet, the bits of the index say on
    // which side the sibling is; above, each sibling is a whole subtree to the left.
    let inner = bit_length(index ^ (size - 1));
    let border = (index >> inner).count_ones();
    check_length(proof, (inner + border) as usize)?;
    let (inner, border) = proof.split_at(inner as usize);
    let node = climb_border(climb(*leaf, inner, index), border);
    if node == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Checks that the first `old_size` leaves of the tree (`new_size`, `new_root`) are the tree
/// (`old_size`, `old_root`) (RFC 6962 section 2.1.2). Every tree is consistent with the empty one.
///
/// # Errors
/// [`ProofError::SizesOutOfOrder`], [`ProofError::SizeTooLarge`], [`ProofError::TooShort`],
/// [`ProofError::TooLong`], [`ProofError::OldRootMismatch`] or [`ProofError::RootMismatch`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    check_order(old_size, new_size)?;
    if old_size == 0 || old_size == new_size {
        check_length(proof, 0)?;
        if old_size == 0 && *old_root != empty_root() {
            return Err(ProofError::OldRootMismatch);
        }
        if old_size == new_size && old_root != new_root {
            return Err(ProofError::RootMismatch);
        }
        return Ok(());
    }

    // The climb starts at the largest perfect subtree that ends where the old tree ends. It has
    // `level` levels, and the old tree's last leaf lies in it at every one of them, so that these
    // levels need no hashes; `meet > level` because old_size - 1 < new_size - 1 has its low
    // `level` bits all set, hence they differ in a bit above.
    let level = old_size.trailing_zeros();
    let last = old_size - 1;
    let meet = bit_length(last ^ (new_size - 1));
    let inner = (meet - level) as usize;
    let border = (last >> meet).count_ones() as usize;
    // If the old tree is that subtree, its root is known and left out of the proof.
    let (start, path) = if old_size.is_power_of_two() {
        check_length(proof, inner + border)?;
        (*old_root, proof)
    } else {
        check_length(proof, 1 + inner + border)?;
        let (first, rest) = proof.split_first().expect("because the length was just checked to be at least 1");
        (*first, rest)
    };
    let (inner, border) = path.split_at(inner);
    let sides = last >> level;
    let old = climb_border(climb_left_only(start, inner, sides), border);
    if old != *old_root {
        return Err(ProofError::OldRootMismatch);
    }
    let new = climb_border(climb(start, inner, sides), border);
    if new != *new_root {
        return Err(ProofError::RootMismatch);
    }
    Ok(())
}

/// From a node up: bit i of `sides` set means that the i-th sibling is on the left.
fn climb(node: Hash, siblings: &[Hash], sides: u64) -> Hash {
    siblings.iter().enumerate().fold(node, |node, (i, sibling)| {
        if sides >> i & 1 == 0 { node_hash(&node, sibling) } else { node_hash(sibling, &node) }
    })
}

/// Like [`climb`] in the old tree, which has nothing to the right.
fn climb_left_only(node: Hash, siblings: &[Hash], sides: u64) -> Hash {
    siblings
        .iter()
        .enumerate()
        .filter(|(i, _)| sides >> i & 1 == 1)
        .fold(node, |node, (_, sibling)| node_hash(sibling, &node))
}

/// From a node up where every sibling is on the left.
fn climb_border(node: Hash, siblings: &[Hash]) -> Hash {
    siblings.iter().fold(node, |node, sibling| node_hash(sibling, &node))
}

fn bit_length(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

fn check_length(proof: &[Hash], expected: usize) -> Result<(), ProofError> {
    let found = proof.len();
    match found.cmp(&expected) {
        std::cmp::Ordering::Less => Err(ProofError::TooShort { expected, found }),
        std::cmp::Ordering::Greater => Err(ProofError::TooLong { expected, found }),
        std::cmp::Ordering::Equal => Ok(()),
    }
}
