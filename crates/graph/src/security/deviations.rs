//! `security_deviations/v1`.

use super::document::{SecurityDocument, runs_of};
use crate::error::GraphError;
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use serde_json::Value;

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DeviationsBody {
    /// How many.
    pub count: usize,
    /// What the runs are held against. An empty list without one says nothing.
    pub baseline: Baseline,
    /// Newest first.
    pub deviations: Vec<Value>,
}

/// What was learned of earlier runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Baseline {
    /// `no baseline learned`.
    pub state: &'static str,
}

/// The deviations of a run, or of all runs, from what was learned. No fact holds a baseline, and the document says so.
///
/// # Errors
/// What the store says.
pub fn security_deviations(
    reader: &Reader,
    run: Option<&RunRow>,
) -> Result<SecurityDocument<DeviationsBody>, GraphError> {
    let runs = runs_of(reader, run)?;
    let baseline = Baseline { state: "no baseline learned" };
    let body = DeviationsBody { count: 0, baseline, deviations: Vec::new() };
    SecurityDocument::new("security_deviations", reader, run, &runs, body)
}
