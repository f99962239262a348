//! What a connection says, into the spool.

use super::reader::{Contents, Reader};
use crate::hooks::carry::{Carried, Said};
use crate::hooks::spool::{Spool, SpoolError, count_lost};
use crate::redact::Redactor;
use agentprov_model::declared::ProcessAnchor;
use agentprov_model::mcp::{ConnectionId, McpDeed, McpSaid};
use agentprov_model::{EventTime, OsBytes, SessionId, What};
use agentprov_store::{Location, StoreError, command_key};
use std::io;
use std::path::PathBuf;

/// Where a connection is kept.
pub struct Keeper {
    dir: PathBuf,
    spool: Spool,
    redactor: Redactor,
    connection: ConnectionId,
    server: String,
    anchor: Option<ProcessAnchor>,
}

/// A keeper, and the reader that goes with it.
pub struct Kept {
    /// Writes what was read.
    pub keeper: Keeper,
    /// Reads.
    pub reader: Reader,
}

/// Why a connection can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The data dir can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool can't be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// No random number was to be had.
    #[error("no random number: {0}")]
    Random(#[from] getrandom::Error),
}

impl Keeper {
    /// Begins a connection to a server of this name and command.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn begin(
        location: &Location,
        server: String,
        command: &[OsBytes],
        session: Option<SessionId>,
        contents: Contents,
        at: EventTime,
    ) -> Result<Kept, KeepError> {
        location.check_owner()?;
        if !location.dir.is_dir() {
            location.create()?;
        }
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        let dir = location.dir.clone();
        let reader = Reader::new(command_key(&dir)?, contents, super::Pins::open(&dir, &server, command));
        let spool = Spool::create(&dir)?;
        let connection = ConnectionId::from_bytes(bytes);
        // Where /proc is closed the connection is kept all the same; it then belongs to no recorded process.
        let anchor = crate::hooks::anchor::here().ok();
        let keeper = Self { dir, spool, redactor: Redactor::new(), connection, server, anchor };
        keeper.keep(McpDeed::Started { command: command.to_vec(), session }, at);
        Ok(Kept { keeper, reader })
    }

    /// Keeps one thing that passed; what does not fit is counted as lost.
    pub fn keep(&self, deed: McpDeed, at: EventTime) {
        let said = McpSaid {
            connection: self.connection.clone(),
            server: self.server.clone(),
            deed,
            anchor: self.anchor.clone(),
        };
        if self.push(said, at).is_err() {
            // Nobody is left to tell where not even that can be written.
            let _ = count_lost(&self.dir);
        }
    }

    fn push(&self, said: McpSaid, at: EventTime) -> Result<(), SpoolError> {
        let mut what = What::Mcp(Box::new(said));
        let redacted = self.redactor.redact(&mut what);
        let Some(said) = Said::of(what) else { return Ok(()) };
        let bytes = serde_json::to_vec(&Carried { at, redacted, said }).map_err(io::Error::from);
        let bytes = bytes.map_err(|source| SpoolError::Io { action: "write", path: self.dir.clone(), source })?;
        self.spool.push(&bytes)
    }
}
