//! Reading: one snapshot of the store, for as long as the reader lives.

use crate::bodies::bytes_of;
use crate::error::StoreError;
use crate::ledger::LedgerEntry;
use crate::pack::Unpacked;
use crate::store::Store;
use crate::tail::TILE;
use crate::{RunNo, Seq, position, postings, version_runs};
use agentprov_log::Hash;
use agentprov_model::ids::EVENT_TIME_SHIFT;
use agentprov_model::index::{CountGroup, IndexKey, KeyKind};
use agentprov_model::{ContentId, EventId, EventTime, Fact, OsBytes, RunId};
use rusqlite::{Connection, OptionalExtension, Row};
use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;

/// Reads a store.
pub struct Reader {
    store: Store,
    connection: Connection,
    /// Look-ups in the postings of a run.
    look_ups: Cell<u64>,
    /// The pack that was asked last: who asks for facts in their order unpacks each once.
    unpacked: RefCell<Unpacked>,
}

/// A run as the store knows it.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Number inside the store.
    pub no: RunNo,
    /// Id.
    pub id: RunId,
    /// When its log was opened.
    pub created: EventTime,
    /// When something was last appended.
    pub updated: EventTime,
    /// Leaves in its log.
    pub size: u64,
    /// Compact range of its tree, as stored.
    pub frontier: Vec<u8>,
    /// Signed note over (size, root).
    pub checkpoint: String,
    /// Bytes that fact bodies take in the database.
    pub body_bytes: u64,
    /// When its bodies were removed.
    pub removed: Option<EventTime>,
}

/// A place in the time order of a run: event time, then sequence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Event time.
    pub at: EventTime,
    /// Sequence.
    pub seq: Seq,
}

/// A row of the order index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventRow {
    /// Place in the order.
    pub position: Position,
    /// Id of the fact.
    pub id: EventId,
}

impl Reader {
    pub(crate) fn new(store: Store, connection: Connection) -> Result<Self, StoreError> {
        // A deferred transaction takes its snapshot at the first read and holds it.
        connection.execute_batch("BEGIN")?;
        let _: i64 = connection.query_row("SELECT count(*) FROM meta", [], |row| row.get(0))?;
        Ok(Self { store, connection, look_ups: Cell::new(0), unpacked: RefCell::default() })
    }

