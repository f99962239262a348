//! Frontier, roots and honest proofs.

use agentprov_log::tree::{LeafSource, consistency_proof, inclusion_proof, root, verify_consistency, verify_inclusion};
use agentprov_log::{Frontier, FrontierError, Hash, LeafMissing, Leaves, MAX_SIZE, ProofError, empty_root, leaf_hash};
use proptest::prelude::*;

use crate::naive;

/// The leaves of the Certificate Transparency reference tests, and the root of each prefix.
const CT_LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];
const CT_ROOT_1: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
const CT_ROOT_8: &str = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";

#[test]
fn certificate_transparency_vectors() {
    let leaves = Leaves(CT_LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect());
    for (size, expected) in [(1, CT_ROOT_1), (8, CT_ROOT_8)] {
        let frontier: Frontier = leaves.0[..size as usize].iter().copied().collect();
        assert_eq!(frontier.root().to_hex(), expected);
        assert_eq!(root(&leaves, size).expect("a root").to_hex(), expected);
    }
    assert_eq!(root(&leaves, 0), Ok(empty_root()));
}

#[test]
fn roots_of_all_sizes_match_the_definition() {
    let leaves = naive::leaves(300);
    let mut frontier = Frontier::new();
    for size in 0..=leaves.len() {
        let expected = naive::mth(&leaves[..size]);
        assert_eq!(frontier.root(), expected, "frontier of {size}");
        assert_eq!(root(leaves.as_slice(), size as u64), Ok(expected));
        let bytes = frontier.to_bytes();
        assert_eq!(bytes.len(), 8 + 32 * size.count_ones() as usize);
        assert_eq!(Frontier::from_bytes(&bytes).as_ref(), Ok(&frontier));
        if let Some(leaf) = leaves.get(size) {
            frontier.push(*leaf);
            assert_eq!(frontier.size(), size as u64 + 1);
        }
    }
}

#[test]
fn all_small_proofs_match_the_definition_and_verify() {
    let leaves = naive::leaves(70);
    for new in 1..=leaves.len() {
        check_proofs(&leaves, new, 0..new);
    }
}

/// Compares and verifies the proofs of these leaves, and from these sizes, in the tree of `size`.
fn check_proofs(leaves: &[Hash], size: usize, at: impl Iterator<Item = usize>) {
    let n = size as u64;
    let tree = &leaves[..size];
    let root = naive::mth(tree);
    for m in at {
        let i = m as u64;
        let path = inclusion_proof(leaves, i, n).expect("a path");
        assert_eq!(path, naive::path(m, tree), "path of {m} in {size}");
        assert_eq!(verify_inclusion(&leaves[m], i, n, &path, &root), Ok(()));

        let (old, old_root) = (i + 1, naive::mth(&leaves[..=m]));
        let proof = consistency_proof(leaves, old, n).expect("a proof");
        assert_eq!(proof, naive::proof(m + 1, tree), "from {old} to {size}");
        assert_eq!(verify_consistency(old, &old_root, n, &root, &proof), Ok(()));
    }
    assert_eq!(consistency_proof(leaves, 0, n), Ok(Vec::new()));
    assert_eq!(verify_consistency(0, &empty_root(), n, &root, &[]), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn larger_proofs_match_the_definition((size, at) in (1usize..=300).prop_flat_map(|size| (Just(size), 0..size))) {
        check_proofs(&naive::leaves(size), size, std::iter::once(at));
    }

    #[test]
    fn subtrees_append_like_their_leaves(sizes in prop::collection::vec(0u32..6, 0..12)) {
        let leaves = naive::leaves(12 * 32 + 12);
        let (mut by_subtree, mut by_leaf) = (Frontier::new(), Frontier::new());
        for level in sizes {
            let start = by_leaf.size() as usize;
            let end = start + (1 << level);
            let subtree = naive::mth(&leaves[start..end]);
            if start.is_multiple_of(1 << level) {
                prop_assert_eq!(by_subtree.append_subtree(level, subtree), Ok(()));
                by_leaf.extend(leaves[start..end].iter().copied());
            } else {
                let before = by_subtree.clone();
                let size = start as u64;
                prop_assert_eq!(
                    by_subtree.append_subtree(level, subtree),
                    Err(FrontierError::Misaligned { level, size })
                );
                prop_assert_eq!(&by_subtree, &before);
            }
            prop_assert_eq!(&by_subtree, &by_leaf);
        }
    }

    #[test]
    fn frontier_bytes_are_strict(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(frontier) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes);
        }
    }
}

