//! The one place where errors become text and exit codes.
//!
//! Exit codes: 0 done, 1 failed (or the evidence does not verify), 2 wrong usage, 3 could not decide.
//! `record` passes the child's own status through instead.

use agentprov_capture::CaptureError;
use agentprov_graph::GraphError;
use agentprov_ingest::RecordError;
use agentprov_server::ServerError;
use agentprov_store::StoreError;
use std::io;
use std::process::ExitCode;

/// Exit code for wrong usage.
pub(crate) const USAGE: u8 = 2;
/// Exit code of `record` when the command was not started.
pub(crate) const NOT_STARTED: u8 = 125;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
    /// The reader of our output went away: nothing to report.
    closed_pipe: bool,
}

/// Result of a command.
pub(crate) type CommandResult = Result<ExitCode, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1, closed_pipe: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(message) }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Prints `fatal: ...` and the hint, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if self.closed_pipe {
            return ExitCode::SUCCESS;
        }
        let stderr = &mut anstream::stderr().lock();
        let red = anstyle::AnsiColor::Red.on_default().bold();
        // Nobody is left to tell when stderr is closed too.
        let _ = io::Write::write_fmt(stderr, format_args!("{red}fatal:{red:#} {}\n", self.message));
        if let Some(hint) = self.hint {
            let cyan = anstyle::AnsiColor::Cyan.on_default().bold();
            let _ = io::Write::write_fmt(stderr, format_args!("{cyan}hint:{cyan:#} {hint}\n"));
        }
        ExitCode::from(self.code)
    }
}

/// Prints clap's text: help and version are no failures.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        Self { hint, ..Self::new(error.to_string()) }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        let hint = error.hint();
        let code = match error {
            ServerError::OpenToAll(_) | ServerError::Setting { .. } => USAGE,
            _ => 1,
        };
        Self { hint, code, ..Self::new(error.to_string()) }
    }
}

impl From<GraphError> for Failure {
    fn from(error: GraphError) -> Self {
        let hint = error.hint();
        let code = if matches!(error, GraphError::Argument(_)) { USAGE } else { 1 };
        Self { hint, code, ..Self::new(error.to_string()) }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let hint = match &error {
            RecordError::Capture(CaptureError::Recorder(fault)) => fault.hint.clone(),
            RecordError::Capture(CaptureError::Backend { .. } | CaptureError::TracerLost(_)) => {
                Some("see what this host allows with: agentprov doctor".to_owned())
            }
            RecordError::Capture(_) | RecordError::Name(_) | RecordError::Random(_) => None,
        };
        Self { hint, code: NOT_STARTED, ..Self::new(error.to_string()) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Self { closed_pipe, ..Self::new(format!("output: {error}")) }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { io::Error::from(error).into() } else { Self::new(format!("output: {error}")) }
    }
}
