//! Whose doing an event was: runtime identities and application context.

use crate::ids::{AttemptId, LogicalProcessId, RolloutId, SessionId, SnapshotId, ToolCallId};
use crate::os_bytes::OsBytes;
use crate::process::{BootId, ProcessKey};
use serde::{Deserialize, Serialize};

/// Identities of the acting process, as far as the source gave them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RuntimeIdentity {
    /// Boot of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootId>,
    /// Process id as the host sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Thread group id, where the source tells it apart from `pid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tgid: Option<u32>,
    /// Thread id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// Process id of the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ppid: Option<u32>,
    /// Process id in the innermost pid namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_pid: Option<u32>,
    /// Start of the process in ticks of 10 ms since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ticks: Option<u64>,
    /// Start of the process by the wall clock, ns since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<i64>,
    /// The source's own name of the process and program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec_id: Option<String>,
    /// The same of the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_exec_id: Option<String>,
    /// Container id, cut or whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Name of the container, as its daemon knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// Cgroup id or path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Numeric user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Name of the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comm: Option<OsBytes>,
    /// Program that the process runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<OsBytes>,
    /// Working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<OsBytes>,
}

impl RuntimeIdentity {
    /// The process key, where boot, pid and start are all known.
    pub fn process_key(&self) -> Option<ProcessKey> {
        Some(ProcessKey { boot: self.boot.clone()?, pid: self.tgid.or(self.pid)?, start_ticks: self.start_ticks? })
    }

    /// Calls `visit` with the name and text of every identity that a binding can match.
    pub fn visit(&self, mut visit: impl FnMut(&'static str, &str)) {
        let mut number = |name, value: Option<u32>| {
            if let Some(value) = value {
                visit(name, &value.to_string());
            }
        };
        number("pid", self.pid);
        number("tgid", self.tgid);
        number("ppid", self.ppid);
        if let Some(cgroup) = &self.cgroup {
            visit("cgroup_id", cgroup);
        }
        if let Some(container) = &self.container {
            visit("container_id", container);
        }
    }
}

/// Application context: each id absent where it is not known. The run is the log that the fact stands in.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ScopeIds {
    /// Rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// Session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptId>,
    /// Tool call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call: Option<ToolCallId>,
    /// Process, by the application's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<LogicalProcessId>,
    /// Snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
}

impl ScopeIds {
    /// True where nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Fills what is absent here from `other`.
    pub fn fill_from(&mut self, other: &Self) {
        fn fill<T: Clone>(mine: &mut Option<T>, theirs: &Option<T>) {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
        fill(&mut self.rollout, &other.rollout);
        fill(&mut self.session, &other.session);
        fill(&mut self.attempt, &other.attempt);
        fill(&mut self.tool_call, &other.tool_call);
        fill(&mut self.process, &other.process);
        fill(&mut self.snapshot, &other.snapshot);
    }
}
