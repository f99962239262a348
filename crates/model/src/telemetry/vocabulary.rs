//! Small words of telemetry events.

use crate::content::ContentId;
use crate::ids::IdError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Longest name of a source, in bytes.
const MAX_SOURCE: usize = 64;

/// Where an event came in: a receiver's name, or the label that a caller gave.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct SourceName(Cow<'static, str>);

impl SourceName {
    /// Our own eBPF sensor's JSONL.
    pub const NATIVE: Self = Self(Cow::Borrowed("agentprov_ebpf"));
    /// Falco JSON.
    pub const FALCO: Self = Self(Cow::Borrowed("falco_jsonl"));
    /// Tetragon JSON export.
    pub const TETRAGON: Self = Self(Cow::Borrowed("tetragon_jsonl"));
    /// LoongCollector eBPF rows.
    pub const LOONGCOLLECTOR: Self = Self(Cow::Borrowed("loongcollector_jsonl"));
    /// Linux audit records.
    pub const AUDITD: Self = Self(Cow::Borrowed("auditd"));
    /// A caller that did not say.
    pub const FILTERED: Self = Self(Cow::Borrowed("filtered_telemetry"));

    /// Checks a label: letters, digits and `_ - . :`, at most 64 bytes.
    ///
    /// # Errors
    /// [`IdError`] for anything else.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_SOURCE {
            return Err(IdError::TooLong(text.len()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        match text.chars().find(|&c| !allowed(c)) {
            Some(bad) => Err(IdError::Character(bad)),
            None => Ok(Self(Cow::Owned(text))),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, copied only where a caller gave it.
    pub fn to_name(&self) -> Cow<'static, str> {
        self.0.clone()
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SourceName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl TryFrom<String> for SourceName {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0.into_owned()
    }
}

/// Which clock an event time was read from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventClock {
    /// The source's wall clock.
    Realtime,
    /// The source's wall clock, whole seconds only.
    Seconds,
    /// The source gave no time: this is when the row was taken in.
    Intake,
}

/// Oddities of an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelemetryFlag {
    /// A path went through `..`.
    PathTraversal,
    /// The path is relative and the working directory is not known.
    RelativePath,
    /// The source cut the arguments.
    ArgvTruncated,
    /// The source joined the arguments; their boundaries are guessed from blanks.
    ArgvSplit,
    /// The source cut the container id.
    ContainerPrefix,
    /// The event lacks what its type must say.
    Incomplete,
    /// The source had lost the beginning of the process.
    ProcessMissed,
}

/// What the source itself made of an event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Detection {
    /// Its rule or policy.
    pub rule: String,
    /// Its priority or severity, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// What it did about it, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// The raw row: its hash is part of the fact, its bytes can go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RawRef {
    /// SHA-256 of the row as it is kept: without its line end, secrets taken out.
    pub sha256: ContentId,
    /// Length in bytes.
    pub bytes: u32,
    /// Its line number in the input, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}
