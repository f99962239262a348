//! The one write path.

use crate::error::StoreError;
use crate::ledger::{LedgerEntry, LedgerEvent};
use crate::outline::KeptContent;
use crate::pack::{self, Packer, Pending};
use crate::postings::{self, Posting};
use crate::prepared::Ready;
use crate::state_head::{self, StateHead};
use crate::store::{Store, now};
use crate::tail::Tail;
use crate::tallies::Tallies;
use crate::{RunNo, Seq, position};
use agentprov_log::{Checkpoint, Frontier, SignerKey};
use agentprov_model::ids::EVENT_TIME_SHIFT;
use agentprov_model::index::CountName;
use agentprov_model::{AttemptNo, RunId};
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Size of the write-ahead log at which a commit moves its pages into the database.
const LOG_BYTES: i64 = 32 << 20;

/// What a commit waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The operating system has the bytes: nothing is lost whatever kills the process.
    Process,
    /// The disk has the bytes: nothing is lost when the power fails. For heads that leave the process.
    Power,
}

/// What became of a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It is the leaf of this number.
    New(Seq),
    /// A fact of the same id was there already; nothing changed.
    Known(Seq),
}

/// Appends batches of facts, each in one transaction.
pub struct Writer {
    store: Store,
    connection: Connection,
    signer: SignerKey,
    /// Ends of logs as of `generation`; another writer's commit makes them stale.
    tails: BTreeMap<RunNo, Tail>,
    generation: Option<i64>,
    durability: Option<Durability>,
    packer: Packer,
}

/// One transaction being built.
pub struct Batch<'w> {
    connection: &'w Connection,
    inserts: Inserts<'w>,
    store: &'w Store,
    tails: &'w mut BTreeMap<RunNo, Tail>,
    packer: &'w mut Packer,
    touched: BTreeMap<RunNo, Touched>,
    ledger: Vec<(RunNo, LedgerEntry)>,
    seals: Vec<(RunNo, RunId, AttemptNo)>,
}

/// The statements that every fact needs, held for the whole batch: each look-up in the cache would hash their text.
struct Inserts<'w> {
    event: CachedStatement<'w>,
    fact: CachedStatement<'w>,
    pack: CachedStatement<'w>,
}

impl<'w> Inserts<'w> {
    fn prepare(connection: &'w Connection) -> Result<Self, StoreError> {
        Ok(Self {
            event: connection
                .prepare_cached("INSERT OR IGNORE INTO event (run, id, low, seq) VALUES (?1, ?2, ?3, ?4)")?,
            fact: connection.prepare_cached("INSERT INTO fact (pos, body) VALUES (?1, ?2)")?,
            pack: connection.prepare_cached("INSERT INTO pack (pos, span, lines) VALUES (?1, ?2, ?3)")?,
        })
    }

    /// Writes what waits to be packed; gives the bytes that it takes.
    fn write_pending(&mut self, run: RunNo, pending: &mut Pending, packer: &mut Packer) -> Result<u64, StoreError> {
        let bytes = if pending.is_worth_it() {
            let frame = packer.pack(pending.lines())?;
            self.pack.execute((position(run, pending.first()), pending.span() as i64, frame))?;
            frame.len()
        } else {
            let mut bytes = 0;
            for (seq, body) in pending.bodies() {
                self.fact.execute((position(run, seq), body))?;
                bytes += body.len();
            }
            bytes
        };
        pending.clear();
        Ok(bytes as u64)
    }
}

/// What a batch adds to one run.
#[derive(Default)]
struct Touched {
    postings: Vec<Posting>,
    tallies: Tallies,
    pending: Pending,
    body_bytes: u64,
}

/// Where the body of a fact goes.
#[derive(Clone, Copy)]
enum Place {
    Own,
    Pack,
}

