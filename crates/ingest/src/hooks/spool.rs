//! The spool: a bounded ring in one preallocated file, where hooks leave what they were told.
//!
//! A hook takes the file's lock for the time of two writes. The end of the ring moves last, so a hook that is killed
//! leaves nothing half said. Disk space is taken when the file is made: a full disk does not stop a hook. What does not
//! fit is counted by one byte at the end of a file of its own, which needs no lock.

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The ring, in the data dir.
pub const SPOOL_FILE: &str = "hooks.spool";
/// One byte for each message that was lost.
pub const LOST_FILE: &str = "hooks.lost";
/// Held by whoever drains.
const DRAIN_LOCK: &str = "hooks.drain";

/// Every file of the spool.
pub const FILES: [&str; 3] = [SPOOL_FILE, LOST_FILE, DRAIN_LOCK];

const MAGIC: &[u8; 8] = b"APSPOOL1";
const HEADER: u64 = 4_096;
/// Bytes of messages that may wait.
const CAPACITY: u64 = 8 << 20;
/// Longest record.
pub const MAX_RECORD: usize = 256 << 10;
/// Lost messages whose count is safe on a full disk.
const LOST_RESERVE: u64 = 64 << 10;
/// How long a hook waits for others that are writing.
const MAX_WAIT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_micros(200);
/// Bytes before each record: its length.
const PREFIX: u64 = 4;

/// Why a record was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file can't be used.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is no spool.
    #[error("{0} is no hook spool; remove it and it is made anew")]
    Foreign(PathBuf),
    /// No room, or a record too long.
    #[error("the hook spool is full; any agentprov command that reads the store empties it")]
    Full,
    /// Others held the lock for too long.
    #[error("the hook spool is held by another process")]
    Busy,
}

/// An open spool.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    path: PathBuf,
    file: File,
}

/// The fields of the header that change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ends {
    id: [u8; 16],
    capacity: u64,
    /// Offset of the oldest record, counted from the first byte ever written.
    head: u64,
    /// Offset behind the newest record.
    tail: u64,
    /// Lost messages that facts tell of already.
    told_lost: u64,
}

/// A record that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Names the record for ever: offset in its spool.
    pub offset: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Offset of the next one.
    pub next: u64,
}

/// What waits in a spool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// Drawn when the spool was made.
    pub spool_id: [u8; 16],
    /// The records, oldest first.
    pub records: Vec<Waiting>,
    /// More wait behind them.
    pub more: bool,
    /// Messages that were lost and that no fact tells of.
    pub lost: u64,
    lost_in_all: u64,
}

impl Spool {
    /// Opens the spool of a data dir; None where there is none.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open(dir: &Path) -> Result<Option<Self>, SpoolError> {
        let path = dir.join(SPOOL_FILE);
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => Ok(Some(Self { dir: dir.to_owned(), path, file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SpoolError::Io { action: "open", path, source }),
        }
    }

