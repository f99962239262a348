//! What runs cost on disk.

use crate::RunNo;
use crate::error::StoreError;
use crate::reader::Reader;
use std::collections::BTreeMap;

/// Cost of a run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct RunUsage {
    /// Bytes that fact bodies take in the database.
    pub body_bytes: u64,
    /// Bytes on disk of blobs that only this run uses.
    pub own_blob_bytes: u64,
    /// Bytes on disk of blobs that other runs use too.
    pub shared_blob_bytes: u64,
    /// Contents held by git, not by us.
    pub contents_in_git: u64,
}

impl RunUsage {
    /// What removing the run would free, indexes left aside.
    pub fn own_bytes(&self) -> u64 {
        self.body_bytes + self.own_blob_bytes
    }
}

/// Cost of the whole store.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct StoreUsage {
    /// Bytes of the database files.
    pub database_bytes: u64,
    /// Bytes of the blob files.
    pub blob_bytes: u64,
    /// Blob files.
    pub blobs: u64,
}

impl Reader {
    /// Cost by run; runs without facts are left out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn usage_by_run(&self) -> Result<BTreeMap<RunNo, RunUsage>, StoreError> {
        let mut usage: BTreeMap<RunNo, RunUsage> = BTreeMap::new();
        for run in self.runs()? {
            usage.entry(run.no).or_default().body_bytes = run.body_bytes;
        }
        let sql = "WITH uses AS (SELECT sha256, count(*) AS users FROM blob_use GROUP BY sha256)
                   SELECT blob_use.run, uses.users, blob.stored FROM blob_use
                   JOIN uses USING (sha256) JOIN blob USING (sha256)";
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let entry = usage.entry(RunNo(row.get(0)?)).or_default();
            let users: i64 = row.get(1)?;
            match row.get::<_, Option<i64>>(2)? {
                None => entry.contents_in_git += 1,
                Some(bytes) if users == 1 => entry.own_blob_bytes += bytes as u64,
                Some(bytes) => entry.shared_blob_bytes += bytes as u64,
            }
        }
        Ok(usage)
    }

    /// Cost of the store.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn store_usage(&self) -> Result<StoreUsage, StoreError> {
        let database = self.store().location().database();
        let file_size = |suffix: &str| {
            let mut name = database.clone().into_os_string();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        let (blobs, blob_bytes): (i64, i64) = self.connection().query_row(
            "SELECT count(*), coalesce(sum(stored), 0) FROM blob WHERE stored IS NOT NULL",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(StoreUsage {
            database_bytes: file_size("") + file_size("-wal") + file_size("-shm"),
            blob_bytes: blob_bytes as u64,
            blobs: blobs as u64,
        })
    }
}
