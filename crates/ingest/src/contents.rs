//! Where captured contents go: the blob folder, within budgets.

use crate::redact::Redactor;
use agentprov_capture::ContentSink;
use agentprov_model::{Content, ContentId, GitBlobId, HashOnly, Kept, OutputStream};
use agentprov_store::Blobs;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// Byte budgets for contents, measured on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// What one recording may add.
    pub run_bytes: u64,
    /// What all blobs of the store may take together.
    pub store_bytes: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { run_bytes: 1 << 30, store_bytes: 16 << 30 }
    }
}

/// Contents of which only the hash was kept, for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub why: HashOnly,
    /// How many.
    pub count: u64,
    /// What to do about it.
    pub way_out: &'static str,
}

/// Stores contents of one recording.
pub struct BudgetedContents {
    blobs: Blobs,
    budgets: Budgets,
    /// Bytes that the store held when the recording began.
    held_before: u64,
    added: AtomicU64,
    /// Contents that were not kept, by reason: budget of the run, budget of the store, failure of the store.
    refused: [AtomicU64; 3],
    redactor: Redactor,
}

impl BudgetedContents {
    /// A sink for one recording; `held_before` is what the store's blobs take already.
    pub fn new(blobs: Blobs, budgets: Budgets, held_before: u64) -> Self {
        Self {
            blobs,
            budgets,
            held_before,
            added: AtomicU64::new(0),
            refused: Default::default(),
            redactor: Redactor::new(),
        }
    }

    /// Says what was not kept against the user's expectation, and how often.
    pub fn refusals(&self) -> Vec<Refusal> {
        let reasons = [
            (HashOnly::RunBudget, "a larger --run-budget keeps them"),
            (HashOnly::StoreBudget, "a larger --store-budget keeps them; room is made by: agentprov gc --keep 30d"),
            (HashOnly::StoreFailed, "free some disk space; see what the store holds with: agentprov du"),
        ];
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        let all = counts.zip(reasons).map(|(count, (why, way_out))| Refusal { why, count, way_out });
        all.filter(|refusal| refusal.count > 0).collect()
    }

    fn refuse(&self, why: HashOnly) -> Kept {
        let place = match why {
            HashOnly::RunBudget => Some(0),
            HashOnly::StoreBudget => Some(1),
            HashOnly::StoreFailed => Some(2),
            _ => None,
        };
        if let Some(count) = place.and_then(|place| self.refused.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Kept::HashOnly(why)
    }

    /// Takes what the bytes need at most, before it is known what they compress to, so that no budget is overrun.
    fn reserve(&self, bytes: u64) -> Result<(), HashOnly> {
        let added = self.added.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let refused = if added > self.budgets.run_bytes {
            Some(HashOnly::RunBudget)
        } else {
            (self.held_before + added > self.budgets.store_bytes).then_some(HashOnly::StoreBudget)
        };
        refused.map_or(Ok(()), |reason| {
            self.give_back(bytes);
            Err(reason)
        })
    }

    fn give_back(&self, bytes: u64) {
        self.added.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl ContentSink for BudgetedContents {
    fn keep(&self, bytes: &[u8], sha256: ContentId, _git: Option<GitBlobId>) -> Kept {
        if self.blobs.path(&sha256).exists() {
            return Kept::Stored;
        }
        let reserved = bytes.len() as u64;
        if let Err(reason) = self.reserve(reserved) {
            return self.refuse(reason);
        }
        match self.blobs.put(&sha256, bytes) {
            Ok(on_disk) => {
                self.give_back(reserved.saturating_sub(on_disk));
                Kept::Stored
            }
            Err(_) => {
                self.give_back(reserved);
                self.refuse(HashOnly::StoreFailed)
            }
        }
    }

    fn keep_output(&self, _stream: OutputStream, bytes: Vec<u8>) -> Content {
        let redacted = self.redactor.text(&bytes).text;
        let sha256 = ContentId::from_bytes(Sha256::digest(&redacted).into());
        let kept = self.keep(&redacted, sha256, None);
        Content { sha256, git: None, size: redacted.len() as u64, kept }
    }
}
