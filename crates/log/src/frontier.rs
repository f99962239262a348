//! The compact range of an append-only tree: what must be kept to go on appending.
//!
//! A tree of `size` leaves is, left to right, one perfect subtree per set bit of `size`, the
//! largest first (RFC 6962 section 2.1). Their roots, the peaks, determine the root and every
//! later root. The invariant of this file: there are `popcount(size)` peaks, in that order.

use crate::hash::{Hash, empty_root, node_hash};

/// The largest tree that this crate reads or writes. Sizes stay within a signed 64-bit integer, as
/// in SQLite and in the Go implementations of C2SP, so that arithmetic on them cannot overflow.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// The state of an append-only RFC 6962 tree: O(log n) memory, one node hash per push on average.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// Why a frontier cannot be read or extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The bytes are not a size followed by one hash per set bit of the size.
    #[error("a frontier of size {size} takes {expected} bytes, found {found}")]
    Length {
        /// The size that the bytes name (0 where they are too few to name one).
        size: u64,
        /// How many bytes that size takes.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// The size is over [`MAX_SIZE`].
    #[error("the tree would have more than {MAX_SIZE} leaves")]
    TooLarge,
    /// A subtree must start at a multiple of its own number of leaves.
    #[error("a subtree of 2^{level} leaves cannot start at leaf {size}")]
    Misaligned {
        /// The level of the subtree.
        level: u32,
        /// The size of the tree that it was to be appended to.
        size: u64,
    },
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash ([`crate::leaf_hash`]). A tree that only grows by this cannot reach
    /// [`MAX_SIZE`] in any real time, so there is no error to return.
    pub fn push(&mut self, leaf: Hash) {
        self.carry(0, leaf);
    }

    /// Appends the perfect subtree of `2^level` leaves whose root is `root`, as if its leaves had
    /// been pushed. Ranges that are aligned like this can be hashed independently of each other.
    ///
    /// # Errors
    /// [`FrontierError::Misaligned`] if the size is no multiple of `2^level`, and
    /// [`FrontierError::TooLarge`] if the tree would exceed [`MAX_SIZE`]; the tree is unchanged.
    pub fn append_subtree(&mut self, level: u32, root: Hash) -> Result<(), FrontierError> {
        let leaves = 1u64.checked_shl(level).ok_or(FrontierError::TooLarge)?;
        match self.size.checked_add(leaves) {
            Some(size) if size <= MAX_SIZE => {}
            _ => return Err(FrontierError::TooLarge),
        }
        if !self.size.is_multiple_of(leaves) {
            return Err(FrontierError::Misaligned { level, size: self.size });
        }
        self.carry(level, root);
        Ok(())
    }

    /// Adds 2^level to the size like a binary counter: every set bit that the carry passes is a
    /// peak that becomes the left child of the new one. The size is a multiple of 2^level.
    fn carry(&mut self, level: u32, root: Hash) {
        let mut node = root;
        for _ in 0..(self.size >> level).trailing_ones() {
            let left = self.peaks.pop().expect("because there is one peak per set bit of the size");
            node = node_hash(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1 << level;
    }

    /// The Merkle tree hash of all leaves (RFC 6962 section 2.1).
    pub fn root(&self) -> Hash {
        // The smallest subtree is deepest: fold the peaks from the right.
        self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }

    /// The size as a big-endian u64, then the peaks, largest subtree first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(encoded_length(self.size));
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for peak in &self.peaks {
            bytes.extend_from_slice(&peak.0);
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] writes. The hashes themselves cannot be checked here:
    /// compare [`Frontier::root`] with a checkpoint.
    ///
    /// # Errors
    /// [`FrontierError::Length`] or [`FrontierError::TooLarge`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Frontier, FrontierError> {
        let Some((size, hashes)) = bytes.split_first_chunk::<8>() else {
            return Err(FrontierError::Length { size: 0, expected: encoded_length(0), found: bytes.len() });
        };
        let size = u64::from_be_bytes(*size);
        if size > MAX_SIZE {
            return Err(FrontierError::TooLarge);
        }
        let (chunks, rest) = hashes.as_chunks::<32>();
        if bytes.len() != encoded_length(size) || !rest.is_empty() {
            return Err(FrontierError::Length { size, expected: encoded_length(size), found: bytes.len() });
        }
        Ok(Frontier { size, peaks: chunks.iter().map(|chunk| Hash(*chunk)).collect() })
    }
}

impl Extend<Hash> for Frontier {
    /// Pushes every leaf hash in turn.
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Frontier {
        let mut frontier = Frontier::new();
        frontier.extend(leaves);
        frontier
    }
}

fn encoded_length(size: u64) -> usize {
    8 + 32 * size.count_ones() as usize
}