    /// The store read from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn unpacked(&self) -> RefMut<'_, Unpacked> {
        self.unpacked.borrow_mut()
    }

    /// Every run, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let sql = format!("SELECT {RUN_COLUMNS} FROM run ORDER BY no DESC");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], run_row)?;
        rows.map(|row| row?.parse()).collect()
    }

    /// A run by id, removed or not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("SELECT {RUN_COLUMNS} FROM run WHERE id = ?1");
        let row = self.connection.prepare_cached(&sql)?.query_row([id.as_str()], run_row).optional()?;
        row.map(RawRun::parse).transpose()
    }

    /// A run by number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run_by_no(&self, no: RunNo) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("SELECT {RUN_COLUMNS} FROM run WHERE no = ?1");
        let row = self.connection.prepare_cached(&sql)?.query_row([no.0], run_row).optional()?;
        row.map(RawRun::parse).transpose()
    }

    /// Leaf hashes of one tile of 256, 32 bytes each; empty where the tile is missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn leaf_tile(&self, run: RunNo, tile: u64) -> Result<Vec<u8>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT hashes FROM leaf WHERE pos = ?1")?
            .query_row([position(run, tile)], |row| row.get(0))
            .optional()?
            .unwrap_or_default())
    }

    /// Every stored leaf hash of a run below `size`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when some are missing.
    pub fn leaf_hashes(&self, run: RunNo, size: u64) -> Result<Vec<Hash>, StoreError> {
        // The size may come from a row that somebody edited: ask for no memory, and read no tile, beyond what is there.
        if size > self.extent(run)? {
            return Err(StoreError::Damaged(format!("the log does not have {size} leaf hashes")));
        }
        let mut hashes = Vec::with_capacity(size as usize);
        for tile in 0..size.div_ceil(TILE) {
            let bytes = self.leaf_tile(run, tile)?;
            hashes.extend(bytes.chunks_exact(32).map(|chunk| {
                let mut hash = [0u8; 32];
                hash.copy_from_slice(chunk);
                Hash(hash)
            }));
        }
        hashes.truncate(size as usize);
        if (hashes.len() as u64) < size {
            return Err(StoreError::Damaged(format!("{} of {size} leaf hashes are there", hashes.len())));
        }
        Ok(hashes)
    }

    /// Facts below tree size `size` in time order after `after`, at most `limit`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(
        &self,
        run: RunNo,
        after: Option<Position>,
        size: u64,
        limit: usize,
    ) -> Result<Vec<EventRow>, StoreError> {
        let start = after.map_or([0u8; 6], |position| EventId::time_prefix(position.at));
        let sql = "SELECT id, low, seq FROM event WHERE run = ?1 AND id >= ?2 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((run.0, start))?;
        let mut page: Vec<EventRow> = Vec::new();
        // Ids of one 16 us step sort by hash: such a bucket is put in order when it is complete.
        let mut bucket: Vec<EventRow> = Vec::new();
        let mut bucket_prefix = [0u8; 6];
        let drain = |bucket: &mut Vec<EventRow>, page: &mut Vec<EventRow>| {
            bucket.sort_unstable_by_key(|row| row.position);
            page.extend(bucket.drain(..).filter(|row| after.is_none_or(|after| row.position > after)));
        };
        while let Some(row) = rows.next()? {
            let row = event_row(row)?;
            let prefix = EventId::time_prefix(row.position.at);
            if prefix != bucket_prefix {
                drain(&mut bucket, &mut page);
                if page.len() >= limit {
                    break;
                }
                bucket_prefix = prefix;
            }
            if row.position.seq < size {
                bucket.push(row);
            }
        }
        drain(&mut bucket, &mut page);
        page.truncate(limit);
        Ok(page)
    }

    /// Where a fact stands in the order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn event(&self, run: RunNo, id: &EventId) -> Result<Option<EventRow>, StoreError> {
        self.look_ups.set(self.look_ups.get() + 1);
        Ok(self
            .connection
            .prepare_cached("SELECT id, low, seq FROM event WHERE run = ?1 AND id = ?2")?
            .query_row((run.0, id.as_bytes()), event_row)
            .optional()?)
    }

    /// The fact of this id in any run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn find_event(&self, id: &EventId) -> Result<Option<(RunRow, EventRow)>, StoreError> {
        for run in self.runs()? {
            if let Some(row) = self.event(run.no, id)? {
                return Ok(Some((run, row)));
            }
        }
        Ok(None)
    }

    /// Sequence numbers, ascending, of the run's facts that may have the key. The key is stored as a 64-bit
    /// hash, so the caller checks each fact with [`Fact::has_key`].
    ///
    /// # Errors
    /// What SQLite says.
    pub fn postings(&self, run: RunNo, key: IndexKey<'_>) -> Result<Vec<Seq>, StoreError> {
        self.look_ups.set(self.look_ups.get() + 1);
        postings::look_up(&self.connection, run, key.kind as u8, key.hash())
    }

    /// How often this reader has asked the postings or the ids of a run: the work that a question over many runs makes.
    pub fn look_ups(&self) -> u64 {
        self.look_ups.get()
    }

    /// Runs that may hold a version of a path, or one that left a content behind, the oldest first. The others are not
    /// asked, however many there are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs_with_version(&self, key: IndexKey<'_>) -> Result<Vec<RunNo>, StoreError> {
        version_runs::look_up(&self.connection, key)
    }

    /// Runs in which an agent may have spoken of a session or a tool call, the oldest first: the key is one of
    /// [`KeyKind::DeclaredSession`] or [`KeyKind::DeclaredCall`].
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs_that_declare(&self, key: IndexKey<'_>) -> Result<Vec<RunNo>, StoreError> {
        version_runs::look_up(&self.connection, key)
    }

    /// Folders in which attempts ran, each once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn workspaces(&self) -> Result<Vec<OsBytes>, StoreError> {
        version_runs::workspaces(&self.connection)
    }

    /// The same over all runs, oldest run first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn postings_everywhere(&self, key: IndexKey<'_>) -> Result<Vec<(RunNo, Vec<Seq>)>, StoreError> {
        let runs = match key.kind {
            // Only facts whose runs are known have these keys.
            KeyKind::Content | KeyKind::GitBlob | KeyKind::DeclaredSession | KeyKind::DeclaredCall => {
                self.runs_with_version(key)?
            }
            _ => {
                let mut statement = self.connection.prepare_cached("SELECT DISTINCT run FROM segment ORDER BY run")?;
                statement.query_map([], |row| row.get(0).map(RunNo))?.collect::<Result<Vec<_>, _>>()?
            }
        };
        let mut found = Vec::new();
        for run in runs {
            let seqs = self.postings(run, key)?;
            if !seqs.is_empty() {
                found.push((run, seqs));
            }
        }
        Ok(found)
    }

    /// The facts of the run that have the key, in append order.
    ///
    /// # Errors
    /// What SQLite says, or [`StoreError::Damaged`].
    pub fn facts_by_key(&self, run: RunNo, key: IndexKey<'_>) -> Result<Vec<(Seq, Fact)>, StoreError> {
        let mut facts = Vec::new();
        for seq in self.postings(run, key)? {
            let fact = self.fact(run, seq)?;
            if fact.has_key(key) {
                facts.push((seq, fact));
            }
        }
        Ok(facts)
    }

    /// Counts kept at append, by name, of one group.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tallies(&self, run: RunNo, group: CountGroup) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "SELECT name, count FROM tally WHERE run = ?1 AND grp = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map((run.0, group as u8), |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The ledger's entries with their stored bytes, in order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when one does not parse.
    pub fn ledger(&self) -> Result<Vec<(Vec<u8>, LedgerEntry)>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT seq, body FROM ledger ORDER BY seq")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        rows.map(|row| {
            let (seq, body) = row?;
            let entry = LedgerEntry::from_body(&body)
                .map_err(|error| StoreError::Damaged(format!("ledger entry {seq} does not parse: {error}")))?;
            Ok((body, entry))
        })
        .collect()
    }

    /// Size and signed checkpoint of the ledger; None before the first run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn ledger_head(&self) -> Result<Option<(u64, String)>, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT size, checkpoint FROM ledger_head WHERE one = 1", [], |row| {
                Ok((row.get::<_, i64>(0)? as u64, text_of(row.get_ref(1)?)))
            })
            .optional()?)
    }

    /// Contents that the run refers to and whose bytes are kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn contents_of(&self, run: RunNo) -> Result<Vec<ContentId>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT sha256 FROM blob_use WHERE run = ?1")?;
        let rows = statement.query_map([run.0], |row| row.get::<_, [u8; 32]>(0))?;
        rows.map(|row| Ok(ContentId::from_bytes(row?))).collect()
    }
}

