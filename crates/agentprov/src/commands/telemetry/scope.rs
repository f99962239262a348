//! Application context and times, as flags give them.

use crate::failure::Failure;
use agentprov_ingest::correlate::Provided;
use agentprov_ingest::receivers::instant;
use agentprov_model::{
    AttemptId, EventTime, LogicalProcessId, RolloutId, RunId, ScopeIds, SessionId, SnapshotId, ToolCallId,
};
use clap::Args;
use std::time::SystemTime;

/// The context that the caller names for what is taken in.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Context")]
pub(super) struct ScopeFlags {
    /// The run
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// The group of attempts
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

impl ScopeFlags {
    pub(super) fn provided(self) -> Provided {
        let scope = ScopeIds {
            rollout: self.rollout,
            session: self.session,
            attempt: self.attempt,
            tool_call: self.tool_call,
            process: self.process,
            snapshot: self.snapshot,
        };
        Provided { run: self.run, scope, asserted: false }
    }
}

/// A time as the command line takes it.
pub(super) fn parse_time(text: &str) -> Result<EventTime, String> {
    instant::parse_text(text).ok_or_else(|| {
        format!("'{text}' is no time; use RFC 3339, such as 2026-01-02T03:04:05Z, or seconds since 1970")
    })
}

/// Now, by the wall clock.
pub(super) fn now() -> EventTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EventTime::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// This host's name, for rows that do not give theirs.
pub(super) fn host_name() -> Result<String, Failure> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_err(|error| Failure::new(format!("the name of this host can't be read: {error}")))?;
    Ok(name.trim().to_owned())
}
