//! RFC 6962 section 2.1 word for word: recursive, slow, and the judge of the crate.

use agentprov_log::{Hash, leaf_hash, node_hash};

/// The largest power of two smaller than n.
fn k(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// MTH(D[n]), over leaf hashes.
pub(crate) fn mth(d: &[Hash]) -> Hash {
    match d {
        [] => Hash::from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
            .expect("the SHA-256 of nothing"),
        [leaf] => *leaf,
        _ => {
            let (left, right) = d.split_at(k(d.len()));
            node_hash(&mth(left), &mth(right))
        }
    }
}

/// PATH(m, D[n]).
pub(crate) fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() == 1 {
        return Vec::new();
    }
    let k = k(d.len());
    let (left, right) = d.split_at(k);
    let (mut path, sibling) = if m < k { (path(m, left), mth(right)) } else { (path(m - k, right), mth(left)) };
    path.push(sibling);
    path
}

/// PROOF(m, D[n]), 0 < m <= n.
pub(crate) fn proof(m: usize, d: &[Hash]) -> Vec<Hash> {
    subproof(m, d, true)
}

fn subproof(m: usize, d: &[Hash], b: bool) -> Vec<Hash> {
    if m == d.len() {
        return if b { Vec::new() } else { vec![mth(d)] };
    }
    let k = k(d.len());
    let (left, right) = d.split_at(k);
    let (mut proof, sibling) =
        if m <= k { (subproof(m, left, b), mth(right)) } else { (subproof(m - k, right, false), mth(left)) };
    proof.push(sibling);
    proof
}

/// On which side each sibling of PATH(m, D[n]) is. Trees in which a leaf has the same sides make
/// the same computation of its path.
pub(crate) fn path_sides(m: usize, n: usize) -> Vec<bool> {
    if n == 1 {
        return Vec::new();
    }
    let k = k(n);
    let mut sides = if m < k { path_sides(m, k) } else { path_sides(m - k, n - k) };
    sides.push(m < k);
    sides
}

/// The same for PROOF(m, D[n]), with whether the first hash is the old root (b of SUBPROOF).
pub(crate) fn proof_sides(m: usize, n: usize) -> (Vec<bool>, bool) {
    if m == n {
        return (Vec::new(), true);
    }
    let k = k(n);
    let (mut sides, known) = if m <= k { proof_sides(m, k) } else { (proof_sides(m - k, n - k).0, false) };
    sides.push(m <= k);
    (sides, known)
}

/// n leaves, all different.
pub(crate) fn leaves(n: usize) -> Vec<Hash> {
    (0..n as u64).map(|i| leaf_hash(&i.to_le_bytes())).collect()
}
