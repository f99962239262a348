//! Which runs hold a version of a path, or one that left a content behind, and in which an agent spoke of a session or a
//! tool call: a question about all runs asks these alone, however many others there are. And the folders in which
//! attempts ran.
//!
//! Versions and what agents say are few beside opens and calls, so that an entry at its place costs little; postings say
//! where in the run.

use crate::RunNo;
use crate::error::StoreError;
use crate::facts_of_type::{each_fact_of, each_fact_with};
use crate::outline::Outline;
use agentprov_model::{EventType, Fact, IndexKey, KeyKind, OsBytes, What};
use rusqlite::Connection;
use std::collections::BTreeSet;

pub(crate) const SCHEMA: &str = "
-- key is that of the postings.
CREATE TABLE version_run (
    key INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (key, run)
) WITHOUT ROWID;

CREATE TABLE workspace (
    path BLOB NOT NULL,
    run  INTEGER NOT NULL,
    PRIMARY KEY (path, run)
) WITHOUT ROWID;
";

/// What a fact adds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct VersionKeys {
    keys: Vec<u64>,
    workspace: Option<OsBytes>,
}

impl VersionKeys {
    pub(crate) fn of(fact: &Fact) -> Self {
        match &fact.what {
            What::AttemptStarted(started) => Self { keys: Vec::new(), workspace: Some(started.workspace.clone()) },
            What::FileVersion(_) | What::Declared(_) => {
                let mut keys = Vec::with_capacity(3);
                fact.visit_keys(|key| {
                    if is_indexed(key.kind) {
                        keys.push(key.hash());
                    }
                });
                Self { keys, workspace: None }
            }
            _ => Self::default(),
        }
    }

    pub(crate) fn write(&self, connection: &Connection, run: RunNo) -> Result<(), StoreError> {
        for key in &self.keys {
            connection
                .prepare_cached("INSERT OR IGNORE INTO version_run (key, run) VALUES (?1, ?2)")?
                .execute((key.cast_signed(), run.0))?;
        }
        if let Some(workspace) = &self.workspace {
            connection
                .prepare_cached("INSERT OR IGNORE INTO workspace (path, run) VALUES (?1, ?2)")?
                .execute((workspace.as_bytes(), run.0))?;
        }
        Ok(())
    }
}

/// Whether a question for keys of that kind is answered here. Paths are those of versions alone.
const fn is_indexed(kind: KeyKind) -> bool {
    matches!(
        kind,
        KeyKind::Path | KeyKind::Content | KeyKind::GitBlob | KeyKind::DeclaredSession | KeyKind::DeclaredCall
    )
}

/// Runs that may have versions, or sayings of agents, with that key, the oldest first. Keys are hashes: the facts tell.
pub(crate) fn look_up(connection: &Connection, key: IndexKey<'_>) -> Result<Vec<RunNo>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT run FROM version_run WHERE key = ?1 ORDER BY run")?;
    let rows = statement.query_map([key.hash().cast_signed()], |row| row.get(0).map(RunNo))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Folders in which attempts of runs that were not removed ran, each once.
pub(crate) fn workspaces(connection: &Connection) -> Result<Vec<OsBytes>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT path FROM workspace ORDER BY path")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0).map(OsBytes::new))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes everything of a run out.
pub(crate) fn remove(connection: &Connection, run: RunNo) -> Result<(), StoreError> {
    connection.execute("DELETE FROM version_run WHERE run = ?1", [run.0])?;
    connection.execute("DELETE FROM workspace WHERE run = ?1", [run.0])?;
    Ok(())
}

/// Writes the entries of what was recorded before there were any.
pub(crate) fn fill(connection: &Connection) -> Result<(), StoreError> {
    each_fact_of(connection, &[EventType::FileWrite, EventType::ToolCallStart], |run, fact| {
        VersionKeys::of(fact).write(connection, run)
    })
}

/// Writes the entries of what agents had said before such entries were kept.
pub(crate) fn fill_declared(connection: &Connection) -> Result<(), StoreError> {
    let declared = IndexKey { kind: KeyKind::Declared, value: b"" };
    each_fact_with(connection, &[declared], |run, fact| VersionKeys::of(fact).write(connection, run))
}

/// Gathers what the facts of a run ask for, to see whether it is there.
#[derive(Default)]
pub(crate) struct Expected {
    keys: BTreeSet<u64>,
    workspaces: BTreeSet<OsBytes>,
}

impl Expected {
    pub(crate) fn add(&mut self, fact: &Outline) {
        self.keys.extend(&fact.versions.keys);
        self.workspaces.extend(fact.versions.workspace.clone());
    }

    /// Whether every entry is there. One too many only costs a look-up that finds nothing.
    pub(crate) fn is_met(&self, connection: &Connection, run: RunNo) -> Result<bool, StoreError> {
        let mut key_is_there = connection.prepare_cached("SELECT 1 FROM version_run WHERE key = ?1 AND run = ?2")?;
        for key in &self.keys {
            if !key_is_there.exists((key.cast_signed(), run.0))? {
                return Ok(false);
            }
        }
        let mut folder_is_there = connection.prepare_cached("SELECT 1 FROM workspace WHERE path = ?1 AND run = ?2")?;
        for path in &self.workspaces {
            if !folder_is_there.exists((path.as_bytes(), run.0))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
