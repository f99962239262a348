//! Results of system calls and of whole commands.

use crate::os_bytes::OsBytes;
use serde::{Deserialize, Serialize};

/// What a system call gave back, as far as it was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// It succeeded with this value.
    Ok(i64),
    /// It failed with this errno.
    Errno(i32),
    /// It was seen to start; how it ended was not seen.
    Unknown,
}

impl CallResult {
    /// True only where success was observed.
    pub const fn succeeded(self) -> bool {
        matches!(self, Self::Ok(_))
    }
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned this status.
    Exited(i32),
    /// It was ended by this signal.
    Signaled {
        /// Signal number of this platform.
        signal: i32,
        /// Whether a core was dumped.
        core: bool,
    },
    /// It never ran.
    NotStarted {
        /// errno of the failed start, where there was one.
        errno: Option<i32>,
        /// What failed, for people.
        reason: OsBytes,
    },
}

impl Outcome {
    /// Exit status that a shell would report: the status itself, 128 + signal,
    /// 127 for a command that was not found, 126 for one that can't be run, 125 else.
    pub fn shell_status(&self) -> i32 {
        match self {
            Self::Exited(status) => *status,
            Self::Signaled { signal, .. } => 128 + signal,
            Self::NotStarted { errno: Some(crate::errno::ENOENT), .. } => 127,
            Self::NotStarted { errno: Some(_), .. } => 126,
            Self::NotStarted { errno: None, .. } => 125,
        }
    }

    /// True for exit status 0.
    pub fn passed(&self) -> bool {
        matches!(self, Self::Exited(0))
    }
}
