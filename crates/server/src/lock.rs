//! One service a store: only then is what is marked as running known to be nobody's work any more.

use crate::error::ServerError;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

/// Name of the lock file in the data dir.
pub const LOCK_FILE: &str = "daemon.lock";

/// Held as long as the service runs; the system lets it go when the process ends, however that happens.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a data dir.
    ///
    /// # Errors
    /// [`ServerError::Busy`] when another process has it.
    pub fn take(dir: &Path) -> Result<Self, ServerError> {
        let path = dir.join(LOCK_FILE);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| ServerError::File { path: path.clone(), why: error.to_string() })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(ServerError::Busy(dir.to_owned())),
            Err(error) => Err(ServerError::File { path, why: error.to_string() }),
        }
    }
}
