//! What to run.

use std::ffi::OsString;
use std::path::PathBuf;

/// The command to record.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments; the program is looked up in PATH as `execvp` does.
    pub argv: Vec<OsString>,
    /// Directory to run in.
    pub workdir: PathBuf,
    /// Variables added to the inherited environment. Values are never recorded.
    pub env: Vec<(OsString, OsString)>,
    /// Where the child's standard output goes.
    pub stdout: StdoutTo,
    /// Whether a copy of the output is kept.
    pub keep_output: Option<KeepOutput>,
}

/// Where the child's standard output goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StdoutTo {
    /// To ours, untouched.
    Inherit,
    /// To our standard error, because ours carries a document.
    Stderr,
}

/// Keep a bounded copy of what the command prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepOutput {
    /// Bytes kept per stream; the rest is only counted.
    pub max_bytes: u64,
}
