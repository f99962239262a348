//! Keys under which facts can be looked up, and the counts kept of them.
//!
//! The store writes one posting row per key and transaction; keys are hashed to 64 bits there, so a
//! reader must check that the fact it gets really has the key ([`Fact::has_key`]).

use crate::fact::{Fact, What};

/// What a key names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum KeyKind {
    /// Name of the event type.
    Type = 1,
    /// Raw id of the acting process.
    Process = 2,
    /// Absolute path; facts with two paths have two keys.
    Path = 3,
    /// Raw SHA-256 of a content that a version left behind.
    Content = 4,
    /// Raw git blob id of a content that a version left behind.
    GitBlob = 5,
}

/// A key of a fact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IndexKey<'a> {
    /// What it names.
    pub kind: KeyKind,
    /// The value.
    pub value: &'a [u8],
}

impl IndexKey<'_> {
    /// FNV-1a, 64 bits: stable across versions and machines, because it is stored.
    pub fn hash(&self) -> u64 {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        self.value.iter().fold(step(OFFSET, &(self.kind as u8)), step)
    }
}

impl Fact {
    /// Calls `visit` with every key of the fact. A key may come twice.
    pub fn visit_keys(&self, mut visit: impl FnMut(IndexKey<'_>)) {
        visit(IndexKey { kind: KeyKind::Type, value: self.event_type().name().as_bytes() });
        if let Some(process) = &self.process {
            visit(IndexKey { kind: KeyKind::Process, value: process.as_bytes() });
        }
        let mut path = |value: &[u8]| visit(IndexKey { kind: KeyKind::Path, value });
        match &self.what {
            What::FileOpened(open) => path(open.path.as_bytes()),
            What::FileChanged(change) => {
                path(change.path.as_bytes());
                if let Some(second) = &change.path2 {
                    path(second.as_bytes());
                }
            }
            What::FileVersion(version) => {
                path(version.path.as_bytes());
                if let Some(content) = version.after.content() {
                    visit(IndexKey { kind: KeyKind::Content, value: content.sha256.as_bytes() });
                    if let Some(git) = &content.git {
                        visit(IndexKey { kind: KeyKind::GitBlob, value: git.as_bytes() });
                    }
                }
            }
            _ => {}
        }
    }

    /// True where the fact really has this key.
    pub fn has_key(&self, wanted: IndexKey<'_>) -> bool {
        let mut found = false;
        self.visit_keys(|key| found |= key == wanted);
        found
    }

    /// Calls `visit` with the name of every count that this fact raises by one.
    pub fn visit_counts(&self, mut visit: impl FnMut(CountName)) {
        visit(CountName { group: CountGroup::Type, name: self.event_type().name() });
        visit(CountName { group: CountGroup::Lane, name: self.lane().name() });
        visit(CountName { group: CountGroup::Source, name: self.source() });
    }
}

/// Group of a count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum CountGroup {
    /// By event type.
    Type = 1,
    /// By lane.
    Lane = 2,
    /// By source.
    Source = 3,
}

/// Name of a count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CountName {
    /// Its group.
    pub group: CountGroup,
    /// Its name inside the group.
    pub name: &'static str,
}
