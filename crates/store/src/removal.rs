//! Removing runs: bodies and blobs go, leaf hashes and a tombstone in the ledger stay.

use crate::error::StoreError;
use crate::ledger::{LedgerEntry, LedgerEvent, Removal};
use crate::store::now;
use crate::writer::{Durability, Writer};
use crate::{RunNo, position, version_runs};
use agentprov_model::{ContentId, RunId};
use rusqlite::OptionalExtension;

/// What a removal freed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Freed {
    /// Facts whose bodies are gone.
    pub facts: u64,
    /// Bytes that those bodies took in the database.
    pub body_bytes: u64,
    /// Blobs that no other run needed.
    pub blobs: u64,
    /// Bytes of those blobs on disk.
    pub blob_bytes: u64,
}

impl Writer {
    /// Removes a run's bodies, indexes and the blobs that only it used. Its leaf hashes and head stay, and the
    /// ledger says who removed it, when and why.
    ///
    /// # Errors
    /// [`StoreError::NoRun`], [`StoreError::Removed`], or what SQLite or the blob folder says.
    pub fn remove_run(&mut self, id: &RunId, by: &str, reason: &str) -> Result<Freed, StoreError> {
        let (freed, orphans) = self.transaction(Durability::Power, |batch| {
            let run = batch.find_run(id)?.ok_or_else(|| StoreError::NoRun(id.to_string()))?;
            let orphans = drop_uses(batch.connection(), run)?;
            let freed = drop_rows(batch.connection(), run)?;
            let checkpoint: String =
                batch.connection().query_row("SELECT checkpoint FROM run WHERE no = ?1", [run.0], |row| row.get(0))?;
            let removal = Removal {
                by: by.to_owned(),
                reason: reason.to_owned(),
                facts: freed.facts,
                blobs: orphans.len() as u64,
                checkpoint,
            };
            let event = LedgerEvent::Removed(removal);
            batch.push_ledger(run, LedgerEntry { at: now(), run: id.clone(), event });
            Ok((freed, orphans))
        })?;
        // Files go after the commit: a crash in between leaves files that nothing refers to, which `sweep` finds.
        let mut freed = Freed { blobs: orphans.len() as u64, ..freed };
        for orphan in &orphans {
            freed.blob_bytes += self.store().blobs().remove(orphan)?;
        }
        Ok(freed)
    }

    /// Removes blob files that no run refers to, and drafts of killed writers; gives number and bytes.
    ///
    /// # Errors
    /// What SQLite or the blob folder says.
    pub fn sweep(&mut self) -> Result<(u64, u64), StoreError> {
        let blobs = self.store().blobs();
        let candidates = blobs.list()?;
        let drafts = blobs.drafts()?;
        // Under the write lock no recording can refer to a blob between the question and the removal, except one
        // that has stored the file and not yet committed the fact: those are younger than the grace.
        let grace = std::time::Duration::from_secs(3600);
        let old = |path: &std::path::Path| {
            let age = std::fs::metadata(path).and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
            matches!(age, Ok(Ok(age)) if age > grace)
        };
        let mut freed = (0, 0);
        self.transaction(Durability::Process, |batch| {
            for id in candidates {
                let used: Option<i64> = batch
                    .connection()
                    .prepare_cached("SELECT 1 FROM blob WHERE sha256 = ?1")?
                    .query_row([id.as_bytes()], |row| row.get(0))
                    .optional()?;
                if used.is_none() && old(&blobs.path(&id)) {
                    freed = (freed.0 + 1, freed.1 + blobs.remove(&id)?);
                }
            }
            Ok(())
        })?;
        for draft in drafts.into_iter().filter(|draft| old(draft)) {
            std::fs::remove_file(&draft).map_err(StoreError::io("remove", &draft))?;
        }
        Ok(freed)
    }
}

/// Removes the run's references to contents; gives the contents that nothing refers to any more.
fn drop_uses(connection: &rusqlite::Connection, run: RunNo) -> Result<Vec<ContentId>, StoreError> {
    let sql = "SELECT sha256 FROM blob_use AS mine WHERE run = ?1
               AND NOT EXISTS (SELECT 1 FROM blob_use AS other WHERE other.sha256 = mine.sha256 AND other.run <> ?1)";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([run.0], |row| row.get::<_, [u8; 32]>(0))?;
    let orphans: Vec<_> = rows.collect::<Result<_, _>>()?;
    connection.execute("DELETE FROM blob_use WHERE run = ?1", [run.0])?;
    for sha256 in &orphans {
        connection.prepare_cached("DELETE FROM blob WHERE sha256 = ?1")?.execute([sha256])?;
    }
    Ok(orphans.into_iter().map(ContentId::from_bytes).collect())
}

fn drop_rows(connection: &rusqlite::Connection, run: RunNo) -> Result<Freed, StoreError> {
    let body_bytes: i64 =
        connection.query_row("SELECT body_bytes FROM run WHERE no = ?1", [run.0], |row| row.get(0))?;
    let bounds = [position(run, 0), position(RunNo(run.0 + 1), 0)];
    connection.execute("DELETE FROM fact WHERE pos >= ?1 AND pos < ?2", bounds)?;
    connection.execute("DELETE FROM pack WHERE pos >= ?1 AND pos < ?2", bounds)?;
    // One for each body.
    let facts = connection.execute("DELETE FROM event WHERE run = ?1", [run.0])?;
    connection.execute("DELETE FROM posting WHERE run = ?1", [run.0])?;
    connection.execute("DELETE FROM segment WHERE run = ?1", [run.0])?;
    connection.execute("DELETE FROM tally WHERE run = ?1", [run.0])?;
    version_runs::remove(connection, run)?;
    connection.execute("UPDATE run SET removed = ?2, body_bytes = 0 WHERE no = ?1", (run.0, now().as_nanos()))?;
    Ok(Freed { facts: facts as u64, body_bytes: body_bytes as u64, ..Freed::default() })
}
