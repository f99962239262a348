//! Roots and proofs of RFC 6962 section 2.1, from any source of subtree roots.
//!
//! Every range that the RFC's recursion visits starts at a multiple of the power of two that is not
//! below its length; so each splits into perfect, aligned subtrees, which is all that a
//! [`LeafSource`] has to know. Proofs are built top-down in a loop: stack depth never depends on
//! input.
//!
//! A proof binds the position of a leaf, not the size: sizes of one shape of path give the same
//! computation. The size is trusted only because a checkpoint signs it together with the root.

mod subtrees;
mod verify;

use std::convert::Infallible;

use crate::frontier::{Frontier, MAX_SIZE};
use crate::hash::{Hash, empty_root, node_hash};

pub use subtrees::Subtrees;
pub use verify::{verify_consistency, verify_inclusion};

/// Where proofs take the roots of perfect subtrees from: leaves in memory, rows, tiles.
pub trait LeafSource {
    /// What can go wrong when a subtree is looked up.
    type Error;

    /// The root of the perfect subtree of `2^level` leaves that starts at leaf
    /// `index * 2^level`. Only subtrees within the size given to the caller are asked for.
    ///
    /// # Errors
    /// Whatever the source says, for instance that a leaf is missing.
    fn subtree_root(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof cannot be built or does not hold. `E` is the error of the [`LeafSource`];
/// verification has no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E = Infallible> {
    /// There is no such leaf in a tree of this size.
    #[error("leaf {index} is not in a tree of size {size}")]
    IndexOutOfRange {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tree cannot be consistent with a larger one before it.
    #[error("the old size {old} is larger than the new size {new}")]
    SizesOutOfOrder {
        /// The size said to be older.
        old: u64,
        /// The size said to be newer.
        new: u64,
    },
    /// A size is over [`MAX_SIZE`].
    #[error("the size {0} is over {MAX_SIZE}")]
    SizeTooLarge(u64),
    /// The proof has fewer hashes than these sizes need.
    #[error("the proof is too short: {expected} hashes needed, {found} found")]
    TooShort {
        /// How many hashes are needed.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// The proof has more hashes than these sizes need.
    #[error("the proof is too long: {expected} hashes needed, {found} found")]
    TooLong {
        /// How many hashes are needed.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// The proof does not lead to the root (of the new tree, for a consistency proof).
    #[error("the proof does not lead to the root")]
    RootMismatch,
    /// The consistency proof does not lead to the root of the old tree.
    #[error("the proof does not lead to the old root")]
    OldRootMismatch,
    /// The source failed.
    #[error("cannot read the tree: {0}")]
    Source(#[source] E),
}

/// Leaf hashes in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leaves(pub Vec<Hash>);

/// A subtree reaches beyond the leaves in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the subtree {index} of level {level} reaches beyond the {leaves} leaves")]
pub struct LeafMissing {
    /// The level of the subtree.
    pub level: u32,
    /// Its index within the level.
    pub index: u64,
    /// How many leaves there are.
    pub leaves: u64,
}

impl LeafSource for [Hash] {
    type Error = LeafMissing;

    fn subtree_root(&self, level: u32, index: u64) -> Result<Hash, LeafMissing> {
        let range = || {
            let leaves = 1usize.checked_shl(level)?;
            let start = usize::try_from(index).ok()?.checked_mul(leaves)?;
            self.get(start..start.checked_add(leaves)?)
        };
        let leaves = range().ok_or(LeafMissing { level, index, leaves: self.len() as u64 })?;
        Ok(leaves.iter().copied().collect::<Frontier>().root())
    }
}

impl LeafSource for Leaves {
    type Error = LeafMissing;

    fn subtree_root(&self, level: u32, index: u64) -> Result<Hash, LeafMissing> {
        self.0.as_slice().subtree_root(level, index)
    }
}

/// `MTH(D[0:size])` of RFC 6962 section 2.1.
///
/// # Errors
/// The error of the source.
pub fn root<S: LeafSource + ?Sized>(source: &S, size: u64) -> Result<Hash, S::Error> {
    range_root(source, 0, size)
}

/// `PATH(index, D[0:size])` of RFC 6962 section 2.1.1: the leaf's sibling first.
///
/// # Errors
/// [`ProofError::IndexOutOfRange`], [`ProofError::SizeTooLarge`] or the error of the source.
pub fn inclusion_proof<S: LeafSource + ?Sized>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    check_index(index, size)?;
    let (mut start, mut length) = (0, size);
    let mut proof = Vec::new();
    while length > 1 {
        let left = split(length);
        let sibling = if index - start < left {
            let sibling = range_root(source, start + left, length - left);
            length = left;
            sibling
        } else {
            let sibling = range_root(source, start, left);
            start += left;
            length -= left;
            sibling
        };
        proof.push(sibling.map_err(ProofError::Source)?);
    }
    proof.reverse();
    Ok(proof)
}

/// `PROOF(old, D[0:new])` of RFC 6962 section 2.1.2. Empty for equal sizes, and for an old size of 0
/// (which the RFC leaves out and C2SP tlog-witness defines).
///
/// # Errors
/// [`ProofError::SizesOutOfOrder`], [`ProofError::SizeTooLarge`] or the error of the source.
pub fn consistency_proof<S: LeafSource + ?Sized>(
    source: &S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    check_order(old, new)?;
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut start, mut length) = (0, new);
    let mut proof = Vec::new();
    // Down the path on which the old tree ends, until a subtree ends exactly where it does.
    while old - start < length {
        let left = split(length);
        let sibling = if old - start <= left {
            let sibling = range_root(source, start + left, length - left);
            length = left;
            sibling
        } else {
            let sibling = range_root(source, start, left);
            start += left;
            length -= left;
            sibling
        };
        proof.push(sibling.map_err(ProofError::Source)?);
    }
    // Where the path never turned right, that subtree is the old tree, and its root is known.
    if start != 0 {
        proof.push(range_root(source, start, length).map_err(ProofError::Source)?);
    }
    proof.reverse();
    Ok(proof)
}

/// MTH of `length` leaves from `start`, which is a multiple of a power of two >= `length`: its
/// perfect subtrees, the largest first, are then aligned too.
fn range_root<S: LeafSource + ?Sized>(source: &S, start: u64, length: u64) -> Result<Hash, S::Error> {
    let (mut end, mut left) = (start + length, length);
    let mut root = None;
    // Smallest subtree first, because it is the deepest.
    while left != 0 {
        let level = left.trailing_zeros();
        end -= 1 << level;
        left &= left - 1;
        let subtree = source.subtree_root(level, end >> level)?;
        root = Some(match root {
            None => subtree,
            Some(right) => node_hash(&subtree, &right),
        });
    }
    Ok(root.unwrap_or_else(empty_root))
}

/// The k of RFC 6962 section 2.1: the largest power of two below `length`, which is over 1.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

fn check_index<E>(index: u64, size: u64) -> Result<(), ProofError<E>> {
    if size > MAX_SIZE {
        return Err(ProofError::SizeTooLarge(size));
    }
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    Ok(())
}

fn check_order<E>(old: u64, new: u64) -> Result<(), ProofError<E>> {
    if new > MAX_SIZE {
        return Err(ProofError::SizeTooLarge(new));
    }
    if old > new {
        return Err(ProofError::SizesOutOfOrder { old, new });
    }
    Ok(())
}
