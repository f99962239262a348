//! Who had a file open for writing: the next best evidence where a file was renamed before it was released.

use crate::error::GraphError;
use agentprov_model::{AttemptNo, EventId, EventTime, IndexKey, KeyKind, OsBytes, ProcessId, What};
use agentprov_store::{Reader, RunRow, Seq};

/// A successful open for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opener {
    pub(super) process: ProcessId,
    pub(super) attempt: AttemptNo,
    pub(super) event: EventId,
    pub(super) seq: Seq,
    pub(super) at: EventTime,
}

/// Processes that opened the path for writing from `since` to `end`, each by its last such call. Times decide: a
/// version is appended when its content was read, which may be after the next open.
///
/// # Errors
/// What the store says.
pub(super) fn openers(
    reader: &Reader,
    run: &RunRow,
    path: &OsBytes,
    since: Option<EventTime>,
    end: EventTime,
) -> Result<Vec<Opener>, GraphError> {
    let key = IndexKey { kind: KeyKind::Path, value: path.as_bytes() };
    let mut found: Vec<Opener> = Vec::new();
    for (seq, fact) in reader.facts_by_key(run.no, key)? {
        let What::FileOpened(open) = &fact.what else { continue };
        let inside = since.is_none_or(|since| fact.at >= since) && fact.at <= end;
        let writes = open.access.writes() && open.result.succeeded() && open.path == *path;
        if let (true, true, Some(process)) = (inside, writes, fact.process) {
            found.retain(|opener| opener.process != process);
            found.push(Opener { process, attempt: fact.attempt, event: fact.id, seq, at: fact.at });
        }
    }
    Ok(found)
}
