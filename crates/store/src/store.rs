//! Opening a store.

use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::location::Location;
use crate::moments::Moments;
use crate::queue::Queue;
use crate::reader::Reader;
use crate::writer::Writer;
use crate::{key, migrations};
use agentprov_log::{SignerKey, VerifierKey};
use agentprov_model::{EventTime, RunId, StoreId};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a writer waits for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Size of the pages of a new database. What is appended comes in bulk: twice the page of SQLite's takes half as
/// many writes. Larger ones gained nothing more.
const PAGE_BYTES: i64 = 8192;
/// Bytes of the database that readers map instead of copying.
const MAPPED_BYTES: i64 = 1 << 32;

/// A store that exists. Cheap to clone: each reader and writer opens a connection of its own.
#[derive(Clone, Debug)]
pub struct Store {
    location: Location,
    id: StoreId,
    key_file: Option<PathBuf>,
}

impl Store {
    /// Opens a store for reading and writing. Nothing is created.
    ///
    /// # Errors
    /// [`StoreError::Absent`], [`StoreError::ForeignOwner`], [`StoreError::Newer`], or what SQLite says.
    pub fn open(location: Location) -> Result<Self, StoreError> {
        // Before the look inside, which another user's folder refuses.
        location.check_owner()?;
        location.check_presence()?;
        let connection = connect(&location.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let found = migrations::guard(&connection, &location.database())?;
        let id = match found {
            migrations::KNOWN => read_id(&connection)?,
            _ => None,
        };
        match id {
            Some(id) => Ok(Self { location, id, key_file: None }),
            None => Self::create(location),
        }
    }

    /// Opens a store, making it where there is none, and bringing it to the newest schema.
    ///
    /// # Errors
    /// As [`Store::open`], or when the data dir can't be made.
    pub fn create(location: Location) -> Result<Self, StoreError> {
        location.check_owner()?;
        location.create()?;
        let path = location.database();
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        migrations::guard(&connection, &path)?;
        // Says something to a database that is still empty only; an older one keeps its pages.
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        migrations::migrate(&mut connection, &path)?;
        let id = ensure_id(&mut connection)?;
        Ok(Self { location, id, key_file: None })
    }

    /// Signs with the key in this file instead of the store's own.
    #[must_use]
    pub fn with_key_file(mut self, path: Option<PathBuf>) -> Self {
        self.key_file = path;
        self
    }

    /// Drawn once, when the store was made.
    pub fn id(&self) -> &StoreId {
        &self.id
    }

    /// The data dir.
    pub fn dir(&self) -> &Path {
        &self.location.dir
    }

    /// How the data dir was found.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Origin line of a run's checkpoints.
    pub fn run_origin(&self, run: &RunId) -> String {
        format!("agentprov/{}/run/{run}", self.id)
    }

    /// Origin line of the ledger's checkpoints.
    pub fn ledger_origin(&self) -> String {
        format!("agentprov/{}/ledger", self.id)
    }

    /// Name under which the store's key signs.
    pub fn key_name(&self) -> String {
        format!("agentprov/{}", self.id)
    }

    /// File of the signing key.
    pub fn key_path(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.location.dir.join(key::KEY_FILE))
    }

    /// The signing key, made at first use.
    ///
    /// # Errors
    /// [`StoreError::Key`] when it can't be used.
    pub fn signer(&self) -> Result<SignerKey, StoreError> {
        match &self.key_file {
            Some(path) => key::read(path, &self.key_name()),
            None => key::read_or_make(&self.key_path(), &self.key_name()),
        }
    }

    /// The public keys that this store's checkpoints may be signed with.
    ///
    /// # Errors
    /// When the database can't be read or holds no such list.
    pub fn verifier_keys(&self) -> Result<Vec<VerifierKey>, StoreError> {
        let connection = connect(&self.location.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = connection.prepare("SELECT value FROM meta WHERE name LIKE 'vkey:%' ORDER BY name")?;
        let texts = statement.query_map([], |row| row.get::<_, String>(0))?;
        texts
            .map(|text| {
                VerifierKey::parse(&text?).map_err(|error| StoreError::Damaged(format!("a public key: {error}")))
            })
            .collect()
    }

    /// The blob folder.
    pub fn blobs(&self) -> Blobs {
        Blobs::new(&self.location.dir)
    }

    /// A reader that sees one state of the store for as long as it lives.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        let connection = connect(&self.location.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Reader::new(self.clone(), connection)
    }

    /// Questions that are each asked of the newest state, and hold none between them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn moments(&self) -> Result<Moments, StoreError> {
        Moments::new(self.reader()?)
    }

    /// The jobs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn queue(&self) -> Result<Queue, StoreError> {
        Queue::new(connect(&self.location.database(), OpenFlags::SQLITE_OPEN_READ_WRITE)?)
    }

    /// The writer.
    ///
    /// # Errors
    /// When the key can't be used, or what SQLite says.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        let connection = connect(&self.location.database(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Writer::new(self.clone(), connection)
    }

    /// A writer that gives up when another one's transaction takes longer than this.
    ///
    /// # Errors
    /// When the key can't be used, or what SQLite says.
    pub fn patient_writer(&self, patience: Duration) -> Result<Writer, StoreError> {
        let connection = connect(&self.location.database(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(patience)?;
        Writer::new(self.clone(), connection)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Without it a cached statement is planned anew whenever a value of it changes that the plan had looked at.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "mmap_size", MAPPED_BYTES)?;
    Ok(connection)
}

fn read_id(connection: &Connection) -> Result<Option<StoreId>, StoreError> {
    let text: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE name = 'store_id'", [], |row| row.get(0)).optional()?;
    text.map(|text| StoreId::new(text).map_err(|error| StoreError::Damaged(error.to_string()))).transpose()
}

fn ensure_id(connection: &mut Connection) -> Result<StoreId, StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let id = match read_id(&transaction)? {
        Some(id) => id,
        None => {
            let mut random = [0u8; 8];
            getrandom::fill(&mut random).map_err(|error| StoreError::Damaged(format!("no random bytes: {error}")))?;
            let text = data_encoding::HEXLOWER.encode(&random);
            let insert = "INSERT INTO meta (name, value) VALUES ('store_id', ?1), ('generation', '0'), ('created', ?2)";
            transaction.execute(insert, (&text, now().as_nanos().to_string()))?;
            StoreId::new(text).map_err(|error| StoreError::Damaged(error.to_string()))?
        }
    };
    transaction.commit()?;
    Ok(id)
}

/// The wall clock. The store stamps when it wrote; what happened has times of its own.
pub(crate) fn now() -> EventTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    EventTime::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
