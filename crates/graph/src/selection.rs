//! Which run a command speaks of.

use crate::error::GraphError;
use agentprov_model::RunId;
use agentprov_store::{LedgerEvent, Reader, RunRow};

/// Largest edit distance at which a name is offered instead of a mistyped one.
const SUGGESTION_DISTANCE: usize = 3;

/// A run and how it was chosen.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The run.
    pub run: RunRow,
    /// True where no run was named and this is the latest.
    pub latest: bool,
}

/// The named run, else the latest one that was not removed; logs of reviews only where there is nothing else.
///
/// # Errors
/// [`GraphError::NotFound`] with a suggestion, [`GraphError::NoRuns`], or [`GraphError::Removed`].
pub fn select_run(reader: &Reader, name: Option<&str>) -> Result<Selected, GraphError> {
    match name {
        Some(name) => named_run(reader, name).map(|run| Selected { run, latest: false }),
        None => latest_run(reader).map(|run| Selected { run, latest: true }),
    }
}

fn latest_run(reader: &Reader) -> Result<RunRow, GraphError> {
    let mut runs = reader.runs()?;
    runs.retain(|run| run.removed.is_none());
    runs.into_iter()
        .max_by_key(|run| (!run.id.is_of_reviews(), run.updated, run.no))
        .ok_or_else(|| GraphError::NoRuns(reader.store().dir().display().to_string()))
}

fn named_run(reader: &Reader, name: &str) -> Result<RunRow, GraphError> {
    let found = match RunId::new(name) {
        Ok(id) => reader.run(&id)?,
        Err(_) => None,
    };
    match found {
        Some(run) if run.removed.is_some() => Err(removed(reader, &run)?),
        Some(run) => Ok(run),
        None => Err(GraphError::NotFound {
            kind: "run",
            name: name.to_owned(),
            suggestion: suggest(reader, name)?,
            run: None,
        }),
    }
}

fn suggest(reader: &Reader, name: &str) -> Result<Option<String>, GraphError> {
    let runs = reader.runs()?;
    let ids = runs.iter().filter(|run| run.removed.is_none()).map(|run| run.id.as_str());
    Ok(nearest(name, ids))
}

/// The candidate nearest to `name`, where one is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = SUGGESTION_DISTANCE.min(name.chars().count().max(2) - 1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

fn removed(reader: &Reader, run: &RunRow) -> Result<GraphError, GraphError> {
    let tombstone = reader.ledger()?.into_iter().rev().find_map(|(_, entry)| match entry.event {
        LedgerEvent::Removed(removal) if entry.run == run.id => Some((entry.at, removal)),
        _ => None,
    });
    let (at, by, reason) = match tombstone {
        Some((at, removal)) => (at.to_rfc3339(), removal.by, removal.reason),
        None => {
            ("at an unknown time".to_owned(), "somebody unknown".to_owned(), "no tombstone in the ledger".to_owned())
        }
    };
    Ok(GraphError::Removed { run: run.id.to_string(), at, by, reason })
}
