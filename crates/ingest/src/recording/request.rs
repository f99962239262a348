//! What a caller asks for, and what it gets.

use crate::contents::Budgets;
use agentprov_capture::{CaptureError, Command, Finished, Options};
use agentprov_model::{AttemptId, IdError, RunId, SessionId, ToolCallId};

/// A command to record, with the names under which it is recorded.
#[derive(Clone, Debug)]
pub struct RecordRequest {
    /// The run; an existing one gets a further attempt.
    pub run: RunId,
    /// Id of the attempt.
    pub attempt_id: AttemptId,
    /// Session made for it.
    pub session_id: SessionId,
    /// Tool call made for it.
    pub tool_call_id: ToolCallId,
    /// Name that the caller gave.
    pub name: String,
    /// The command.
    pub command: Command,
    /// How to observe.
    pub options: Options,
    /// Byte budgets for contents.
    pub budgets: Budgets,
}

impl RecordRequest {
    /// A request with ids drawn where the caller gave none.
    ///
    /// # Errors
    /// [`RecordError::Random`] when the system gives no random bytes.
    pub fn new(run: Option<RunId>, command: Command, options: Options) -> Result<Self, RecordError> {
        let mut random = [0u8; 18];
        getrandom::fill(&mut random).map_err(|error| RecordError::Random(error.to_string()))?;
        let hex = |range: std::ops::Range<usize>| data_encoding::HEXLOWER.encode(&random[range]);
        let attempt = format!("attempt-{}", hex(0..6));
        Ok(Self {
            run: run.map_or_else(|| RunId::new(format!("run-{}", hex(6..12))), Ok)?,
            session_id: SessionId::new(format!("record-{attempt}"))?,
            attempt_id: AttemptId::new(attempt)?,
            tool_call_id: ToolCallId::new(format!("tool-{}", hex(12..18)))?,
            name: "record".to_owned(),
            command,
            options,
            budgets: Budgets::default(),
        })
    }
}

/// A recording that was made.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// How the command ended.
    pub finished: Finished,
}

/// Why a recording was not made.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Capture failed.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A name can't be used.
    #[error("{0}")]
    Name(#[from] IdError),
    /// The system gives no random bytes.
    #[error("no random bytes for ids: {0}")]
    Random(String),
}