const RUN_COLUMNS: &str = "no, id, created, updated, size, frontier, checkpoint, body_bytes, removed";

struct RawRun {
    id: String,
    row: RunRowFields,
}

struct RunRowFields {
    no: i64,
    created: i64,
    updated: i64,
    size: i64,
    frontier: Vec<u8>,
    checkpoint: String,
    body_bytes: i64,
    removed: Option<i64>,
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RawRun> {
    Ok(RawRun {
        id: row.get(1)?,
        row: RunRowFields {
            no: row.get(0)?,
            created: row.get(2)?,
            updated: row.get(3)?,
            size: row.get(4)?,
            frontier: row.get(5)?,
            checkpoint: text_of(row.get_ref(6)?),
            body_bytes: row.get(7)?,
            removed: row.get(8)?,
        },
    })
}

impl RawRun {
    fn parse(self) -> Result<RunRow, StoreError> {
        let id = RunId::new(self.id).map_err(|error| StoreError::Damaged(format!("a run id: {error}")))?;
        let row = self.row;
        Ok(RunRow {
            no: RunNo(row.no),
            id,
            created: EventTime::from_nanos(row.created),
            updated: EventTime::from_nanos(row.updated),
            size: row.size as u64,
            frontier: row.frontier,
            checkpoint: row.checkpoint,
            body_bytes: row.body_bytes as u64,
            removed: row.removed.map(EventTime::from_nanos),
        })
    }
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    let id: [u8; 16] = row.get(0)?;
    let low: i64 = row.get(1)?;
    let seq: i64 = row.get(2)?;
    let steps = i64::from_be_bytes([0, 0, id[0], id[1], id[2], id[3], id[4], id[5]]);
    let at = EventTime::from_nanos((steps << EVENT_TIME_SHIFT) | low);
    Ok(EventRow { position: Position { at, seq: seq as u64 }, id: EventId::from_bytes(id) })
}

/// A text, with bytes that are no text replaced: a head that was edited must come out as a bad head, not as a failed read.
fn text_of(value: rusqlite::types::ValueRef<'_>) -> String {
    String::from_utf8_lossy(bytes_of(value)).into_owned()
}
