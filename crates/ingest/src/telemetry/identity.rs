//! Ids of events: the same input gives the same ids.

use agentprov_model::{ContentId, EventId, EventTime, SourceName};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Lines without an id of their own whose doubles are counted. Beyond that equal lines count as one.
const MAX_COUNTED: usize = 1 << 20;

/// Tells equal lines of one input apart, and equal lines of different inputs.
///
/// A growing file or a pipe has no final hash, so an input is named by its first line: those differ in time or id.
#[derive(Debug, Default)]
pub(super) struct StreamIdentity {
    from_offset: u64,
    first_line: Option<[u8; 32]>,
    seen: HashMap<[u8; 8], u32>,
}

/// Identity of one event.
#[derive(Debug)]
pub(super) struct EventIdentity {
    digest: [u8; 32],
}

impl StreamIdentity {
    /// Of an input that begins there in its stream.
    pub(super) fn from(from_offset: u64) -> Self {
        Self { from_offset, ..Self::default() }
    }

    /// Call with the digest of every line, in order.
    pub(super) fn note_line(&mut self, digest: &[u8; 32]) {
        self.first_line.get_or_insert(*digest);
    }

    /// Identity of an event: what the source calls it and what it says; without a name of the source, the input and
    /// the ordinal among equal lines.
    pub(super) fn of(&mut self, source: &SourceName, native_id: Option<&str>, content: &[u8; 32]) -> EventIdentity {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        part(source.as_str().as_bytes());
        match native_id {
            Some(id) => {
                part(b"native");
                part(id.as_bytes());
                part(content);
            }
            None => {
                let ordinal = self.ordinal(content);
                part(b"stream");
                part(&self.first_line.unwrap_or_default());
                if self.from_offset > 0 {
                    part(&self.from_offset.to_be_bytes());
                }
                part(content);
                part(&ordinal.to_be_bytes());
            }
        }
        EventIdentity { digest: hasher.finalize().into() }
    }

    fn ordinal(&mut self, content: &[u8; 32]) -> u32 {
        let mut key = [0u8; 8];
        key.copy_from_slice(&content[..8]);
        if self.seen.len() >= MAX_COUNTED && !self.seen.contains_key(&key) {
            return 0;
        }
        let count = self.seen.entry(key).or_default();
        *count += 1;
        *count - 1
    }
}

impl EventIdentity {
    pub(super) fn event_id(&self, at: EventTime) -> EventId {
        EventId::derive(at, &[&self.digest])
    }

    pub(super) fn key(&self) -> ContentId {
        ContentId::from_bytes(self.digest)
    }
}
