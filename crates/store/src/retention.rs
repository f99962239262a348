//! Retention: bodies of single facts go, their leaf hashes stay, and a fact in the same log says so.

use crate::error::StoreError;
use crate::outline::Outline;
use crate::pack::Editor;
use crate::reader::Reader;
use crate::writer::{Batch, Writer};
use crate::{RunNo, Seq, position, postings};
use agentprov_model::index::{CountGroup, IndexKey, KeyKind};
use agentprov_model::{ContentId, EventType, Fact, LeafSet, What};
use rusqlite::OptionalExtension;
use std::collections::BTreeMap;

/// What pruning took out of a log.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Bytes that the bodies took in the database.
    pub body_bytes: u64,
    /// What the events had added to the window counts.
    pub windows: BTreeMap<String, u64>,
    /// Contents that no log refers to any more; their files go after the commit, with [`Writer::drop_contents`].
    pub orphans: Vec<ContentId>,
}

impl Batch<'_> {
    /// Takes the bodies and index entries of these facts out of a run, and its references to these contents. The caller
    /// appends a [`What::Pruned`] in the same batch: without it `verify` says that bodies are missing.
    ///
    /// # Errors
    /// What SQLite says, or [`StoreError::Damaged`] where a fact does not parse.
    pub fn prune(&mut self, run: RunNo, leaves: &LeafSet, contents: &[ContentId]) -> Result<Taken, StoreError> {
        let mut taken = Taken::default();
        let mut counts: BTreeMap<(u8, String), u64> = BTreeMap::new();
        let (connection, packer) = self.connection_and_packer();
        let mut packs = Editor::new(connection, packer);
        for seq in leaves.iter() {
            let pos = position(run, seq);
            let own: Option<Vec<u8>> = connection
                .prepare_cached("DELETE FROM fact WHERE pos = ?1 RETURNING body")?
                .query_row([pos], |row| row.get(0))
                .optional()?;
            taken.body_bytes += own.as_ref().map_or(0, |body| body.len() as u64);
            let Some(body) = own.as_deref().map_or_else(|| packs.take(pos), |own| Ok(Some(own)))? else { continue };
            let fact = Fact::from_body(body).map_err(|error| StoreError::Damaged(format!("fact {seq}: {error}")))?;
            let outline = Outline::of(&fact);
            connection
                .prepare_cached("DELETE FROM event WHERE run = ?1 AND id = ?2")?
                .execute((run.0, fact.id.as_bytes()))?;
            for count in outline.all_counts() {
                if count.group == CountGroup::Window {
                    *taken.windows.entry(count.name.to_string()).or_default() += 1;
                }
                *counts.entry((count.group as u8, count.name.into_owned())).or_default() += 1;
            }
        }
        taken.body_bytes += packs.finish()?;
        self.lower_counts(run, &counts)?;
        postings::remove(self.connection(), run, leaves)?;
        self.connection()
            .prepare_cached("UPDATE run SET body_bytes = body_bytes - ?2 WHERE no = ?1")?
            .execute((run.0, taken.body_bytes as i64))?;
        taken.orphans = self.drop_uses(run, contents)?;
        Ok(taken)
    }

    fn lower_counts(&self, run: RunNo, counts: &BTreeMap<(u8, String), u64>) -> Result<(), StoreError> {
        for ((group, name), count) in counts {
            self.connection()
                .prepare_cached("UPDATE tally SET count = count - ?4 WHERE run = ?1 AND grp = ?2 AND name = ?3")?
                .execute((run.0, group, name, *count as i64))?;
        }
        self.connection().prepare_cached("DELETE FROM tally WHERE run = ?1 AND count <= 0")?.execute([run.0])?;
        Ok(())
    }

    fn drop_uses(&self, run: RunNo, contents: &[ContentId]) -> Result<Vec<ContentId>, StoreError> {
        let mut orphans = Vec::new();
        for content in contents {
            self.connection()
                .prepare_cached("DELETE FROM blob_use WHERE run = ?1 AND sha256 = ?2")?
                .execute((run.0, content.as_bytes()))?;
            let gone = self
                .connection()
                .prepare_cached(
                    "DELETE FROM blob WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM blob_use WHERE sha256 = ?1)",
                )?
                .execute([content.as_bytes()])?;
            orphans.extend((gone > 0).then_some(*content));
        }
        Ok(orphans)
    }
}

impl Writer {
    /// Removes the files of contents that no log refers to; gives their bytes on disk.
    ///
    /// # Errors
    /// What the blob folder says.
    pub fn drop_contents(&self, orphans: &[ContentId]) -> Result<u64, StoreError> {
        orphans.iter().try_fold(0, |bytes, orphan| Ok(bytes + self.store().blobs().remove(orphan)?))
    }
}

/// What a log says about bodies that are gone on purpose.
#[derive(Clone, Debug, Default)]
pub struct PrunedBodies {
    /// Their leaves.
    pub leaves: LeafSet,
    /// Contents that went with them.
    pub contents: Vec<ContentId>,
    /// The facts that say so.
    pub said_by: Vec<Seq>,
}

impl Reader {
    /// Which bodies of a run are gone on purpose, by its own facts. One that does not parse says nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pruned(&self, run: RunNo) -> Result<PrunedBodies, StoreError> {
        let key = IndexKey { kind: KeyKind::Type, value: EventType::TelemetryPruned.name().as_bytes() };
        let mut pruned = PrunedBodies::default();
        let mut ranges = Vec::new();
        for seq in self.postings(run, key)? {
            let Some(fact) = self.body(run, seq)?.and_then(|body| Fact::from_body(&body).ok()) else { continue };
            let What::Pruned(said) = fact.what else { continue };
            ranges.extend_from_slice(said.leaves.ranges());
            pruned.contents.extend(said.contents);
            pruned.said_by.push(seq);
        }
        pruned.leaves = LeafSet::of_ranges(ranges);
        Ok(pruned)
    }
}
