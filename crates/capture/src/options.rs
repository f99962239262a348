//! How to observe.

use std::path::PathBuf;
use std::time::Duration;

/// Choices of a recording.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which back-end.
    pub backend: Backend,
    /// Record opens for reading.
    pub reads: bool,
    /// How long to go on recording processes that outlive the root.
    pub grace: Duration,
    /// What becomes of processes that outlive root and grace.
    pub orphans: Orphans,
    /// Top of the workspace, absolute and canonical.
    pub workspace: PathBuf,
    /// Files that the recorder and its hooks write, absolute and canonical: opens of them are recorded, versions are not.
    pub own_files: Vec<PathBuf>,
    /// Limits on contents.
    pub limits: Limits,
    /// Capture contents at all.
    pub contents: bool,
    /// Pause between two looks of the sampling back-end.
    pub sample_interval: Duration,
}

/// Which back-end to use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// The best that this host allows.
    Auto,
    /// seccomp filter and ptrace, or an error that says why not.
    Ptrace,
    /// Sampling of `/proc`.
    Procfs,
}

/// What becomes of processes that outlive the root and the grace time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Orphans {
    /// They are reported and live on.
    Observe,
    /// They get SIGTERM, then SIGKILL, and are reported.
    Terminate,
}

/// Limits on contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes beyond which only the hash of a file is kept.
    pub max_file_bytes: u64,
    /// Bytes beyond which a file is not even hashed.
    pub max_hash_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_file_bytes: 16 << 20, max_hash_bytes: 1 << 30 }
    }
}
