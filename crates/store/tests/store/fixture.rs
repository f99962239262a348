//! A store in a folder of its own, and facts to put into it.

use agentprov_model::*;
use agentprov_store::{Appended, Durability, Location, Prepared, Store, StoreError};
use std::path::PathBuf;

pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn location(&self) -> Location {
        Location::chosen(self.dir.path().join("store"))
    }

    pub(crate) fn store(&self) -> Store {
        Store::create(self.location()).expect("a store")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.location().database()
    }

    /// Opened beside the store, as somebody with an editor would.
    pub(crate) fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).expect("the database")
    }
}

pub(crate) fn run(name: &str) -> RunId {
    RunId::new(name).expect("a run id")
}

/// The fact of this number in a stream: every seventh by another process, over ten paths.
pub(crate) fn fact(stream: &str, number: u64) -> Fact {
    let key = ProcessKey { boot: BootId("b".into()), pid: (number % 7) as u32 + 1, start_ticks: 7 };
    let at = EventTime::from_nanos(1_700_000_000_000_000_000 + number as i64 * 40_000);
    Fact {
        id: EventId::derive(at, &[stream.as_bytes(), &number.to_be_bytes()]),
        at,
        recorded: at,
        attempt: AttemptNo(1),
        vantage: Vantage::Ptrace,
        basis: Basis::Observed,
        process: Some(key.id()),
        tid: None,
        redacted: Vec::new(),
        what: What::FileOpened(FileOpened {
            path: OsBytes::from(format!("/w/{stream}/{}", number % 10)),
            given: None,
            access: Access::Read,
            create: false,
            truncate: false,
            result: CallResult::Ok(3),
        }),
    }
}

/// Appends facts of a stream to a run, in one transaction.
pub(crate) fn append(
    store: &Store,
    name: &str,
    stream: &str,
    numbers: std::ops::Range<u64>,
) -> Result<Vec<Appended>, StoreError> {
    store.writer()?.transaction(Durability::Process, |batch| {
        let no = batch.open_run(&run(name))?;
        numbers.map(|number| batch.append(no, &Prepared::new(&fact(stream, number)))).collect()
    })
}
