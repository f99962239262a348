//! What `diff/v1` and `blame/v1` say of an attempt.

use crate::attempts::Attempt;
use crate::scope_context::{Scope, Scopes};
use crate::timeline::command_line;
use agentprov_model::OsBytes;
use agentprov_store::RunRow;
use serde::Serialize;

/// An attempt beside a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AttemptRow {
    /// Attempt.
    pub attempt_id: String,
    /// Group of attempts: ours is the run.
    pub rollout_id: String,
    /// Tool call.
    pub tool_call_id: String,
    /// Evidence that stands for the state at its beginning.
    pub snapshot_id: String,
    /// Absolute path of the workspace.
    pub workspace_path: OsBytes,
    /// How it was made.
    pub strategy: &'static str,
    /// Command as a shell line.
    pub command: String,
    /// Command, argument by argument.
    pub argv: Vec<OsBytes>,
    /// `running`, `passed` or `failed`.
    pub status: &'static str,
    /// The finer state.
    pub state: &'static str,
    /// Nothing here promotes attempts: always false.
    pub is_winner: bool,
    /// The file's end in the attempt differs from its beginning.
    pub changed: bool,
}

impl AttemptRow {
    /// The row of an attempt.
    pub fn new(run: &RunRow, scopes: &Scopes, attempt: &Attempt, changed: bool) -> Self {
        let started = &attempt.started;
        let (status, state) = scopes.of(attempt.no).map_or(("running", "open"), Scope::status);
        Self {
            attempt_id: started.attempt_id.to_string(),
            rollout_id: rollout_id(run),
            tool_call_id: started.tool_call_id.to_string(),
            snapshot_id: snapshot_id(attempt),
            workspace_path: started.workspace.clone(),
            strategy: STRATEGY,
            command: command_line(&started.argv),
            argv: started.argv.clone(),
            status,
            state,
            is_winner: false,
            changed,
        }
    }
}

/// Contract's word for a recording without an SDK.
pub const STRATEGY: &str = "zero-sdk-record";

/// A rollout groups the attempts at one task; our runs do.
pub fn rollout_id(run: &RunRow) -> String {
    run.id.to_string()
}

/// No snapshot of the workspace is taken: pre-images stand in the versions. The name says from where on.
pub fn snapshot_id(attempt: &Attempt) -> String {
    format!("before/{}", attempt.started.attempt_id)
}
