//! `telemetry batches`: manifests of ingests.

use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::{EventType, What, schema};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

/// The document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Batches {
    /// `agentprovenance.telemetry_batches/v1`.
    pub schema_version: String,
    /// The log.
    pub run_id: String,
    /// Its manifests, oldest first.
    pub batches: Vec<BatchRow>,
}

/// One ingest in one log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BatchRow {
    /// Id.
    pub id: String,
    /// The log.
    pub run_id: String,
    /// Format that was asked for.
    pub format: String,
    /// The input.
    pub path: String,
    /// SHA-256 of the exact bytes, bare hex.
    pub file_sha256: String,
    /// Lines of the input.
    pub read: u64,
    /// Events of this log that came out of it.
    pub ingested: u64,
    /// Lines that say nothing we keep.
    pub skipped: u64,
    /// Lines that could not be understood.
    pub failed: u64,
    /// SHA-256 over each event id and NUL in the order of the leaves, bare hex.
    pub event_ids_sha256: String,
    /// When it was taken in.
    pub created_at: String,
}

/// Manifests in a log.
///
/// # Errors
/// What the store says.
pub fn batches(reader: &Reader, run: &RunRow) -> Result<Batches, GraphError> {
    let facts = facts_of_type(reader, run, EventType::TelemetryBatch)?;
    let rows = facts.into_iter().filter_map(|(_, fact)| match fact.what {
        What::IngestBatch(batch) => Some(BatchRow {
            id: batch.id.to_string(),
            run_id: run.id.to_string(),
            format: batch.format,
            path: batch.path,
            file_sha256: batch.input_sha256.to_hex(),
            read: batch.rows.read,
            ingested: batch.leaves.len(),
            skipped: batch.rows.skipped,
            failed: batch.rows.failed,
            event_ids_sha256: batch.event_ids_sha256.to_hex(),
            created_at: fact.recorded.to_rfc3339(),
        }),
        _ => None,
    });
    Ok(Batches { schema_version: schema::v1("telemetry_batches"), run_id: run.id.to_string(), batches: rows.collect() })
}
