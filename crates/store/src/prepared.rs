//! Facts made ready for append. That takes no lock, so any thread may do it.

use crate::outline::Outline;
use agentprov_log::{Hash, leaf_hash};
use agentprov_model::Fact;
use std::cell::RefCell;

/// Bytes that a thread keeps for the next body.
const LARGE_DRAFT: usize = 64 << 10;

/// A fact serialised, hashed, its keys drawn out.
#[derive(Clone, Debug)]
pub struct Prepared {
    outline: Outline,
    body: Vec<u8>,
    leaf: Hash,
}

impl Prepared {
    /// Serialises and hashes the fact.
    pub fn new(fact: &Fact) -> Self {
        thread_local! {
            /// Where bodies are written, whose length is not known before: each then gets as much memory as it needs.
            static DRAFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let body = DRAFT.with_borrow_mut(|draft| {
            draft.clear();
            draft.shrink_to(LARGE_DRAFT);
            fact.write_body(draft);
            draft.as_slice().to_vec()
        });
        Self { outline: Outline::of(fact), leaf: leaf_hash(&body), body }
    }
}

/// Many facts made ready together. Their bodies lie one behind the other, in memory that is used again.
#[derive(Debug, Default)]
pub struct PreparedList {
    facts: Vec<(Outline, usize)>,
    bodies: Vec<u8>,
    /// Of the first bodies; the others are hashed when they are appended.
    leaves: Vec<Hash>,
}

impl PreparedList {
    /// Serialises a fact and leaves it to be hashed: threads that share the work hand it on half done.
    pub fn push(&mut self, fact: &Fact) {
        fact.write_body(&mut self.bodies);
        self.facts.push((Outline::of(fact), self.bodies.len()));
    }

    /// Length of all bodies.
    pub fn body_bytes(&self) -> usize {
        self.bodies.len()
    }

    /// Takes all facts out and keeps the memory, unless it is much more than `bytes`.
    pub fn clear(&mut self, bytes: usize) {
        self.facts.clear();
        self.leaves.clear();
        self.bodies.clear();
        self.bodies.shrink_to(bytes);
    }

    /// Hashes what was left unhashed.
    pub fn hash(&mut self) {
        let known = self.leaves.len();
        let leaves: Vec<Hash> = self.bodies().skip(known).map(|(_, body)| leaf_hash(body)).collect();
        self.leaves.extend(leaves);
    }

    /// The facts, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Ready<'_>> {
        let leaves = self.leaves.iter().copied().map(Some).chain(std::iter::repeat(None));
        self.bodies().zip(leaves).map(|((outline, body), leaf)| {
            let leaf = leaf.unwrap_or_else(|| leaf_hash(body));
            Ready { outline, body, leaf }
        })
    }

    fn bodies(&self) -> impl Iterator<Item = (&Outline, &[u8])> {
        let mut start = 0;
        self.facts.iter().map(move |(outline, end)| {
            let body = self.bodies.get(std::mem::replace(&mut start, *end)..*end).unwrap_or_default();
            (outline, body)
        })
    }
}

/// A fact as it is appended.
#[derive(Clone, Copy, Debug)]
pub struct Ready<'p> {
    pub(crate) outline: &'p Outline,
    pub(crate) body: &'p [u8],
    pub(crate) leaf: Hash,
}

impl<'p> From<&'p Prepared> for Ready<'p> {
    fn from(fact: &'p Prepared) -> Self {
        Self { outline: &fact.outline, body: &fact.body, leaf: fact.leaf }
    }
}
