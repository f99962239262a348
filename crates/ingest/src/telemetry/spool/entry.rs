//! One queued input, as it stands in its file.

use crate::correlate::Provided;
use agentprov_model::{EventId, RunId, ScopeIds};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of a queued input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits.
    Queued,
    /// Is being taken in, or was when its process was killed.
    Processing,
    /// Was taken in; its bytes are gone from the spool.
    Processed,
    /// Could not be taken in; its bytes stay until it is retried or dropped.
    Failed,
    /// Given up; its bytes are gone.
    Dropped,
}

impl Status {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Processed => "processed",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    /// True while the bytes are kept: these entries count against the bound.
    pub const fn holds_bytes(self) -> bool {
        matches!(self, Self::Queued | Self::Processing | Self::Failed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an input is to be taken in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Format that was asked for.
    pub format: String,
    /// Name of the input, `-` for standard input.
    pub path: String,
    /// The run that holds for all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The rest of the context that holds for all rows.
    #[serde(default)]
    pub scope: ScopeIds,
    /// Whether rules judge it.
    pub policy_enabled: bool,
    /// Refuse rows that name application context.
    pub strict: bool,
    /// Leave out rows that bind to no scope.
    pub drop_uncorrelated: bool,
    /// Keep the raw rows, secrets taken out.
    pub keep_raw: bool,
}

impl Order {
    /// The context for all rows.
    pub fn provided(&self) -> Provided {
        Provided { run: self.run_id.clone(), scope: self.scope.clone(), asserted: false }
    }
}

/// What was lost with an input that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Lost {
    /// Its rows; absent where its bytes were gone already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The facts that say so; none as long as no log does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<EventId>,
}

/// One queued input.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its id; ids sort by age.
    pub id: String,
    /// How it is to be taken in.
    #[serde(flatten)]
    pub order: Order,
    /// SHA-256 of its exact bytes, bare hex.
    pub file_sha256: String,
    /// Their number.
    pub size_bytes: u64,
    /// What became of it.
    pub status: Status,
    /// How often it was begun.
    pub attempts: u32,
    /// Manifest of what was taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest_batch_id: Option<String>,
    /// Lines that are facts now.
    pub ingested_count: u64,
    /// Lines that could not be understood.
    pub failed_count: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_reason: Option<String>,
    /// What was lost with it when it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// When it was queued.
    pub created_at: String,
    /// When it was last begun and ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed_at: Option<String>,
}

impl Entry {
    /// It was given up, and no log says so yet.
    pub(super) fn is_unsaid_loss(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| lost.event_ids.is_empty())
    }
}

/// What taking an entry in gave.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Its manifest.
    pub batch_id: Option<String>,
    /// Lines that are facts now.
    pub ingested: u64,
    /// Lines that could not be understood.
    pub failed: u64,
    /// There are more rows than the report of the ingest lists.
    pub rows_truncated: bool,
}
