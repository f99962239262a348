//! What an ingest is asked to do.

use crate::correlate::Provided;
use crate::receivers::Format;
use agentprov_model::ClassTable;
use std::sync::Arc;

/// What an ingest is asked to do.
#[derive(Clone, Debug)]
pub struct IngestRequest {
    /// Format of the rows.
    pub format: Format,
    /// Name of the input, `-` for standard input.
    pub path: String,
    /// Where in a stream that is read piece by piece this input begins: tells its lines from those of other pieces.
    pub from_offset: u64,
    /// Context that the caller names for all rows.
    pub provided: Provided,
    /// Refuse rows that name application context.
    pub strict: bool,
    /// Leave out rows that bind to no scope.
    pub drop_uncorrelated: bool,
    /// Keep the raw rows, secrets taken out.
    pub keep_raw: bool,
    /// This host, for rows that do not name theirs.
    pub host: String,
    /// Classes of destinations and paths.
    pub table: Arc<ClassTable>,
}
