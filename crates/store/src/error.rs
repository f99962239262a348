//! What can go wrong with a store.

use std::path::PathBuf;

/// Failure of a store operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No store was found.
    #[error("no agentprov store at {0}")]
    Absent(PathBuf),
    /// The data dir's name is taken by something else.
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    /// The database was written by a later version.
    #[error("the store at {path} has schema {found}, this version knows schemas up to {known}")]
    Newer {
        /// Database file.
        path: PathBuf,
        /// Its schema number.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The data dir belongs to somebody else.
    #[error("the store at {path} belongs to user id {owner}, you are {user}")]
    ForeignOwner {
        /// Data dir.
        path: PathBuf,
        /// Owner's user id.
        owner: u32,
        /// Our user id.
        user: u32,
    },
    /// A run that does not exist.
    #[error("no run '{0}'")]
    NoRun(String),
    /// The run's bodies were removed.
    #[error("run '{0}' was removed")]
    Removed(String),
    /// A key file that can't be used.
    #[error("the signing key {path} can't be used: {why}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Rows that contradict each other.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Facts could not be packed, for want of memory.
    #[error("pack facts: {0}")]
    Pack(#[source] std::io::Error),
    /// SQLite failed.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// A file operation failed.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// The next step for the user, where one is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent(_) => {
                "record something first: agentprov record -- CMD; or name a store with --data-dir".into()
            }
            Self::NotAFolder(_) => "name a folder, or one to be made, with --data-dir".into(),
            Self::Newer { .. } => "use the agentprov version that wrote it, or a newer one".into(),
            Self::ForeignOwner { path, .. } => format!("to use it all the same: --data-dir {}", path.display()),
            Self::NoRun(_) => "list them with: agentprov runs".into(),
            Self::Removed(_) => "its name stays taken by its tombstone; choose another name for a new recording".into(),
            Self::Damaged(_) => "look closer with: agentprov fsck".into(),
            Self::Sqlite(error) if is_full(error) => {
                "free some disk space; see what the store holds with: agentprov du".into()
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "free some disk space; see what the store holds with: agentprov du".into()
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                "check who owns the folder, or choose another with --data-dir".into()
            }
            Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) => {
                "check who may read and write the file, or choose another store with --data-dir".into()
            }
            Self::Key { .. } | Self::Pack(_) | Self::Sqlite(_) | Self::Io { .. } => return None,
        })
    }

    /// True where a disk or quota is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_full(error),
            Self::Io { source, .. } => {
                matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}

/// A value of another type than the schema has was not written by this program.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sqlite;
        match error {
            Sqlite::InvalidColumnType(..)
            | Sqlite::FromSqlConversionFailure(..)
            | Sqlite::IntegralValueOutOfRange(..)
            | Sqlite::Utf8Error(..) => Self::Damaged(format!("a value is not what the schema says: {error}")),
            other => Self::Sqlite(other),
        }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}
