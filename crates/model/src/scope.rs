//! Runs, attempts, and the evidence that ties processes to them.

use crate::coverage::CoverageReport;
use crate::ids::{AttemptId, SessionId, ToolCallId};
use crate::os_bytes::OsBytes;
use crate::outcome::Outcome;
use crate::process::{ProcessId, ProcessKey};
use serde::{Deserialize, Serialize};

/// An attempt begins: written before the command runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// Id of the attempt.
    pub attempt_id: AttemptId,
    /// Session made for it.
    pub session_id: SessionId,
    /// Tool call made for it.
    pub tool_call_id: ToolCallId,
    /// Name that the caller gave, `record` by default.
    pub name: String,
    /// The command, redacted.
    pub argv: Vec<OsBytes>,
    /// Absolute working directory.
    pub workdir: OsBytes,
    /// Top of the workspace: the git work tree, else the working directory.
    pub workspace: OsBytes,
    /// Commit that HEAD named when the attempt began, in a git workspace with commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_head: Option<String>,
    /// The process that records. An attempt without an end whose recorder is dead was interrupted.
    pub recorder: ProcessKey,
    /// Version of agentprov.
    pub version: String,
    /// How it observes.
    pub mechanism: Mechanism,
    /// Why that mechanism was chosen.
    pub mechanism_reason: String,
    /// Kernel release of the host.
    pub kernel: String,
    /// Numeric user id.
    pub uid: u32,
    /// Opens for reading are recorded.
    pub reads: bool,
    /// Grace time after the root has ended, in milliseconds.
    pub grace_ms: u64,
    /// What happens to processes that outlive the root: `observe_only` or `terminate`.
    pub orphan_policy: String,
    /// Files that were open for writing before the attempt began and that its root was given, as redirected output is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_files: Vec<OsBytes>,
}

/// How a back-end observes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// seccomp filter and ptrace.
    Ptrace,
    /// Sampling of `/proc`.
    Procfs,
}

impl Mechanism {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ptrace => "ptrace",
            Self::Procfs => "procfs",
        }
    }
}

/// A root process was bound to the attempt's scope, before its first program ran.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bound {
    /// Key of the root process.
    pub root: ProcessKey,
    /// Inode of the scope's own cgroup, where one could be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_id: Option<u64>,
    /// Why there is no cgroup of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_cgroup: Option<String>,
}

/// The scope's binding window closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScopeEnded {
    /// Pid of the root.
    pub root_pid: u32,
}

/// An attempt ended and its segment is sealed by the next checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AttemptEnded {
    /// How the root ended.
    pub outcome: Outcome,
    /// From start to end of the root, in nanoseconds; the grace time does not count.
    pub wall_ns: u64,
    /// Processes seen, the root included.
    pub processes: u64,
    /// Processes that were alive when the recording ended.
    pub outlived: Vec<ProcessId>,
    /// Coverage of this attempt.
    pub coverage: CoverageReport,
}

/// A later writer found this attempt without an end and its recorder dead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AttemptInterrupted {
    /// The dead recorder.
    pub recorder: ProcessKey,
    /// Leaves of the attempt's log that had been acknowledged.
    pub acknowledged: u64,
}
