//! Who runs in a row, and what a run leaves behind.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// What a run is known to have done, from its traces and not from its word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// In words, for the report.
    pub(crate) done: String,
    pub(crate) stored_bytes: Option<u64>,
}

pub(crate) trait Contestant {
    fn name(&self) -> String;

    /// Brings everything back to where a run starts. Not timed.
    fn reset(&mut self) -> Result<()>;

    /// Does the work once and says how long it took.
    fn run(&mut self) -> Result<Duration>;

    /// Fails unless the run just done did all of its work. Not timed.
    fn assert_captured(&mut self) -> Result<Evidence>;
}

/// Wall-clock time from start to end of a command that must succeed.
pub(crate) fn time(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    let output = command.output().map_err(|error| format!("cannot start {program}: {error}"))?;
    let took = start.elapsed();
    if output.status.success() {
        Ok(took)
    } else {
        let reason = String::from_utf8_lossy(&output.stderr);
        let last_lines: Vec<&str> = reason.trim().lines().rev().take(5).collect();
        let reason = last_lines.into_iter().rev().collect::<Vec<_>>().join("\n    ");
        Err(format!("{program}: {}: {reason}", output.status))
    }
}
