//! Processes: who they are, what they run, how they end.

use crate::content::ContentId;
use crate::declared::{CommandDigest, TraceParent};
use crate::ids::IdError;
use crate::os_bytes::OsBytes;
use crate::outcome::{CallResult, Outcome};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// `/proc/sys/kernel/random/boot_id`: drawn by the kernel at each boot.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub String);

/// The identity of a process. A bare pid is never one: pids are used again.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ProcessKey {
    /// Boot of the host.
    pub boot: BootId,
    /// Process id (thread group id) as the host sees it.
    pub pid: u32,
    /// Start in ticks of 10 ms since boot: `/proc/<pid>/stat` field 22.
    pub start_ticks: u64,
}

impl ProcessKey {
    /// The id under which facts name this process.
    pub fn id(&self) -> ProcessId {
        let mut hasher = Sha256::new();
        hasher.update(self.boot.0.as_bytes());
        hasher.update([0]);
        hasher.update(self.pid.to_be_bytes());
        hasher.update(self.start_ticks.to_be_bytes());
        let digest = hasher.finalize();
        let mut bytes = [0u8; 8];
        bytes.copy_from_slice(&digest[..8]);
        ProcessId(bytes)
    }
}

/// Short name of a [`ProcessKey`]: `proc-` and the first 64 bits of a hash of the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId([u8; 8]);

const PROCESS_PREFIX: &str = "proc-";

impl ProcessId {
    /// The raw hash.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PROCESS_PREFIX}{}", data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ProcessId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let form = || IdError::Form(text.to_owned(), "proc-<16 hex digits>");
        let hex = text.strip_prefix(PROCESS_PREFIX).ok_or_else(form)?;
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).map_err(|_| form())?;
        Ok(Self(bytes.try_into().map_err(|_| form())?))
    }
}

impl Serialize for ProcessId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0u8; 21];
        text[..5].copy_from_slice(PROCESS_PREFIX.as_bytes());
        data_encoding::HEXLOWER.encode_mut(&self.0, &mut text[5..]);
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for ProcessId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A process came into the scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessStarted {
    /// Process id as the host sees it.
    pub pid: u32,
    /// Start in 10 ms ticks since boot.
    pub start_ticks: u64,
    /// Pid in the innermost pid namespace, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_pid: Option<u32>,
    /// The process that made it, inside the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ProcessId>,
    /// Pid of the parent as the host sees it.
    pub ppid: u32,
    /// How it came.
    pub origin: ProcessOrigin,
}

/// How a process came into the scope.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessOrigin {
    /// The recorder started it.
    Root,
    /// `fork(2)`, or `clone(2)` with SIGCHLD.
    Fork,
    /// `vfork(2)`, or `clone(2)` with CLONE_VFORK.
    Vfork,
    /// `clone(2)` otherwise.
    Clone,
    /// Found by sampling `/proc`; its beginning was not seen.
    Sampled,
}

/// A process ran, or tried to run, a program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessExec {
    /// How many programs this process has run, this one included. Failed calls keep the number.
    pub generation: u32,
    /// The path as the caller gave it; absent where only the result was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<OsBytes>,
    /// The executable that the kernel runs, symlinks resolved (`/proc/<pid>/exe`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<OsBytes>,
    /// The arguments, the name of the program included.
    pub argv: Vec<OsBytes>,
    /// Set where `argv` was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv_cut: Option<ArgvCut>,
    /// Working directory at the time of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<OsBytes>,
    /// `Ok(0)` where the program runs.
    pub result: CallResult,
    /// Keyed hashes of the shell commands that the raw arguments hold: of a whole `sh -c` text, and of what it evaluates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandDigest>,
    /// Trace context in the environment that the program got (`TRACEPARENT`); nothing else of the environment is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// What was left out of a long argument list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArgvCut {
    /// Arguments in the whole list.
    pub arguments: u64,
    /// Bytes in the whole list, NUL ends included.
    pub bytes: u64,
    /// SHA-256 of the whole list, each argument ended by NUL.
    pub sha256: ContentId,
}

/// A process ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessExited {
    /// Its status or signal; absent where its end was not seen, only its absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// True for the process that the recorder started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub root: bool,
}

/// An attempt to gain or use privilege: set-id calls, ptrace, mount, namespaces, modules, bpf.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrivilegeCall {
    /// Name of the system call, such as `setuid`.
    pub call: String,
    /// Arguments by name, numbers in decimal, flags by name where known.
    pub args: Vec<(String, OsBytes)>,
    /// How it ended.
    pub result: CallResult,
}
