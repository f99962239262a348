//! What capture hands on, and to whom.

use agentprov_model::{
    Basis, ContentId, CoverageReport, EventTime, GitBlobId, Kept, Mechanism, OsBytes, Outcome, OutputStream, ProcessId,
    ProcessKey, Vantage, What,
};
use std::path::PathBuf;
use std::sync::Arc;

/// One thing that was seen.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When, by the kernel's boot-time clock on a realtime anchor taken at the start.
    pub at: EventTime,
    /// Who saw it.
    pub vantage: Vantage,
    /// On what ground.
    pub basis: Basis,
    /// The process that did it.
    pub process: Option<ProcessId>,
    /// The thread, where it is not the first of its process.
    pub tid: Option<u32>,
    /// What happened.
    pub what: What,
}

/// What is known before the command runs.
#[derive(Clone, Debug)]
pub struct ScopeStart {
    /// Now.
    pub at: EventTime,
    /// The process that records (the tracer).
    pub recorder: ProcessKey,
    /// The chosen back-end.
    pub mechanism: Mechanism,
    /// Why it was chosen.
    pub mechanism_reason: String,
    /// Absolute working directory.
    pub workdir: PathBuf,
    /// Top of the workspace.
    pub workspace: PathBuf,
    /// Commit that HEAD names, in a git workspace with commits.
    pub git_head: Option<String>,
    /// Kernel release.
    pub kernel: String,
    /// Numeric user id.
    pub uid: u32,
    /// Files that the root inherits open for writing.
    pub given_files: Vec<OsBytes>,
}

/// What is known when the attempt is over.
#[derive(Clone, Debug)]
pub struct AttemptEnd {
    /// Now.
    pub at: EventTime,
    /// How the root ended.
    pub outcome: Outcome,
    /// Wall time of the root, in nanoseconds.
    pub wall_ns: u64,
    /// Processes seen.
    pub processes: u64,
    /// Processes alive at the end.
    pub outlived: Vec<ProcessId>,
    /// What was seen and what not.
    pub coverage: CoverageReport,
}

/// Takes observations, in the tracer process. Nothing handed over may be lost silently.
pub trait Recorder: Send {
    /// Opens the attempt. When it returns, the scope is on disk.
    ///
    /// # Errors
    /// The command is then not started.
    fn begin(&mut self, start: ScopeStart) -> Result<(), RecorderFault>;

    /// Takes one observation. May block for a while when the disk is slow; must not do so for longer than it takes
    /// to drain a bounded queue. After a fault (for example a full disk) it goes on counting what it drops.
    fn observe(&mut self, observation: Observation);

    /// Called now and then while nothing comes, so that what came about meanwhile is not held back; gives what the user
    /// should hear of at once.
    fn idle(&mut self, _now: EventTime) -> Vec<Notice> {
        Vec::new()
    }

    /// Where contents go; shared with the thread that reads files.
    fn contents(&self) -> Arc<dyn ContentSink>;

    /// Ends the attempt: everything handed over is on disk when it returns.
    ///
    /// # Errors
    /// What could not be written, for people; the recording is then incomplete.
    fn end(&mut self, end: AttemptEnd) -> Result<(), RecorderFault>;
}

/// Takes the bytes of contents.
pub trait ContentSink: Send + Sync {
    /// Keeps the bytes (or not: budgets are its business) and says what became of them.
    fn keep(&self, bytes: &[u8], sha256: ContentId, git: Option<GitBlobId>) -> Kept;

    /// Keeps a copy of an output stream, redacted first; gives the content as it was kept.
    fn keep_output(&self, stream: OutputStream, bytes: Vec<u8>) -> agentprov_model::Content;
}

/// Something the user should hear of at once.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Notice {
    /// What happened.
    pub text: String,
    /// What to do about it.
    pub way_out: Option<String>,
}

/// Why a recorder could not go on.
#[derive(Clone, Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct RecorderFault {
    /// What failed, on what.
    pub message: String,
    /// The next step, where one is known.
    pub hint: Option<String>,
}
