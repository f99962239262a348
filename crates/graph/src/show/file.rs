//! A file of a run: its versions, in order.

use crate::error::GraphError;
use crate::processes::ProcessTable;
use crate::timeline::command_line;
use crate::versions::{
    ChangeRow, ChangedFile, FilePath, Version, cause_name, changed_files, history, kind_of, sha256_text, size_of,
};
use agentprov_model::{AttemptNo, OsBytes};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

/// A file of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShowFile {
    /// Run.
    pub run_id: String,
    /// Absolute path.
    pub path: OsBytes,
    /// Path below the workspace, where it lies in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_path: Option<OsBytes>,
    /// How its end differs from its beginning; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeRow>,
    /// Where it was renamed to at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<OsBytes>,
    /// Its versions, those under earlier names included.
    pub versions: Vec<ShownVersion>,
}

/// A version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownVersion {
    /// Leaf number.
    pub seq: u64,
    /// Fact.
    pub event_id: String,
    /// When.
    pub time: String,
    /// Attempt.
    pub attempt: AttemptNo,
    /// Name that it had then.
    pub path: OsBytes,
    /// What made the version.
    pub cause: &'static str,
    /// What was there before: file, missing, ...
    pub before_kind: &'static str,
    /// Hash before, or a word.
    pub before_sha256: String,
    /// What is there after.
    pub after_kind: &'static str,
    /// Hash after, or a word.
    pub after_sha256: String,
    /// Length after, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<u64>,
    /// Everyone who may have written it.
    pub writers: Vec<Writer>,
}

/// A process that may have written a version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Writer {
    /// Process.
    pub process_id: String,
    /// The program that it ran at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

pub(super) fn show_file(reader: &Reader, run: &RunRow, file: &FilePath) -> Result<ShowFile, GraphError> {
    let history = history(reader, run, &file.path)?;
    let table = ProcessTable::load(reader, run)?;
    let changed = changed_files(reader, run, None)?;
    Ok(ShowFile {
        run_id: run.id.to_string(),
        path: file.path.clone(),
        workspace_path: file.workspace_path.clone(),
        change: changed.iter().find(|changed| changed.path == file.path).map(ChangedFile::row),
        moved_to: history.moved_to().cloned(),
        versions: history.versions.iter().map(|version| shown(version, &table)).collect(),
    })
}

fn shown(version: &Version, table: &ProcessTable) -> ShownVersion {
    let writer = |id: &agentprov_model::ProcessId| Writer {
        process_id: id.to_string(),
        command: table.find(id).and_then(|process| process.argv_at(version.at)).map(command_line),
    };
    ShownVersion {
        seq: version.seq,
        event_id: version.event.to_string(),
        time: version.at.to_rfc3339(),
        attempt: version.attempt,
        path: version.workspace_path.as_ref().unwrap_or(&version.path).clone(),
        cause: cause_name(&version.cause),
        before_kind: kind_of(&version.before),
        before_sha256: sha256_text(&version.before),
        after_kind: kind_of(&version.after),
        after_sha256: sha256_text(&version.after),
        after_bytes: size_of(&version.after),
        writers: version.writers.iter().map(writer).collect(),
    }
}
