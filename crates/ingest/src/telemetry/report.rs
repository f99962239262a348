//! The document of an ingest, as the contract has it.

use super::{IngestRequest, IngestSummary, RowResult, RowStatus};
use agentprov_model::EventId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Rows, ids and errors that one document lists; the counts go on.
const MAX_LISTED: usize = 1000;

/// What an ingest did. There is no schema version in it: it is a member of others too.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct IngestReport {
    /// The manifest in the run, else the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// Every manifest, where more than one log got events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batch_ids: Vec<String>,
    /// Format that was asked for.
    pub format: String,
    /// The input.
    pub path: String,
    /// SHA-256 of the exact bytes, bare hex.
    pub file_sha256: String,
    /// Lines read.
    pub read: u64,
    /// Lines that are facts now.
    pub ingested: u64,
    /// Of these, those that were there already.
    pub known: u64,
    /// Lines that say nothing that is kept.
    pub skipped: u64,
    /// Lines that could not be understood.
    pub failed: u64,
    /// Ids of the events, in the order of the rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<EventId>,
    /// There are more ids than are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub event_ids_truncated: bool,
    /// SHA-256 over each id and NUL, bare hex.
    pub event_ids_sha256: String,
    /// Lines left out because they bind to no scope.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_uncorrelated: u64,
    /// Lines that say that their source lost some.
    #[serde(skip_serializing_if = "is_zero")]
    pub loss_records: u64,
    /// Decisions of rules.
    pub policy_decisions: u64,
    /// Their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy_decision_ids: Vec<EventId>,
    /// Counts over all rows.
    pub receiver_summary: ReceiverSummary,
    /// The rows, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub row_results: Vec<RowDocument>,
    /// There are more rows than are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub row_results_truncated: bool,
    /// What was wrong with rows that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// The last line whose result came.
    #[serde(skip)]
    last_line: u64,
}

/// Counts over all rows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ReceiverSummary {
    /// Rows by format.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub detected_formats: BTreeMap<&'static str, u64>,
    /// Events by type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub event_types: BTreeMap<&'static str, u64>,
    /// Events by the kind of identity that they carry.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub identity_keys: BTreeMap<&'static str, u64>,
    /// Events that were tied to a scope.
    pub resolved: u64,
    /// Events that were not.
    pub unresolved: u64,
    /// Lines that say nothing that is kept.
    pub skipped: u64,
    /// Lines that could not be understood.
    pub failed: u64,
}

/// One row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RowDocument {
    /// Number of its line, from 1.
    pub line: u64,
    /// What became of it.
    pub status: &'static str,
    /// Its format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detected_format: Option<&'static str>,
    /// Its fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// The log that its fact is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Type of its event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<&'static str>,
    /// Source of its event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The id that the source gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_event_id: Option<String>,
    /// Identities that a binding can match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity_keys: Vec<String>,
    /// How it was tied to its scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_method: Option<&'static str>,
    /// Places of application context in it, which was not believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context_dropped: Vec<String>,
    /// Why it failed or was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl IngestReport {
    /// Takes in the result of a row, in the order in which they come. Lines come in order, so that a result for an
    /// earlier one says what became of a row that was part of an event: it stands in the place of what was said before.
    pub fn row(&mut self, row: &RowResult) {
        let belated = row.line <= self.last_line;
        self.last_line = self.last_line.max(row.line);
        let summary = &mut self.receiver_summary;
        if let (Some(format), false) = (row.format, belated) {
            *summary.detected_formats.entry(format.name()).or_default() += 1;
        }
        if row.status == RowStatus::Ingested {
            if let Some(kind) = row.event_type {
                *summary.event_types.entry(kind.name()).or_default() += 1;
            }
            for name in row.identity.names() {
                *summary.identity_keys.entry(name).or_default() += 1;
            }
            let resolved = row.correlation_method.is_some() && row.bound;
            *if resolved { &mut summary.resolved } else { &mut summary.unresolved } += 1;
        }
        self.policy_decisions += row.decisions.len() as u64;
        list(&mut self.policy_decision_ids, row.decisions.iter().copied());
        self.event_ids_truncated |= list(&mut self.event_ids, row.event_id);
        if !belated {
            // Of the many rows that are not listed no document is made.
            match self.row_results.len() < MAX_LISTED {
                true => self.row_results.push(RowDocument::of(row)),
                false => self.row_results_truncated = true,
            }
        } else if let Ok(place) = self.row_results.binary_search_by_key(&row.line, |listed| listed.line) {
            self.row_results[place] = RowDocument::of(row);
        }
        if let (RowStatus::Failed, Some(error)) = (row.status, &row.error) {
            list(&mut self.errors, [format!("line {}: {error}", row.line)]);
        }
    }

    /// Takes in how the ingest ended.
    #[must_use]
    pub fn finish(mut self, request: &IngestRequest, summary: &IngestSummary) -> Self {
        let rows = summary.rows;
        self.batch_id = summary.batches.first().map(ToString::to_string);
        if summary.batches.len() > 1 {
            self.batch_ids = summary.batches.iter().take(MAX_LISTED).map(ToString::to_string).collect();
        }
        self.format = request.format.to_string();
        self.path.clone_from(&request.path);
        self.file_sha256 = summary.input_sha256.to_hex();
        self.event_ids_sha256 = summary.event_ids_sha256.to_hex();
        (self.read, self.ingested, self.known) = (rows.read, rows.ingested, summary.known);
        (self.skipped, self.failed) = (rows.skipped, rows.failed);
        (self.dropped_uncorrelated, self.loss_records) = (rows.dropped_uncorrelated, rows.loss_records);
        (self.receiver_summary.skipped, self.receiver_summary.failed) = (rows.skipped, rows.failed);
        self
    }
}

/// Lists as much as a document holds; true where something had to stay out.
fn list<T>(into: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> bool {
    let mut items = items.into_iter();
    let free = MAX_LISTED.saturating_sub(into.len());
    into.extend(items.by_ref().take(free));
    items.next().is_some()
}

impl RowDocument {
    fn of(row: &RowResult) -> Self {
        Self {
            line: row.line,
            status: row.status.name(),
            detected_format: row.format.map(crate::receivers::DetectedFormat::name),
            event_id: row.event_id,
            run_id: row.log.as_ref().map(ToString::to_string),
            event_type: row.event_type.map(agentprov_model::EventType::name),
            source: row.source.as_ref().map(ToString::to_string),
            raw_event_id: row.raw_event_id.clone(),
            identity_keys: row.identity.texts(),
            correlation_method: row.correlation_method,
            context_dropped: row.context_dropped.clone(),
            error: row.error.clone(),
        }
    }
}
