//! A durable, bounded queue of inputs that are taken in later.
//!
//! An entry is two files: `ID.rows` has the bytes, `ID.json` says what they are. Each is written aside, synced and
//! renamed, the bytes first, so that an entry that can be seen is whole. Bytes without a JSON are what a killed
//! writer left. The rows are as their source wrote them, secrets included, hence the folder is the owner's alone and
//! the bytes go as soon as they were taken in.
//!
//! Two locks: the one of the queue is held for as long as it takes to look and rename, that of processing for as
//! long as entries are taken in. Whoever holds the latter knows that an entry in state `processing` was abandoned.
//! What waits is begun and dropped under the former, so that nothing is both.

mod entry;
mod loss;
mod room;

pub use entry::{Entry, Lost, Order, Status, Taken};
pub use loss::LossError;
pub use room::{UnknownPolicy, WhenFull};

use agentprov_model::EventTime;
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Entries that may hold bytes at a time.
pub const MAX_QUEUED: usize = 1000;
/// Entries without bytes that are remembered; the oldest are forgotten first.
const MAX_REMEMBERED: usize = 1000;
/// Times that an entry is begun whose process dies over it.
const MAX_ABANDONED: u32 = 5;
/// Drafts older than this were left by a killed writer.
const DRAFT_GRACE: Duration = Duration::from_secs(3600);

/// Why the spool did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// As many entries wait as may.
    #[error("telemetry_spool_queue_full: {queued} of at most {max_queued} entries wait or have failed")]
    Full {
        /// Entries that hold bytes.
        queued: usize,
        /// The bound.
        max_queued: usize,
    },
    /// Another process takes entries in.
    #[error("another process takes in what is spooled")]
    Busy,
    /// There is no such entry.
    #[error("there is no spooled input '{0}'")]
    NoEntry(String),
    /// The entry is in a state in which that can't be done.
    #[error("spooled input '{id}' is {status}; only a failed one can be retried")]
    NotFailed {
        /// The entry.
        id: String,
        /// Its state.
        status: Status,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file of the spool is not what the spool wrote.
    #[error("{path}: {source}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::Io { path, source }
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
    max_queued: usize,
}

/// What queueing did.
#[derive(Debug)]
pub struct Queued {
    /// The new entry.
    pub entry: Entry,
    /// Entries that were dropped to make room for it, oldest first.
    pub dropped: Vec<Entry>,
}

/// What processing did.
#[derive(Debug, Default)]
pub struct Processed {
    /// Entries that were taken in, with what that gave.
    pub taken: Vec<(Entry, Taken)>,
    /// Entries that failed; they say why.
    pub failed: Vec<Entry>,
}

impl Spool {
    /// The spool of a store; nothing is made before something is queued. With 0 for `max_queued` it has no bound.
    pub fn new(data_dir: &Path, max_queued: usize) -> Self {
        Self { folder: data_dir.join("spool"), max_queued }
    }

