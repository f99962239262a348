//! `objects/v1`: a run as content-addressed JSON objects that name their parents by hash.
//!
//! Rows are computed, not stored: the hash of an object is that of the file which `materialize` writes. Nothing of
//! the host that computes it is in an object, so every host that has the log and the contents gets the same hashes.

mod catalogue;
mod object;

pub use catalogue::Catalogue;
pub use object::{Object, ObjectRow, object_path};

use crate::error::GraphError;
use crate::result_set::{Cursor, Mark, Pin, page_hash};
use agentprov_model::schema;
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::ops::Range;

/// The document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Objects {
    /// `agentprovenance.objects/v1`.
    pub schema_version: String,
    /// The run.
    pub run_id: String,
    /// Rows on a page; 0 for all.
    pub limit: u64,
    /// The cursor that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// True where more rows follow.
    pub has_more: bool,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the rows of this page.
    pub page_hash: String,
    /// Objects of the run.
    pub object_count: u64,
    /// The rows.
    pub objects: Vec<ObjectRow>,
}

const QUERY: &str = "[\"objects/v1\"]";

/// A page of a run's objects; `limit` 0 for all. Only the objects of the page are made.
///
/// # Errors
/// [`GraphError::Argument`] for a cursor of something else or of a shorter log, or what the store says.
pub fn objects(reader: &Reader, run: &RunRow, limit: u64, cursor: Option<&str>) -> Result<Objects, GraphError> {
    let pin = Pin::head(run)?;
    let start = start_of_page(cursor, QUERY, run, &pin)?;
    let catalogue = Catalogue::load(reader, run)?;
    let mut page = page_of(run, &catalogue, pin, start..catalogue.count(), limit)?;
    page.cursor = cursor.map(str::to_owned);
    Ok(page)
}

/// The first page, without the evidence manifest and the root, which are made from it.
pub(crate) fn objects_before_manifest(
    run: &RunRow,
    catalogue: &Catalogue<'_>,
    limit: u64,
) -> Result<Objects, GraphError> {
    page_of(run, catalogue, Pin::head(run)?, 0..catalogue.manifest_index(), limit)
}

fn page_of(
    run: &RunRow,
    catalogue: &Catalogue<'_>,
    pin: Pin,
    range: Range<u64>,
    limit: u64,
) -> Result<Objects, GraphError> {
    let count = catalogue.count();
    let end = if limit == 0 { range.end } else { range.start.saturating_add(limit).min(range.end) };
    let rows = (range.start..end).map(|index| Ok(catalogue.object(index)?.row));
    let rows = rows.collect::<Result<Vec<_>, GraphError>>()?;
    let next_cursor = (end < count).then(|| Cursor { pin, after: Mark(end, 0) }.encode(QUERY, run));
    Ok(Objects {
        schema_version: schema::v1("objects"),
        run_id: run.id.to_string(),
        limit,
        cursor: None,
        has_more: next_cursor.is_some(),
        next_cursor,
        result_set_id: pin.result_set_id(QUERY, run),
        page_hash: page_hash(&rows),
        object_count: count,
        objects: rows,
    })
}

/// The place at which a page by number begins. Such pages are over things that later facts change (a process gets
/// an end), so a cursor holds only as long as the log does not grow.
pub(crate) fn start_of_page(cursor: Option<&str>, query: &str, run: &RunRow, pin: &Pin) -> Result<u64, GraphError> {
    let Some(text) = cursor.filter(|text| !text.is_empty()) else { return Ok(0) };
    let cursor = Cursor::decode(text, query, run)?;
    if cursor.pin != *pin {
        return Err(GraphError::Argument(format!(
            "run '{}' has grown from {} to {} facts since that page; start again without a cursor",
            run.id, cursor.pin.size, pin.size
        )));
    }
    Ok(cursor.after.0)
}
