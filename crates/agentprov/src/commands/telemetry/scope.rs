//! Application context by flags.

use crate::failure::Failure;
use agentprov_ingest::correlate::Provided;
use agentprov_ingest::receivers::instant::parse_text;
use agentprov_model::EventTime;
use agentprov_model::{AttemptId, LogicalProcessId, RolloutId, RunId, ScopeIds, SessionId, SnapshotId, ToolCallId};
use clap::Args;

/// Context that holds for every row.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Context")]
pub(super) struct Scope {
    /// The run
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<RunId>,
    /// The rollout
    #[arg(long, value_name = "ID")]
    rollout: Option<RolloutId>,
    /// The attempt
    #[arg(long, value_name = "ID")]
    attempt: Option<AttemptId>,
    /// The session
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// The tool call
    #[arg(long, value_name = "ID")]
    tool_call: Option<ToolCallId>,
    /// The process, by the application's name for it
    #[arg(long, value_name = "ID")]
    process: Option<LogicalProcessId>,
    /// The snapshot
    #[arg(long, value_name = "ID")]
    snapshot: Option<SnapshotId>,
}

impl Scope {
    pub(super) fn provided(&self) -> Provided {
        let scope = ScopeIds {
            rollout: self.rollout.clone(),
            session: self.session.clone(),
            attempt: self.attempt.clone(),
            tool_call: self.tool_call.clone(),
            process: self.process.clone(),
            snapshot: self.snapshot.clone(),
        };
        Provided { run: self.run.clone(), scope, asserted: false }
    }
}

/// A time by flag, in any form that receivers read.
pub(super) fn time(flag: &str, text: &str) -> Result<EventTime, Failure> {
    parse_text(text).ok_or_else(|| {
        Failure::usage(format!("{flag} '{text}' is no time"))
            .hint("write it as 2026-01-02T03:04:05.678Z, with any offset, or as seconds since 1970")
    })
}
