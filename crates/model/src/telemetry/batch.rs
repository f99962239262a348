//! Manifests of ingests.

use crate::content::{Content, ContentId};
use crate::ids::BatchId;
use crate::telemetry::{LeafSet, SourceName};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Lines of an input by what became of them. Every line is counted exactly once besides `read`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RowTotals {
    /// Lines read.
    pub read: u64,
    /// Lines that became facts of any log.
    pub ingested: u64,
    /// Lines that say nothing we keep.
    pub skipped: u64,
    /// Lines that could not be understood.
    pub failed: u64,
    /// Lines left out because they bind to no scope and the caller asked for that.
    pub dropped_uncorrelated: u64,
    /// Lines that are no event but say that the source lost some.
    pub loss_records: u64,
}

/// Manifest of one ingest in one log: the same input gives the same manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IngestBatch {
    /// Its id, from input hash, format and log.
    pub id: BatchId,
    /// Format that was asked for.
    pub format: String,
    /// Where the input was read, `-` for standard input.
    pub path: String,
    /// SHA-256 of the exact bytes.
    pub input_sha256: ContentId,
    /// Length of the input in bytes.
    pub input_bytes: u64,
    /// Offset in the stream at which this input begins.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from_offset: u64,
    /// What became of the lines of the input, whatever log they went to.
    pub rows: RowTotals,
    /// Sources of the events.
    pub sources: Vec<SourceName>,
    /// Facts of this log that came out of the input.
    pub leaves: LeafSet,
    /// SHA-256 over each event id followed by NUL, in the order of the leaves.
    pub event_ids_sha256: ContentId,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Says that bodies of old events are gone on purpose. Their leaf hashes stay, and so does this fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pruned {
    /// Events before this instant went.
    pub cutoff: EventTime,
    /// Who asked for it.
    pub by: String,
    /// The facts whose bodies went.
    pub leaves: LeafSet,
    /// Contents of raw rows that went with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<ContentId>,
    /// What stays in the window counts, by the name of the cell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<String, u64>,
}

/// Raw rows of events of this log, kept together as one content that can be dropped without touching the events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RawLines {
    /// The rows, secrets taken out, each ended by a newline.
    pub content: Content,
    /// How many.
    pub lines: u64,
    /// The facts they belong to, row by row.
    pub leaves: LeafSet,
}
