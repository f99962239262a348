//! Proofs that are not honest.
//!
//! A proof does not bind the size on its own (`tree` says why), so a changed size must be refused
//! exactly if it changes the shape of the path.

use agentprov_log::tree::{verify_consistency, verify_inclusion};
use agentprov_log::{Hash, ProofError, empty_root};
use proptest::prelude::*;

use crate::naive;

/// Every hash that differs from `hash` in one bit.
fn flips(hash: Hash) -> impl Iterator<Item = Hash> {
    (0..256).map(move |bit| {
        let mut flipped = hash;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// Every proof that differs in one bit, lacks one hash, or has one more.
fn damaged(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..proof.len() {
        for flipped in flips(proof[at]) {
            let mut changed = proof.to_vec();
            changed[at] = flipped;
            all.push(changed);
        }
        let mut short = proof.to_vec();
        short.remove(at);
        all.push(short);
    }
    for at in 0..=proof.len() {
        let mut long = proof.to_vec();
        long.insert(at, empty_root());
        all.push(long);
    }
    for at in 1..proof.len() {
        let mut swapped = proof.to_vec();
        swapped.swap(at - 1, at);
        all.push(swapped);
    }
    all
}

/// A size up to 300 and something below it.
fn size_and_index() -> impl Strategy<Value = (usize, usize)> {
    (1usize..=300).prop_flat_map(|size| (Just(size), 0..size))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn damaged_inclusion_proofs_are_refused((size, at) in size_and_index()) {
        let leaves = naive::leaves(size);
        let (leaf, index, n) = (leaves[at], at as u64, size as u64);
        let root = naive::mth(&leaves);
        let proof = naive::path(at, &leaves);
        for changed in damaged(&proof) {
            let expected = match changed.len().cmp(&proof.len()) {
                std::cmp::Ordering::Less => ProofError::TooShort { expected: proof.len(), found: changed.len() },
                std::cmp::Ordering::Equal => ProofError::RootMismatch,
                std::cmp::Ordering::Greater => ProofError::TooLong { expected: proof.len(), found: changed.len() },
            };
            prop_assert_eq!(verify_inclusion(&leaf, index, n, &changed, &root), Err(expected));
        }
        for flipped in flips(leaf) {
            prop_assert!(verify_inclusion(&flipped, index, n, &proof, &root).is_err());
        }
        for flipped in flips(root) {
            prop_assert!(verify_inclusion(&leaf, index, n, &proof, &flipped).is_err());
        }
        for other in (0..n + 3).filter(|other| *other != index) {
            prop_assert!(verify_inclusion(&leaf, other, n, &proof, &root).is_err());
        }
        for other in at + 1..=310 {
            let same = naive::path_sides(at, other) == naive::path_sides(at, size);
            let verified = verify_inclusion(&leaf, index, other as u64, &proof, &root);
            prop_assert_eq!(verified.is_ok(), same, "size {} for {}", other, size);
        }
    }

    #[test]
    fn damaged_consistency_proofs_are_refused((new, old) in size_and_index()) {
        let leaves = naive::leaves(new);
        let (old, new_root) = (old + 1, naive::mth(&leaves));
        let old_root = naive::mth(&leaves[..old]);
        let (m, n) = (old as u64, new as u64);
        let proof = naive::proof(old, &leaves);
        let verify = |m: usize, n: usize, proof: &[Hash]| {
            verify_consistency(m as u64, &old_root, n as u64, &new_root, proof)
        };
        prop_assert_eq!(verify(old, new, &proof), Ok(()));
        for changed in damaged(&proof) {
            prop_assert!(verify(old, new, &changed).is_err());
        }
        for flipped in flips(old_root) {
            prop_assert!(verify_consistency(m, &flipped, n, &new_root, &proof).is_err());
        }
        for flipped in flips(new_root) {
            let expected = Err(ProofError::RootMismatch);
            prop_assert_eq!(verify_consistency(m, &old_root, n, &flipped, &proof), expected);
        }
        let shape = naive::proof_sides(old, new);
        for other in 0..=310 {
            let same = other > 0 && other <= new && naive::proof_sides(other, new) == shape;
            prop_assert_eq!(verify(other, new, &proof).is_ok(), same, "from {}", other);
            let same = other >= old && naive::proof_sides(old, other) == shape;
            prop_assert_eq!(verify(old, other, &proof).is_ok(), same, "to {}", other);
        }
    }

    #[test]
    fn another_history_is_refused((new, old) in size_and_index(), at in any::<prop::sample::Index>()) {
        // The log rewrites one old leaf and proves as well as it can.
        let leaves = naive::leaves(new);
        let old = old + 1;
        let mut rewritten = leaves.clone();
        rewritten[at.index(old)] = empty_root();
        let proof = naive::proof(old, &rewritten);
        let verified = verify_consistency(
            old as u64,
            &naive::mth(&leaves[..old]),
            new as u64,
            &naive::mth(&rewritten),
            &proof,
        );
        prop_assert!(matches!(verified, Err(ProofError::OldRootMismatch | ProofError::RootMismatch)));
    }
}
