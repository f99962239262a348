//! The schema, as a list of steps. A step is never changed once released; a new one is added.

use crate::error::StoreError;
use crate::{late_tallies, pack, version_runs};
use rusqlite::Connection;
use std::path::Path;

/// SQL of each step; after step `n` the database has `user_version` n + 1.
const STEPS: &[&str] = &[STEP_1, STEP_2, version_runs::SCHEMA, NO_SQL, NO_SQL, pack::SCHEMA];
/// The step after which the entries for what was recorded before have to be made.
const VERSION_RUNS: i64 = 3;
/// The step that counts the versions without a process of what was recorded before.
const VERSIONS_WITHOUT_PROCESS: i64 = 4;
/// The step that makes the entries for sessions and calls that agents had told of before.
const DECLARING_RUNS: i64 = 5;

const NO_SQL: &str = "";

const STEP_1: &str = "
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
    no         INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    created    INTEGER NOT NULL,           -- ns, UTC
    updated    INTEGER NOT NULL,           -- ns, UTC, of the last append
    size       INTEGER NOT NULL,           -- leaves
    frontier   BLOB NOT NULL,
    checkpoint TEXT NOT NULL,              -- signed note over (size, root)
    body_bytes INTEGER NOT NULL,
    removed    INTEGER                     -- ns, UTC: bodies are gone, leaves stay
);

-- pos = run.no << 40 | seq
CREATE TABLE fact (
    pos  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

-- 256 leaf hashes a row (fewer in the last); pos = run.no << 40 | tile
CREATE TABLE leaf (
    pos    INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL
);

-- Order and look-up by id. id starts with the event time >> 14; low holds the 14 bits left out.
CREATE TABLE event (
    run INTEGER NOT NULL,
    id  BLOB NOT NULL,
    low INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

-- Postings of a run are a few sorted segments; a batch adds one, equal ones are merged (see postings).
CREATE TABLE segment (
    run   INTEGER NOT NULL,
    no    INTEGER NOT NULL,
    level INTEGER NOT NULL,
    PRIMARY KEY (run, no)
) WITHOUT ROWID;

-- A chunk holds the entries of a segment from (kind, key, first) up to the next chunk.
CREATE TABLE posting (
    run     INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    key     INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (run, segment, kind, key, first)
) WITHOUT ROWID;

CREATE TABLE tally (
    run   INTEGER NOT NULL,
    grp   INTEGER NOT NULL,
    name  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (run, grp, name)
) WITHOUT ROWID;

CREATE TABLE blob (
    sha256  BLOB PRIMARY KEY,
    git     BLOB,
    size    INTEGER NOT NULL,              -- raw bytes
    stored  INTEGER                        -- bytes on disk; NULL: held by the git of a run's workspace
) WITHOUT ROWID;

CREATE TABLE blob_use (
    run    INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (run, sha256)
) WITHOUT ROWID;

CREATE TABLE ledger (
    seq  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

CREATE TABLE ledger_head (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    size       INTEGER NOT NULL,
    frontier   BLOB NOT NULL,
    checkpoint TEXT NOT NULL
);
";

/// Jobs. The small columns stand first: views read many rows and none of their inputs and answers.
const STEP_2: &str = "
CREATE TABLE job (
    no       INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    digest   BLOB NOT NULL UNIQUE,         -- of the input: equal work is done once
    subject  TEXT NOT NULL,
    state    TEXT NOT NULL,                -- waiting, running, done, failed
    accepted INTEGER NOT NULL,             -- ns, UTC
    updated  INTEGER NOT NULL,             -- ns, UTC
    attempts INTEGER NOT NULL,
    problem  TEXT,
    summary  BLOB,
    input    BLOB NOT NULL,
    output   BLOB
);
CREATE INDEX job_by_state ON job (state, no);
CREATE INDEX job_by_time ON job (accepted);

-- Names that senders give to requests, so that a request can be sent again.
CREATE TABLE job_key (
    key TEXT PRIMARY KEY,
    job INTEGER NOT NULL
) WITHOUT ROWID;
";

/// The newest schema that this program knows.
pub const KNOWN: i64 = STEPS.len() as i64;

/// Schema number of an open database; 0 for an empty one.
///
/// # Errors
/// When SQLite can't read it.
pub fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Refuses a database that a later version wrote.
///
/// # Errors
/// [`StoreError::Newer`].
pub fn guard(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found = version(connection)?;
    if found > KNOWN {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: KNOWN });
    }
    Ok(found)
}

/// Brings the database to the newest schema, each step in a transaction of its own.
///
/// # Errors
/// [`StoreError::Newer`], or when SQLite fails.
pub fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if guard(connection, path)? == KNOWN {
        return Ok(());
    }
    for (index, step) in STEPS.iter().enumerate() {
        let target = index as i64 + 1;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have taken this step while we waited for the lock.
        if version(&transaction)? < target {
            transaction.execute_batch(step)?;
            match target {
                VERSION_RUNS => version_runs::fill(&transaction)?,
                VERSIONS_WITHOUT_PROCESS => late_tallies::fill(&transaction)?,
                DECLARING_RUNS => version_runs::fill_declared(&transaction)?,
                _ => {}
            }
            transaction.pragma_update(None, "user_version", target)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