impl Writer {
    pub(crate) fn new(store: Store, connection: Connection) -> Result<Self, StoreError> {
        let signer = store.signer()?;
        let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_BYTES / page_bytes)?;
        connection.pragma_update(None, "cache_size", -8_192)?;
        // Merging postings reads all of a run: mapped, that would stay resident.
        connection.pragma_update(None, "mmap_size", 0)?;
        Ok(Self {
            store,
            connection,
            signer,
            tails: BTreeMap::new(),
            generation: None,
            durability: None,
            packer: Packer::default(),
        })
    }

    /// The store written to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Runs `fill` inside one `BEGIN IMMEDIATE` transaction and commits it; on an error nothing of it remains.
    ///
    /// # Errors
    /// What `fill` returns, or what SQLite says (for example a full disk).
    pub fn transaction<T>(
        &mut self,
        durability: Durability,
        fill: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.set_durability(durability)?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        match self.run(fill) {
            Ok((value, head)) => {
                self.remember(head)?;
                Ok(value)
            }
            Err(error) => {
                // The ends of logs in memory may be ahead of what is stored now.
                self.tails.clear();
                self.generation = None;
                if !self.connection.is_autocommit() {
                    self.connection.execute_batch("ROLLBACK")?;
                }
                Err(error)
            }
        }
    }

    /// Gives free pages of the database back to the file system.
    ///
    /// # Errors
    /// What SQLite says, for example when another process holds the store.
    pub fn shrink(&mut self) -> Result<(), StoreError> {
        self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(())
    }

    fn set_durability(&mut self, durability: Durability) -> Result<(), StoreError> {
        if self.durability != Some(durability) {
            let level = match durability {
                Durability::Process => "NORMAL",
                Durability::Power => "FULL",
            };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durability = Some(durability);
        }
        Ok(())
    }

    fn run<T>(
        &mut self,
        fill: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Option<StateHead>), StoreError> {
        let generation = read_generation(&self.connection)?;
        if self.generation != Some(generation) {
            self.tails.clear();
        }
        let mut batch = Batch {
            connection: &self.connection,
            inserts: Inserts::prepare(&self.connection)?,
            store: &self.store,
            tails: &mut self.tails,
            packer: &mut self.packer,
            touched: BTreeMap::new(),
            ledger: Vec::new(),
            seals: Vec::new(),
        };
        let value = fill(&mut batch)?;
        let head = batch.finish(&self.signer)?;
        self.connection
            .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'generation'")?
            .execute([(generation + 1).to_string()])?;
        self.connection.execute_batch("COMMIT")?;
        self.generation = Some(generation + 1);
        Ok((value, head))
    }

    /// Keeps a ledger head outside the data dir. A home that can't be written is no reason to fail a commit
    /// that is already on disk; `verify` then says that rollback was not checked.
    fn remember(&self, head: Option<StateHead>) -> Result<(), StoreError> {
        if let (Some(head), Some(folder)) = (head, state_head::folder()) {
            let _ = state_head::write(&folder, self.store.id(), head);
        }
        Ok(())
    }
}

fn read_generation(connection: &Connection) -> Result<i64, StoreError> {
    let text: String = connection
        .prepare_cached("SELECT value FROM meta WHERE name = 'generation'")?
        .query_row([], |row| row.get(0))?;
    text.parse().map_err(|_| StoreError::Damaged(format!("generation '{text}' is no number")))
}