    /// Queues an input. It is durable when this returns.
    ///
    /// # Errors
    /// [`SpoolError::Full`], or what reading and writing says.
    pub fn queue(
        &self,
        mut input: impl Read,
        order: Order,
        when_full: WhenFull,
        now: EventTime,
    ) -> Result<Queued, SpoolError> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(at(&self.folder))?;
        // A full spool refuses before it copies; whether it became full meanwhile is asked again below.
        self.in_the_way(&self.list()?, when_full)?;
        let draft = self.folder.join(format!("draft-{}-{}", std::process::id(), now.as_nanos()));
        let queued = self.copy(&mut input, &draft, &order.path).and_then(|(sha256, size)| {
            let _lock = self.lock("queue.lock")?;
            let entries = self.list()?;
            let dropped = self.make_room(&entries, when_full)?;
            self.tidy(&entries)?;
            let entry = new_entry(&entries, order, (sha256, size), now);
            let rows = self.rows(&entry.id);
            std::fs::rename(&draft, &rows).map_err(at(&rows))?;
            self.sync_folder()?;
            self.save(&entry)?;
            Ok(Queued { entry, dropped })
        });
        if queued.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        queued
    }

    /// Every entry, oldest first.
    ///
    /// # Errors
    /// What reading says.
    pub fn list(&self) -> Result<Vec<Entry>, SpoolError> {
        let mut entries = Vec::new();
        for path in self.files()? {
            if path.extension().is_some_and(|extension| extension == "json") {
                entries.extend(read_entry(&path)?);
            }
        }
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        // A file that is replaced meanwhile may be listed twice.
        entries.dedup_by(|a, b| a.id == b.id);
        Ok(entries)
    }

    /// Takes up to `limit` entries in by `take`, oldest first, those first that a killed process had begun. An entry
    /// that fails does not stop the others.
    ///
    /// # Errors
    /// [`SpoolError::Busy`], or what reading and writing says.
    pub fn process(
        &self,
        limit: usize,
        clock: &dyn Fn() -> EventTime,
        take: &mut dyn FnMut(&Entry, File) -> Result<Taken, String>,
    ) -> Result<Processed, SpoolError> {
        let mut done = Processed::default();
        if !self.folder.is_dir() {
            return Ok(done);
        }
        let _lock = self.try_lock("processing.lock")?;
        let entries = self.list()?;
        // The process that took these in was killed between the word and the deed.
        for entry in entries.iter().filter(|entry| !entry.status.holds_bytes()) {
            self.remove_rows(&entry.id)?;
        }
        let open = entries.into_iter().filter(|entry| matches!(entry.status, Status::Queued | Status::Processing));
        for listed in open.take(limit) {
            let Some(mut entry) = self.begin(&listed.id, clock)? else { continue };
            if entry.status == Status::Failed {
                done.failed.push(entry);
                continue;
            }
            let taken = self.open_rows(&entry).and_then(|rows| take(&entry, rows));
            entry.processed_at = Some(clock().to_rfc3339());
            match taken {
                Ok(taken) => {
                    entry.status = Status::Processed;
                    entry.error = None;
                    entry.ingest_batch_id.clone_from(&taken.batch_id);
                    (entry.ingested_count, entry.failed_count) = (taken.ingested, taken.failed);
                    self.save(&entry)?;
                    self.remove_rows(&entry.id)?;
                    done.taken.push((entry, taken));
                }
                Err(error) => {
                    entry.status = Status::Failed;
                    entry.error = Some(error);
                    self.save(&entry)?;
                    done.failed.push(entry);
                }
            }
        }
        Ok(done)
    }

    /// Marks an entry as being taken in, or as failed where too many died over it. None where it was dropped since
    /// it was listed.
    fn begin(&self, id: &str, clock: &dyn Fn() -> EventTime) -> Result<Option<Entry>, SpoolError> {
        let _lock = self.lock("queue.lock")?;
        let Some(mut entry) = self.read(id)? else { return Ok(None) };
        match entry.status {
            Status::Processing if entry.attempts >= MAX_ABANDONED => {
                entry.status = Status::Failed;
                entry.error = Some(format!("{} processes ended in the middle of it", entry.attempts));
            }
            Status::Queued | Status::Processing => {
                entry.status = Status::Processing;
                entry.attempts = entry.attempts.saturating_add(1);
                entry.processed_at = Some(clock().to_rfc3339());
            }
            Status::Processed | Status::Failed | Status::Dropped => return Ok(None),
        }
        self.save(&entry)?;
        Ok(Some(entry))
    }

    /// Queues a failed entry again, at its old place.
    ///
    /// # Errors
    /// [`SpoolError::NoEntry`], [`SpoolError::NotFailed`], [`SpoolError::Busy`], or what reading and writing says.
    pub fn retry(&self, id: &str) -> Result<Entry, SpoolError> {
        self.change_failed(id, |entry| {
            entry.status = Status::Queued;
            // Its attempts begin anew, else one that was abandoned too often could never be tried again.
            entry.attempts = 0;
        })
    }

    /// Gives a failed entry up and removes its bytes.
    ///
    /// # Errors
    /// As [`Self::retry`].
    pub fn drop_failed(&self, id: &str, reason: &str) -> Result<Entry, SpoolError> {
        let entry = self.change_failed(id, |entry| self.give_up(entry, reason))?;
        self.remove_rows(&entry.id)?;
        Ok(entry)
    }

    fn change_failed(&self, id: &str, change: impl FnOnce(&mut Entry)) -> Result<Entry, SpoolError> {
        // The id becomes a file name: anything but our own form names no entry.
        let known = id.strip_prefix("spool_").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        if !known || !self.folder.is_dir() {
            return Err(SpoolError::NoEntry(id.to_owned()));
        }
        let _lock = self.try_lock("processing.lock")?;
        let mut entry = self.read(id)?.ok_or_else(|| SpoolError::NoEntry(id.to_owned()))?;
        if entry.status != Status::Failed {
            return Err(SpoolError::NotFailed { id: entry.id, status: entry.status });
        }
        change(&mut entry);
        self.save(&entry)?;
        Ok(entry)
    }

    fn copy(&self, input: &mut dyn Read, draft: &Path, name: &str) -> Result<(String, u64), SpoolError> {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(draft).map_err(at(draft))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            let read = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(at(Path::new(name))(error)),
            };
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read]).map_err(at(draft))?;
            size += read as u64;
        }
        file.sync_all().map_err(at(draft))?;
        Ok((data_encoding::HEXLOWER.encode(&hash.finalize()), size))
    }

    /// Removes what killed writers left and forgets the oldest entries that are done with. A loss that no log tells
    /// of is not done with.
    fn tidy(&self, entries: &[Entry]) -> Result<(), SpoolError> {
        let is_done = |entry: &&Entry| !entry.status.holds_bytes() && !entry.is_unsaid_loss();
        let done: Vec<&Entry> = entries.iter().filter(is_done).collect();
        for entry in &done[..done.len().saturating_sub(MAX_REMEMBERED)] {
            remove(&self.state(&entry.id))?;
        }
        for path in self.files()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let abandoned = match name.strip_suffix(".rows") {
                // Asked by name: a listing may miss a file that is replaced meanwhile.
                Some(id) => !self.state(id).exists(),
                None => name.starts_with("draft-") && is_old(&path),
            };
            if abandoned {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// The bytes, if they are still what was queued: facts can't be taken back.
    fn open_rows(&self, entry: &Entry) -> Result<File, String> {
        let path = self.rows(&entry.id);
        let unreadable = |error: io::Error| format!("{}: {error}", path.display());
        let mut file = File::open(&path).map_err(unreadable)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = file.read(&mut buffer).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
        let found = data_encoding::HEXLOWER.encode(&hash.finalize());
        if found != entry.file_sha256 {
            return Err(format!(
                "{}: its bytes have the hash {found}, {} was queued",
                path.display(),
                entry.file_sha256
            ));
        }
        file.rewind().map_err(unreadable)?;
        Ok(file)
    }

    fn read(&self, id: &str) -> Result<Option<Entry>, SpoolError> {
        read_entry(&self.state(id))
    }

    fn state(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn rows(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.rows"))
    }

    fn remove_rows(&self, id: &str) -> Result<(), SpoolError> {
        remove(&self.rows(id))
    }

    fn save(&self, entry: &Entry) -> Result<(), SpoolError> {
        let path = self.state(&entry.id);
        let draft = self.folder.join(format!("draft-{}-{}.state", std::process::id(), entry.id));
        let bytes = serde_json::to_vec(entry).map_err(|source| SpoolError::Damaged { path: path.clone(), source })?;
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(at(&draft))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(at(&draft))?;
        std::fs::rename(&draft, &path).map_err(at(&path))?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<(), SpoolError> {
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(at(&self.folder))
    }

    fn files(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at(&self.folder)(error)),
        };
        entries.map(|entry| Ok(entry.map_err(at(&self.folder))?.path())).collect()
    }

    fn lock_file(&self, name: &str) -> Result<File, SpoolError> {
        let path = self.folder.join(name);
        File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))
    }

    fn lock(&self, name: &str) -> Result<File, SpoolError> {
        let file = self.lock_file(name)?;
        file.lock().map_err(at(&self.folder.join(name)))?;
        Ok(file)
    }

    fn try_lock(&self, name: &str) -> Result<File, SpoolError> {
        let file = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(SpoolError::Busy),
            Err(TryLockError::Error(error)) => Err(at(&self.folder.join(name))(error)),
        }
    }
}

fn new_entry(entries: &[Entry], order: Order, (sha256, size): (String, u64), now: EventTime) -> Entry {
    // Ids sort by age even where the clock was put back.
    let newest = entries.last().and_then(|entry| entry.id.strip_prefix("spool_")?.parse::<i64>().ok());
    let number = now.as_nanos().max(newest.map_or(0, |newest| newest.saturating_add(1)));
    Entry {
        id: format!("spool_{number:019}"),
        order,
        file_sha256: sha256,
        size_bytes: size,
        status: Status::Queued,
        attempts: 0,
        ingest_batch_id: None,
        ingested_count: 0,
        failed_count: 0,
        error: None,
        drop_reason: None,
        lost: None,
        created_at: now.to_rfc3339(),
        processed_at: None,
    }
}

/// None where the entry was forgotten meanwhile.
fn read_entry(path: &Path) -> Result<Option<Entry>, SpoolError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|source| SpoolError::Damaged { path: path.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), SpoolError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn is_old(path: &Path) -> bool {
    let age = std::fs::metadata(path).and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
    matches!(age, Ok(Ok(age)) if age > DRAFT_GRACE)
}
