//! What the proxy saw, into the spool.

use crate::hooks::carry::{Carried, Said};
use crate::hooks::spool::{Spool, SpoolError, count_lost};
use crate::redact::Redactor;
use agentprov_model::declared::{ProcessAnchor, RunningText};
use agentprov_model::llm::{LlmDeed, LlmSaid};
use agentprov_model::{CommandKey, EventTime, RunId, What};
use agentprov_store::{Location, StoreError, command_key};
use std::io;
use std::path::PathBuf;

/// Keeps the calls of one recording.
pub struct LlmKeeper {
    dir: PathBuf,
    spool: Spool,
    key: CommandKey,
    redactor: Redactor,
    run: RunId,
}

/// Why calls can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum LlmKeepError {
    /// The data dir can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool can't be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl LlmKeeper {
    /// Opens the spool of the recording's store.
    ///
    /// # Errors
    /// [`LlmKeepError`].
    pub fn open(location: &Location, run: RunId) -> Result<Self, LlmKeepError> {
        location.check_owner()?;
        let dir = location.dir.clone();
        let (key, spool) = (command_key(&dir)?, Spool::create(&dir)?);
        Ok(Self { dir, spool, key, redactor: Redactor::new(), run })
    }

    /// Begins a text that is named by hash and length.
    pub fn text(&self) -> RunningText {
        self.key.running_text()
    }

    /// Keeps one thing; what does not fit is counted as lost.
    pub fn keep(&self, deed: LlmDeed, anchor: Option<ProcessAnchor>, at: EventTime) {
        if self.push(LlmSaid { run: self.run.clone(), deed, anchor }, at).is_err() {
            // Nobody is left to tell where not even that can be written.
            let _ = count_lost(&self.dir);
        }
    }

    fn push(&self, said: LlmSaid, at: EventTime) -> Result<(), SpoolError> {
        let mut what = What::Llm(Box::new(said));
        let redacted = self.redactor.redact(&mut what);
        let Some(said) = Said::of(what) else { return Ok(()) };
        let bytes = serde_json::to_vec(&Carried { at, redacted, said }).map_err(io::Error::from);
        let bytes = bytes.map_err(|source| SpoolError::Io { action: "write", path: self.dir.clone(), source })?;
        self.spool.push(&bytes)
    }
}
