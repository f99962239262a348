//! Which process carried a message, and whose descendant it was.

use crate::ids::{IdError, SessionId};
use crate::process::{BootId, ProcessKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Ancestors that an anchor holds at most.
pub const MAX_ANCESTORS: usize = 32;

/// The carrying process with its ancestors, as `/proc` showed them to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessAnchor {
    /// Boot of the host.
    pub boot: BootId,
    /// The carrier.
    pub carrier: Ancestor,
    /// Its parent first.
    pub ancestors: Vec<Ancestor>,
    /// Its cgroup, as `/proc/self/cgroup` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Inode of its pid namespace: the pids above are as that namespace counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
}

impl ProcessAnchor {
    /// Key of a process of this anchor.
    pub fn key(&self, process: &Ancestor) -> ProcessKey {
        ProcessKey { boot: self.boot.clone(), pid: process.pid, start_ticks: process.start_ticks }
    }

    /// The carrier and its ancestors, nearest first.
    pub fn chain(&self) -> impl Iterator<Item = &Ancestor> {
        std::iter::once(&self.carrier).chain(&self.ancestors)
    }
}

/// One process of an anchor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ancestor {
    /// Process id.
    pub pid: u32,
    /// Start in 10 ms ticks since boot.
    pub start_ticks: u64,
    /// Its executable, where it could be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<FileIdentity>,
}

/// A file by device and inode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FileIdentity {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
}

/// A W3C `traceparent`: trace and span by id.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent(String);

impl TraceParent {
    /// The header as it stands.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace id, 32 hex digits.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }

    /// The span id, 16 hex digits.
    pub fn span_id(&self) -> &str {
        &self.0[36..52]
    }

    /// The session for which a trace stands where none is named.
    pub fn as_session(&self) -> Option<SessionId> {
        SessionId::new(format!("trace-{}", self.trace_id())).ok()
    }
}

impl FromStr for TraceParent {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parts: Vec<&str> = text.split('-').collect();
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        match parts.as_slice() {
            [version, trace, span, flags]
                if hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && *version != "ff" =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(IdError::Form(text.chars().take(64).collect(), "a traceparent")),
        }
    }
}

impl TryFrom<String> for TraceParent {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> String {
        parent.0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    #[test]
    fn only_a_traceparent_is_one() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent: TraceParent = good.parse().expect("a traceparent");
        assert_eq!(parent.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(parent.span_id(), "b7ad6b7169203331");
        for bad in ["", "00-1-2-3", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x"] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }
}
