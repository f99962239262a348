//! What was seen, what was not, and why.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Classes of claims that coverage speaks about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimClass {
    /// Which processes ran, with what arguments, and how they ended.
    Processes,
    /// Which files were written, renamed, removed.
    FileWrites,
    /// Which files were read.
    FileReads,
    /// The contents of written files.
    Contents,
    /// Which addresses were connected to, bound or sent to.
    Network,
    /// Attempts to gain privilege.
    Privilege,
    /// Names that were looked up.
    Dns,
    /// Plain text inside TLS.
    Tls,
}

impl ClaimClass {
    /// Every class, in the order of display.
    pub const ALL: [Self; 8] = [
        Self::Processes,
        Self::FileWrites,
        Self::FileReads,
        Self::Contents,
        Self::Network,
        Self::Privilege,
        Self::Dns,
        Self::Tls,
    ];

    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::FileWrites => "file_writes",
            Self::FileReads => "file_reads",
            Self::Contents => "contents",
            Self::Network => "network",
            Self::Privilege => "privilege",
            Self::Dns => "dns",
            Self::Tls => "tls",
        }
    }
}

/// How much of a class was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing was observed.
    None,
    /// Some may be missing.
    Partial,
    /// All of it: absence may be claimed.
    Complete,
}

/// Coverage of one class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Coverage {
    /// How much.
    pub level: Level,
    /// Why it is not complete; empty where it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Observations known to be lost; absent where that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

impl Coverage {
    /// Complete, with nothing lost.
    pub const fn complete() -> Self {
        Self { level: Level::Complete, why: Vec::new(), lost: Some(0) }
    }

    /// Nothing was observed, for this reason.
    pub fn none(why: impl Into<String>) -> Self {
        Self { level: Level::None, why: vec![why.into()], lost: None }
    }

    /// Lowers the level to at most partial and adds the reason once.
    pub fn degrade(&mut self, why: impl Into<String>) {
        self.level = self.level.min(Level::Partial);
        let why = why.into();
        if !self.why.contains(&why) {
            self.why.push(why);
        }
    }
}

/// Coverage of an attempt, class by class. A class that is not listed was not observed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CoverageReport {
    /// By class.
    pub classes: BTreeMap<ClaimClass, Coverage>,
}

/// Something happened that the recorder can't see through.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gap {
    /// What kind.
    pub kind: GapKind,
    /// The classes whose claims it weakens.
    pub classes: Vec<ClaimClass>,
    /// What happened, for people.
    pub detail: String,
    /// What the user can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
    /// How often, where it was counted.
    pub count: u64,
}

/// Kinds of gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// io_uring was set up: its operations pass no system call.
    IoUring,
    /// A process of another architecture made calls that are not decoded.
    ForeignArchitecture,
    /// A connection to a daemon that does work outside the tree (docker, sccache, gradle).
    DelegatedWork,
    /// A setuid or setgid program ran without its privilege because it is traced.
    PrivilegeDropped,
    /// A debugger or tracer inside the tree was refused.
    NestedTracer,
    /// The inner program installed a seccomp filter that may hide calls.
    InnerFilter,
    /// The back-end samples and may miss short processes.
    Sampling,
    /// Observations were dropped.
    Dropped,
    /// A file could not be read.
    Unreadable,
    /// Contents were not kept because a budget was spent.
    Budget,
    /// A descriptor opened before the recording may write.
    InheritedDescriptor,
    /// Processes outlived the recording.
    Outlived,
    /// The recorder itself failed at something.
    RecorderFault,
    /// Messages of an agent's hooks were lost.
    HooksLost,
    /// Calls could be judged only by arguments that the caller may have changed before the kernel read them.
    BestEffort,
}

impl GapKind {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::ForeignArchitecture => "foreign_architecture",
            Self::DelegatedWork => "delegated_work",
            Self::PrivilegeDropped => "privilege_dropped",
            Self::NestedTracer => "nested_tracer",
            Self::InnerFilter => "inner_filter",
            Self::Sampling => "sampling",
            Self::Dropped => "dropped",
            Self::Unreadable => "unreadable",
            Self::Budget => "budget",
            Self::InheritedDescriptor => "inherited_descriptor",
            Self::Outlived => "outlived",
            Self::RecorderFault => "recorder_fault",
            Self::HooksLost => "hooks_lost",
            Self::BestEffort => "best_effort",
        }
    }
}