impl Batch<'_> {
    /// Number of a run, where it exists.
    ///
    /// # Errors
    /// [`StoreError::Removed`] when its bodies are gone, or what SQLite says.
    pub fn find_run(&self, id: &RunId) -> Result<Option<RunNo>, StoreError> {
        let row: Option<(i64, Option<i64>)> = self
            .connection
            .prepare_cached("SELECT no, removed FROM run WHERE id = ?1")?
            .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match row {
            Some((_, Some(_))) => Err(StoreError::Removed(id.to_string())),
            Some((no, None)) => Ok(Some(RunNo(no))),
            None => Ok(None),
        }
    }

    /// Opens a run's log, or gives the one that is there. A new log gets a ledger leaf.
    ///
    /// # Errors
    /// [`StoreError::Removed`], or what SQLite says.
    pub fn open_run(&mut self, id: &RunId) -> Result<RunNo, StoreError> {
        if let Some(run) = self.find_run(id)? {
            return Ok(run);
        }
        let at = now();
        let no: i64 = self.connection.query_row("SELECT coalesce(max(no), 0) + 1 FROM run", [], |row| row.get(0))?;
        self.connection.execute(
            "INSERT INTO run (no, id, created, updated, size, frontier, checkpoint, body_bytes) VALUES (?1, ?2, ?3, ?3, 0, ?4, '', 0)",
            (no, id.as_str(), at.as_nanos(), Frontier::new().to_bytes()),
        )?;
        let run = RunNo(no);
        self.tails.insert(run, Tail::new());
        self.touched.entry(run).or_default();
        self.ledger.push((run, LedgerEntry { at, run: id.clone(), event: LedgerEvent::Opened }));
        Ok(run)
    }

    /// How many facts of a kind the run has, by the counts kept at append (this batch included).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tally(&self, run: RunNo, name: CountName) -> Result<u64, StoreError> {
        let stored: Option<i64> = self
            .connection
            .prepare_cached("SELECT count FROM tally WHERE run = ?1 AND grp = ?2 AND name = ?3")?
            .query_row((run.0, name.group as u8, name.name.as_ref()), |row| row.get(0))
            .optional()?;
        let pending = self.touched.get(&run).map_or(0, |touched| touched.tallies.of(&name));
        Ok(stored.unwrap_or(0) as u64 + pending)
    }

    /// Leaves in the run's log, this batch included.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn size(&mut self, run: RunNo) -> Result<u64, StoreError> {
        Ok(self.tail(run)?.frontier.size())
    }

    fn tail(&mut self, run: RunNo) -> Result<&mut Tail, StoreError> {
        match self.tails.entry(run) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(missing) => {
                let frontier: Vec<u8> = self
                    .connection
                    .prepare_cached("SELECT frontier FROM run WHERE no = ?1")?
                    .query_row([run.0], |row| row.get(0))?;
                Ok(missing.insert(Tail::load(self.connection, position(run, 0), &frontier)?))
            }
        }
    }

    /// Appends a fact. A fact whose id the run already has changes nothing.
    ///
    /// # Errors
    /// What SQLite says, for example a full disk.
    pub fn append<'p>(&mut self, run: RunNo, fact: impl Into<Ready<'p>>) -> Result<Appended, StoreError> {
        self.add(run, fact.into(), Place::Own)
    }

    /// The same for a fact that is one of very many: it is packed together with its neighbours, so that it takes a fraction of
    /// the room; who reads it unpacks them all.
    ///
    /// # Errors
    /// As [`Batch::append`].
    pub fn append_packed<'p>(&mut self, run: RunNo, fact: impl Into<Ready<'p>>) -> Result<Appended, StoreError> {
        self.add(run, fact.into(), Place::Pack)
    }

    fn add(&mut self, run: RunNo, fact: Ready<'_>, place: Place) -> Result<Appended, StoreError> {
        let Ready { outline: fact, body, leaf } = fact;
        let seq = self.tail(run)?.frontier.size();
        let low = fact.at.as_nanos() & ((1 << EVENT_TIME_SHIFT) - 1);
        let inserted = self.inserts.event.execute((run.0, fact.id.as_bytes(), low, seq as i64))?;
        if inserted == 0 {
            let known: i64 = self
                .connection
                .prepare_cached("SELECT seq FROM event WHERE run = ?1 AND id = ?2")?
                .query_row((run.0, fact.id.as_bytes()), |row| row.get(0))?;
            return Ok(Appended::Known(known as u64));
        }
        self.tail(run)?.push(leaf);
        self.write_body(run, seq, body, place)?;
        for content in &fact.contents {
            self.use_content(run, content)?;
        }
        fact.versions.write(self.connection, run)?;
        let touched = self.touched.entry(run).or_default();
        touched.postings.extend(fact.keys.iter().map(|&(kind, key)| Posting { kind, key, seq }));
        touched.tallies.add(fact);
        Ok(Appended::New(seq))
    }

    fn write_body(&mut self, run: RunNo, seq: Seq, body: &[u8], place: Place) -> Result<(), StoreError> {
        let touched = self.touched.entry(run).or_default();
        if matches!(place, Place::Own) || !pack::fits(body) {
            self.inserts.fact.execute((position(run, seq), body))?;
            touched.body_bytes += body.len() as u64;
            return Ok(());
        }
        if touched.pending.is_full() || !touched.pending.is_followed_by(seq) {
            touched.body_bytes += self.inserts.write_pending(run, &mut touched.pending, self.packer)?;
        }
        touched.pending.push(seq, body);
        Ok(())
    }

    fn use_content(&self, run: RunNo, content: &KeptContent) -> Result<(), StoreError> {
        let used = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO blob_use (run, sha256) VALUES (?1, ?2)")?
            .execute((run.0, content.sha256.as_bytes()))?;
        if used == 0 {
            return Ok(());
        }
        let stored = if content.stored { self.store.blobs().stored_size(&content.sha256) } else { None };
        self.connection
            .prepare_cached(
                "INSERT INTO blob (sha256, git, size, stored) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET stored = coalesce(stored, excluded.stored), git = coalesce(git, excluded.git)",
            )?
            .execute((
                content.sha256.as_bytes(),
                content.git.as_ref().map(|git| git.as_bytes()),
                content.size as i64,
                stored.map(|bytes| bytes as i64),
            ))?;
        Ok(())
    }

    /// Writes a sealed head of the run to the ledger when the batch is committed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn seal(&mut self, run: RunNo, id: &RunId, attempt: AttemptNo) -> Result<(), StoreError> {
        self.tail(run)?;
        self.touched.entry(run).or_default();
        self.seals.push((run, id.clone(), attempt));
        Ok(())
    }

    pub(crate) fn push_ledger(&mut self, run: RunNo, entry: LedgerEntry) {
        self.ledger.push((run, entry));
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }

    pub(crate) fn connection_and_packer(&mut self) -> (&Connection, &mut Packer) {
        (self.connection, self.packer)
    }

    /// Writes everything that depends on the whole batch; gives the new ledger head where there is one.
    fn finish(mut self, signer: &SignerKey) -> Result<Option<StateHead>, StoreError> {
        let touched = std::mem::take(&mut self.touched);
        for (run, added) in touched {
            self.finish_run(run, added, signer)?;
        }
        let seals = std::mem::take(&mut self.seals);
        for (run, id, attempt) in seals {
            postings::compact(self.connection, run)?;
            let checkpoint: String =
                self.connection.query_row("SELECT checkpoint FROM run WHERE no = ?1", [run.0], |row| row.get(0))?;
            let event = LedgerEvent::Sealed { attempt, checkpoint };
            self.ledger.push((run, LedgerEntry { at: now(), run: id, event }));
        }
        if self.ledger.is_empty() { Ok(None) } else { self.finish_ledger(signer).map(Some) }
    }

    fn finish_run(&mut self, run: RunNo, mut added: Touched, signer: &SignerKey) -> Result<(), StoreError> {
        added.body_bytes += self.inserts.write_pending(run, &mut added.pending, self.packer)?;
        postings::add_segment(self.connection, run, added.postings)?;
        let mut tally = self.connection.prepare_cached(
            "INSERT INTO tally (run, grp, name, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for (count, times) in added.tallies.into_sorted() {
            tally.execute((run.0, count.group as u8, count.name.as_ref(), times as i64))?;
        }
        drop(tally);
        let id: String =
            self.connection.prepare_cached("SELECT id FROM run WHERE no = ?1")?.query_row([run.0], |row| row.get(0))?;
        let id = RunId::new(id).map_err(|error| StoreError::Damaged(error.to_string()))?;
        let origin = self.store.run_origin(&id);
        let connection = self.connection;
        let tail = self.tail(run)?;
        tail.flush(connection, position(run, 0))?;
        let checkpoint = signed_head(&origin, &tail.frontier, signer)?;
        let frontier = tail.frontier.to_bytes();
        connection
            .prepare_cached(
                "UPDATE run SET size = ?2, frontier = ?3, checkpoint = ?4, updated = ?5, body_bytes = body_bytes + ?6 WHERE no = ?1",
            )?
            .execute((
                run.0,
                tail.frontier.size() as i64,
                frontier,
                checkpoint,
                now().as_nanos(),
                added.body_bytes as i64,
            ))?;
        Ok(())
    }

    fn finish_ledger(&mut self, signer: &SignerKey) -> Result<StateHead, StoreError> {
        let stored: Option<Vec<u8>> = self
            .connection
            .query_row("SELECT frontier FROM ledger_head WHERE one = 1", [], |row| row.get(0))
            .optional()?;
        let mut frontier = match stored {
            Some(bytes) => Frontier::from_bytes(&bytes).map_err(|error| StoreError::Damaged(error.to_string()))?,
            None => Frontier::new(),
        };
        for (_, entry) in self.ledger.drain(..) {
            let body = entry.to_body();
            self.connection
                .prepare_cached("INSERT INTO ledger (seq, body) VALUES (?1, ?2)")?
                .execute((frontier.size() as i64, &body))?;
            frontier.push(agentprov_log::leaf_hash(&body));
        }
        let checkpoint = signed_head(&self.store.ledger_origin(), &frontier, signer)?;
        self.connection.execute(
            "INSERT OR REPLACE INTO ledger_head (one, size, frontier, checkpoint) VALUES (1, ?1, ?2, ?3)",
            (frontier.size() as i64, frontier.to_bytes(), checkpoint),
        )?;
        let vkey = signer.verifier().to_string();
        self.connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('vkey:' || ?1, ?1)", [&vkey])?;
        Ok(StateHead {
            size: frontier.size(),
            root: frontier.root().to_hex(),
            vkeys: vec![vkey],
            at: now(),
            data_dir: self.store.dir().to_string_lossy().into_owned(),
        })
    }
}

fn signed_head(origin: &str, frontier: &Frontier, signer: &SignerKey) -> Result<String, StoreError> {
    let checkpoint = Checkpoint::new(origin, frontier.size(), frontier.root())
        .map_err(|error| StoreError::Damaged(format!("checkpoint of {origin}: {error}")))?;
    Ok(checkpoint.sign(signer))
}
