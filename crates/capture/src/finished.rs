//! What comes back from a recording: its end, notices on the way, errors before the start.

use crate::observation::RecorderFault;
use agentprov_model::{CoverageReport, Mechanism, Outcome, ProcessId, ProcessKey};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// The attempt is over and sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finished {
    /// How the root ended.
    pub outcome: Outcome,
    /// Wall time of the root, in nanoseconds; the grace time does not count.
    pub wall_ns: u64,
    /// Processes seen, the root included.
    pub processes: u64,
    /// Processes that were alive when the recording ended.
    pub outlived: Vec<ProcessId>,
    /// What was seen and what not.
    pub coverage: CoverageReport,
    /// The back-end that observed.
    pub mechanism: Mechanism,
    /// Why that one.
    pub mechanism_reason: String,
    /// The root process, where it could be made.
    pub root: Option<ProcessKey>,
    /// What the recorder could not write; the recording is then incomplete.
    pub fault: Option<RecorderFault>,
    /// Observations handed to the recorder.
    pub observations: u64,
    /// Stops of tracees that were served while recording: what the recording cost.
    pub stops: u64,
}

/// Why nothing was recorded. The command has not run, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// This platform has no back-end.
    #[error("recording a command needs Linux")]
    NeedsLinux,
    /// The command has no program.
    #[error("there is no command to run")]
    EmptyCommand,
    /// A NUL byte in an argument, a variable or the directory.
    #[error("{0} holds a NUL byte, which no program can be given")]
    NulByte(&'static str),
    /// The working directory can't be entered.
    #[error("can't enter the working directory {path}: {source}", path = path.display())]
    Workdir {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The back-end that was asked for does not work here.
    #[error("the back-end {backend} does not work here: {reason}")]
    Backend {
        /// Name of the back-end.
        backend: &'static str,
        /// Why not.
        reason: String,
    },
    /// The recorder could not be made, or could not open the attempt.
    #[error(transparent)]
    Recorder(#[from] RecorderFault),
    /// The tracer ended without a word. The command may have run; the tree was ended with the tracer.
    #[error("the tracer process ended without sealing the recording ({0})")]
    TracerLost(String),
    /// A system call failed that nothing works without.
    #[error("{what}: {source}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl CaptureError {
    pub(crate) fn os(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Os { what, source }
    }
}
