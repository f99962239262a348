//! A fact made ready for append: serialised, hashed, its keys drawn out.

use crate::version_runs::VersionKeys;
use agentprov_log::{Hash, leaf_hash};
use agentprov_model::index::CountName;
use agentprov_model::{Content, ContentId, EventId, EventTime, Fact, GitBlobId, Kept, What};
use std::cell::RefCell;

/// Bytes that a thread keeps for the next body.
const LARGE_DRAFT: usize = 64 << 10;

/// Everything that the writer needs of a fact. Preparing costs no lock, so any thread may do it.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) id: EventId,
    pub(crate) at: EventTime,
    pub(crate) body: Vec<u8>,
    /// Absent where the hashing is left to whoever appends.
    leaf: Option<Hash>,
    pub(crate) keys: Vec<(u8, u64)>,
    pub(crate) counts: Vec<CountName>,
    pub(crate) contents: Vec<KeptContent>,
    pub(crate) versions: VersionKeys,
}

impl Prepared {
    /// Serialises and hashes the fact.
    pub fn new(fact: &Fact) -> Self {
        let mut prepared = Self::unhashed(fact);
        prepared.hash();
        prepared
    }

    /// Serialises the fact and leaves it to be hashed: threads that share the work hand it on half done.
    pub fn unhashed(fact: &Fact) -> Self {
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
        Self::of_body(fact, body)
    }

    /// The same for a fact whose stored bytes are at hand.
    pub(crate) fn from_stored(fact: &Fact, body: Vec<u8>) -> Self {
        let mut prepared = Self::of_body(fact, body);
        prepared.hash();
        prepared
    }

    /// Hashes what was left unhashed.
    pub fn hash(&mut self) {
        self.leaf.get_or_insert_with(|| leaf_hash(&self.body));
    }

    pub(crate) fn leaf(&self) -> Hash {
        self.leaf.unwrap_or_else(|| leaf_hash(&self.body))
    }

    fn of_body(fact: &Fact, body: Vec<u8>) -> Self {
        let mut keys = Vec::with_capacity(4);
        fact.visit_keys(|key| {
            let pair = (key.kind as u8, key.hash());
            if !keys.contains(&pair) {
                keys.push(pair);
            }
        });
        let mut counts = Vec::with_capacity(3);
        fact.visit_counts(|count| counts.push(count));
        Self {
            id: fact.id,
            at: fact.at,
            body,
            leaf: None,
            keys,
            counts,
            contents: kept_contents(fact),
            versions: VersionKeys::of(fact),
        }
    }

    /// Length of the serialised fact, in bytes.
    pub fn body_len(&self) -> usize {
        self.body.len()
    }
}

/// A content whose bytes are kept and that the fact refers to.
#[derive(Clone, Debug)]
pub(crate) struct KeptContent {
    pub(crate) sha256: ContentId,
    pub(crate) git: Option<GitBlobId>,
    pub(crate) size: u64,
    /// False where git holds the bytes.
    pub(crate) stored: bool,
}

fn kept_contents(fact: &Fact) -> Vec<KeptContent> {
    let (first, second) = match &fact.what {
        What::FileVersion(version) => (version.before.content(), version.after.content()),
        What::Output(output) => (Some(&output.content), None),
        What::RawLines(lines) => (Some(&lines.content), None),
        _ => return Vec::new(),
    };
    let kept = |content: &Content| {
        let stored = match content.kept {
            Kept::Stored => true,
            Kept::Git => false,
            Kept::HashOnly(_) => return None,
        };
        Some(KeptContent { sha256: content.sha256, git: content.git, size: content.size, stored })
    };
    first.into_iter().chain(second).filter_map(kept).collect()
}
