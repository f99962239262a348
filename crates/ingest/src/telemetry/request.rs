//! What an ingest is asked to do.

use crate::correlate::Provided;
use crate::receivers::Format;
use agentprov_model::{ClassTable, SourceName, Vantage};
use std::sync::Arc;

/// What an ingest is asked to do.
#[derive(Clone, Debug)]
pub struct IngestRequest {
    /// Format of the rows.
    pub format: Format,
    /// Name of the input, `-` for standard input.
    pub path: String,
    /// Context that the caller names for all rows.
    pub provided: Provided,
    /// Refuse rows that name application context.
    pub strict: bool,
    /// Leave out rows that bind to no scope.
    pub drop_uncorrelated: bool,
    /// Keep the raw rows, secrets taken out.
    pub keep_raw: bool,
    /// What to call the source instead of what the rows say, for events that a caller hands over one by one.
    pub label: Option<(SourceName, Vantage)>,
    /// Write a manifest of the batch.
    pub manifest: bool,
    /// Rows come as things happen: commit what is there before waiting for more.
    pub live: bool,
    /// This host, for rows that do not name theirs.
    pub host: String,
    /// Classes of destinations and paths.
    pub table: Arc<ClassTable>,
}