#[test]
fn frontier_limits() {
    let frontier: Frontier = naive::leaves(5).into_iter().collect();
    let mut bytes = frontier.to_bytes();
    bytes.push(0);
    assert_eq!(Frontier::from_bytes(&bytes), Err(FrontierError::Length { size: 5, expected: 72, found: 73 }));
    assert!(Frontier::from_bytes(&bytes[..71]).is_err());
    assert!(Frontier::from_bytes(&bytes[..7]).is_err());
    assert_eq!(Frontier::from_bytes(&[0xff; 8 + 64 * 32]), Err(FrontierError::TooLarge));

    let mut frontier = Frontier::new();
    let any = leaf_hash(b"any");
    for level in [63, 64, 200] {
        assert_eq!(frontier.append_subtree(level, any), Err(FrontierError::TooLarge));
    }
    for level in (0..63).rev() {
        assert_eq!(frontier.append_subtree(level, any), Ok(()));
    }
    assert_eq!(frontier.size(), MAX_SIZE);
    assert_eq!(frontier.append_subtree(0, any), Err(FrontierError::TooLarge));
}

/// A tree of any size, to reach the largest: its subtrees are not made of leaves.
struct Boundless;

impl LeafSource for Boundless {
    type Error = std::convert::Infallible;

    fn subtree_root(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        // Perfect subtrees of equal leaves: one hash per level, whatever the index.
        assert!(index.checked_add(1).and_then(|end| end.checked_mul(1 << level)).is_some());
        let mut node = leaf_hash(b"same");
        for _ in 0..level {
            node = agentprov_log::node_hash(&node, &node);
        }
        Ok(node)
    }
}

#[test]
fn proofs_hold_at_the_largest_sizes() {
    let leaf = leaf_hash(b"same");
    for size in [MAX_SIZE, MAX_SIZE - 1, 1 << 62, (1 << 62) + 1] {
        let head = root(&Boundless, size).expect("a root");
        for index in [0, 1, size / 2, size / 3, size - 1] {
            let path = inclusion_proof(&Boundless, index, size).expect("a path");
            assert_eq!(verify_inclusion(&leaf, index, size, &path, &head), Ok(()));
        }
        for old in [1, 2, 3, size / 2, size / 3, size - 1] {
            let old_root = root(&Boundless, old).expect("a root");
            let proof = consistency_proof(&Boundless, old, size).expect("a proof");
            // A witness takes 63 hashes, which is enough up to 2^62 leaves.
            let most = if size > 1 << 62 { 64 } else { 63 };
            assert!(proof.len() <= most, "{} hashes", proof.len());
            assert_eq!(verify_consistency(old, &old_root, size, &head, &proof), Ok(()));
        }
    }
}

#[test]
fn ranges_and_sizes_are_checked() {
    let leaves = Leaves(naive::leaves(5));
    let any = leaf_hash(b"any");
    let range = ProofError::IndexOutOfRange { index: 5, size: 5 };
    assert_eq!(inclusion_proof(&leaves, 5, 5), Err(range));
    assert_eq!(verify_inclusion(&any, 0, 0, &[], &any), Err(ProofError::IndexOutOfRange { index: 0, size: 0 }));
    // Of the leaves 4 and 5 that are the sibling of the first four, the second is missing.
    let missing = LeafMissing { level: 1, index: 2, leaves: 5 };
    assert_eq!(inclusion_proof(&leaves, 0, 6), Err(ProofError::Source(missing)));
    assert_eq!(consistency_proof(&leaves, 4, 3), Err(ProofError::SizesOutOfOrder { old: 4, new: 3 }));
    assert_eq!(verify_consistency(4, &any, 3, &any, &[]), Err(ProofError::SizesOutOfOrder { old: 4, new: 3 }));
    // Every tree continues the empty one, but that has one root only.
    assert_eq!(verify_consistency(0, &any, 3, &any, &[]), Err(ProofError::OldRootMismatch));
    let large = MAX_SIZE + 1;
    assert_eq!(verify_inclusion(&any, 0, large, &[], &any), Err(ProofError::SizeTooLarge(large)));
    assert_eq!(verify_consistency(1, &any, large, &any, &[]), Err(ProofError::SizeTooLarge(large)));
}