    /// Opens the spool, making it where there is none. The folder must be there.
    ///
    /// # Errors
    /// [`SpoolError::Io`] when it can't be made, for example on a full disk.
    pub fn create(dir: &Path) -> Result<Self, SpoolError> {
        if let Some(spool) = Self::open(dir)? {
            return Ok(spool);
        }
        let path = dir.join(SPOOL_FILE);
        // Made aside and linked, so that nobody sees it half made and two first users agree on one.
        let draft = dir.join(format!("{SPOOL_FILE}.{}", std::process::id()));
        let made = make(&draft).and_then(|()| std::fs::hard_link(&draft, &path));
        let _ = std::fs::remove_file(&draft);
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(SpoolError::Io { action: "make", path, source: error })
            }
            _ => {
                reserve_lost(&dir.join(LOST_FILE));
                Self::open(dir)?.ok_or(SpoolError::Foreign(path))
            }
        }
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> SpoolError + '_ {
        move |source| SpoolError::Io { action, path: self.path.clone(), source }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`SpoolError::Full`] or [`SpoolError::Busy`]: then call [`count_lost`].
    pub fn push(&self, record: &[u8]) -> Result<(), SpoolError> {
        if record.len() > MAX_RECORD {
            return Err(SpoolError::Full);
        }
        self.locked(|ends| {
            let length = PREFIX + record.len() as u64;
            if ends.tail - ends.head + length > ends.capacity {
                return Err(SpoolError::Full);
            }
            let mut bytes = Vec::with_capacity(record.len() + 4);
            bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
            bytes.extend_from_slice(record);
            self.write_ring(ends, ends.tail, &bytes)?;
            self.set(TAIL, ends.tail + length)
        })
    }

    /// True where nothing waits and nothing was lost. Takes no lock.
    ///
    /// # Errors
    /// What the file system says.
    pub fn is_empty(&self) -> Result<bool, SpoolError> {
        let ends = self.ends()?;
        Ok(ends.head == ends.tail && lost_in_all(&self.dir) <= ends.told_lost)
    }

    /// What waits, oldest first, up to so many records.
    ///
    /// # Errors
    /// What the file system says, or [`SpoolError::Foreign`] where the ring does not hold together.
    pub fn backlog(&self, most: usize) -> Result<Backlog, SpoolError> {
        let ends = self.locked(Ok)?;
        let mut records = Vec::new();
        let mut at = ends.head;
        while at < ends.tail && records.len() < most {
            let mut prefix = [0; 4];
            self.read_ring(&ends, at, &mut prefix)?;
            let length = u32::from_le_bytes(prefix) as u64;
            let next = at + PREFIX + length;
            if length > MAX_RECORD as u64 || next > ends.tail {
                return Err(SpoolError::Foreign(self.path.clone()));
            }
            let mut bytes = vec![0; length as usize];
            self.read_ring(&ends, at + PREFIX, &mut bytes)?;
            records.push(Waiting { offset: at, bytes, next });
            at = next;
        }
        let lost_in_all = lost_in_all(&self.dir);
        let lost = lost_in_all.saturating_sub(ends.told_lost);
        Ok(Backlog { spool_id: ends.id, records, more: at < ends.tail, lost, lost_in_all })
    }

    /// Gives the room of drained records free. What another one gave free already stays so.
    ///
    /// # Errors
    /// What the file system says.
    pub fn release(&self, backlog: &Backlog, up_to: u64) -> Result<(), SpoolError> {
        self.locked(|ends| {
            if ends.id != backlog.spool_id {
                return Ok(());
            }
            if up_to > ends.head && up_to <= ends.tail {
                self.set(HEAD, up_to)?;
            }
            if backlog.lost_in_all > ends.told_lost {
                self.set(TOLD_LOST, backlog.lost_in_all)?;
            }
            Ok(())
        })
    }

    /// The right to drain, held until it is dropped; None where another process has it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn drain_lock(&self) -> Result<Option<File>, SpoolError> {
        let path = self.dir.join(DRAIN_LOCK);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| SpoolError::Io { action: "open", path, source })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.failed("lock")(error.into())),
        }
    }

    fn locked<T>(&self, act: impl FnOnce(Ends) -> Result<T, SpoolError>) -> Result<T, SpoolError> {
        let begun = Instant::now();
        loop {
            match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                    if begun.elapsed() > MAX_WAIT {
                        return Err(SpoolError::Busy);
                    }
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(self.failed("lock")(error.into())),
            }
        }
        let done = self.ends().and_then(act);
        // Closing the file would give the lock back too.
        let _ = flock(&self.file, FlockOperation::Unlock);
        done
    }

    fn ends(&self) -> Result<Ends, SpoolError> {
        let mut header = [0u8; 64];
        self.file.read_exact_at(&mut header, 0).map_err(|_| SpoolError::Foreign(self.path.clone()))?;
        Ends::parse(&header).ok_or_else(|| SpoolError::Foreign(self.path.clone()))
    }

    fn set(&self, field: u64, value: u64) -> Result<(), SpoolError> {
        self.file.write_all_at(&value.to_le_bytes(), field).map_err(self.failed("write"))
    }

    fn write_ring(&self, ends: Ends, at: u64, bytes: &[u8]) -> Result<(), SpoolError> {
        let (first, rest) = bytes.split_at(split_of(&ends, at, bytes.len()));
        self.file.write_all_at(first, HEADER + at % ends.capacity).map_err(self.failed("write"))?;
        self.file.write_all_at(rest, HEADER).map_err(self.failed("write"))
    }

    fn read_ring(&self, ends: &Ends, at: u64, bytes: &mut [u8]) -> Result<(), SpoolError> {
        let split = split_of(ends, at, bytes.len());
        let (first, rest) = bytes.split_at_mut(split);
        self.file.read_exact_at(first, HEADER + at % ends.capacity).map_err(self.failed("read"))?;
        self.file.read_exact_at(rest, HEADER).map_err(self.failed("read"))
    }
}

/// Bytes up to the end of the ring.
fn split_of(ends: &Ends, at: u64, length: usize) -> usize {
    usize::try_from(ends.capacity - at % ends.capacity).unwrap_or(usize::MAX).min(length)
}

const HEAD: u64 = 32;
const TAIL: u64 = 40;
const TOLD_LOST: u64 = 48;

impl Ends {
    fn parse(header: &[u8; 64]) -> Option<Self> {
        let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap_or_default());
        let ends = Self {
            id: header[8..24].try_into().ok()?,
            capacity: number(24),
            head: number(HEAD as usize),
            tail: number(TAIL as usize),
            told_lost: number(TOLD_LOST as usize),
        };
        let whole = header.starts_with(MAGIC) && ends.capacity == CAPACITY && ends.head <= ends.tail;
        (whole && ends.tail - ends.head <= ends.capacity).then_some(ends)
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    reserve(&file, HEADER + CAPACITY)?;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let mut header = Vec::with_capacity(64);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&id);
    header.extend_from_slice(&CAPACITY.to_le_bytes());
    header.resize(64, 0);
    file.write_all(&header)
}

/// Takes the disk space now. File systems that can't are written to.
fn reserve(file: &File, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let zeros = vec![0u8; 1 << 20];
            let mut at = 0;
            while at < length {
                let count = (length - at).min(zeros.len() as u64);
                file.write_all_at(&zeros[..count as usize], at)?;
                at += count;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Room for counts behind the end of the file. Where none can be had the counts go without.
fn reserve_lost(path: &Path) {
    if let Ok(file) = OpenOptions::new().create(true).append(true).mode(0o600).open(path) {
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, LOST_RESERVE);
    }
}

/// Counts a message that was not kept.
///
/// # Errors
/// What the file system says.
pub fn count_lost(dir: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(dir.join(LOST_FILE))?;
    file.write_all(b"x")
}

fn lost_in_all(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(LOST_FILE)).map_or(0, |found| found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain_all(spool: &Spool) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for _ in 0..1_000 {
            let backlog = spool.backlog(7).expect("it reads");
            let Some(last) = backlog.records.last() else { break };
            let next = last.next;
            spool.release(&backlog, next).expect("it is given free");
            found.extend(backlog.records.into_iter().map(|record| record.bytes));
        }
        found
    }

    #[test]
    fn records_come_out_once_in_order_around_the_ring() {
        let dir = tempfile::tempdir().expect("a folder");
        let spool = Spool::create(dir.path()).expect("a spool");
        let mut pushed = Vec::new();
        let mut drained = Vec::new();
        for round in 0..12u8 {
            for number in 0..9u8 {
                let record = vec![round ^ number; 100_000 + usize::from(number)];
                spool.push(&record).expect("there is room");
                pushed.push(record);
            }
            drained.extend(drain_all(&spool));
        }
        assert!(pushed == drained, "{} of {} came out", drained.len(), pushed.len());
        assert!(spool.is_empty().expect("it answers"));
    }

    #[test]
    fn a_full_spool_refuses_and_counts_and_keeps_what_it_has() {
        let dir = tempfile::tempdir().expect("a folder");
        let spool = Spool::create(dir.path()).expect("a spool");
        let record = vec![7; MAX_RECORD];
        let mut kept = 0;
        while spool.push(&record).is_ok() {
            kept += 1;
        }
        assert!(matches!(spool.push(&record), Err(SpoolError::Full)));
        count_lost(dir.path()).expect("it is counted");
        count_lost(dir.path()).expect("it is counted");
        let backlog = spool.backlog(usize::MAX).expect("it reads");
        assert_eq!((backlog.records.len(), backlog.lost), (kept, 2));
        spool.release(&backlog, backlog.records.last().expect("a record").next).expect("it is given free");
        assert!(spool.is_empty().expect("it answers"), "the loss is told");
        spool.push(&record).expect("there is room again");
    }

    #[test]
    fn what_is_no_spool_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(SPOOL_FILE), b"something else").expect("a file");
        let spool = Spool::open(dir.path()).expect("it opens").expect("it is there");
        assert!(matches!(spool.push(b"x"), Err(SpoolError::Foreign(_))));
    }

    #[test]
    fn only_one_drains() {
        let dir = tempfile::tempdir().expect("a folder");
        let spool = Spool::create(dir.path()).expect("a spool");
        let held = spool.drain_lock().expect("it answers");
        assert!(held.is_some() && spool.drain_lock().expect("it answers").is_none());
        drop(held);
        assert!(spool.drain_lock().expect("it answers").is_some());
    }
}
