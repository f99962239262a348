//! `diff/v1`: how a file, or a run, left the workspace different; with a patch that `git apply` takes.

mod attempt_row;
mod binary;
mod lines;
mod patch;
mod quote;

pub use attempt_row::{AttemptRow, STRATEGY, rollout_id, snapshot_id};
pub use lines::{Hunk, hunks, split_lines, whole_diff};
pub use patch::{FilePatch, file_patch};

use crate::attempts::attempts;
use crate::error::GraphError;
use crate::scope_context::Scopes;
use crate::versions::{
    Bytes, ChangeRow, ChangedFile, Contents, FilePath, changed_files, exists, history, kind_of, same_state, sha256_text,
};
use agentprov_model::{FileState, OsBytes, schema};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

/// `diff/v1`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FileDiff {
    /// `agentprovenance.diff/v1`.
    pub schema_version: String,
    /// Run.
    pub run_id: String,
    /// The file, below the workspace where it lies in it.
    pub file: OsBytes,
    /// Evidence that stands for the state before the run.
    pub base_snapshot_id: String,
    /// Absolute path of the file.
    pub base_path: OsBytes,
    /// Something was there before the run.
    pub base_exists: bool,
    /// Hex, or `missing`, or why there is none.
    pub base_sha256: String,
    /// What was there.
    pub base_kind: &'static str,
    /// By attempt; each is compared with its own beginning.
    pub attempts: Vec<AttemptDiff>,
    /// From the beginning to the end of the run, for `git apply`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<OsBytes>,
    /// Why there is no patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_patchable: Option<String>,
}

/// One attempt's part of a [`FileDiff`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AttemptDiff {
    /// The attempt.
    #[serde(flatten)]
    pub attempt: AttemptRow,
    /// The file is there at the attempt's end.
    pub file_exists: bool,
    /// Its hash there.
    pub file_sha256: String,
    /// What is there.
    pub file_kind: &'static str,
    /// Something was there at the attempt's beginning.
    pub base_exists: bool,
    /// Its hash there.
    pub base_sha256: String,
    /// True where this attempt has versions of the file; else its states are taken from its neighbours.
    pub recorded: bool,
    /// Every line of the file. Bytes that are not UTF-8 are shown as U+FFFD: `patch` has the exact ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unified_diff: Option<Vec<String>>,
    /// Why there is no line diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_diff: Option<String>,
}

/// Patch over every file that a run, or one attempt, changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunDiff {
    /// `agentprovenance.run_diff/v1`.
    pub schema_version: String,
    /// Run.
    pub run_id: String,
    /// Changed files, by path.
    pub files: Vec<ChangeRow>,
    /// For `git apply` in the workspace of before the run.
    pub patch: OsBytes,
    /// Files that `patch` leaves out, and why.
    pub not_patchable: Vec<NotPatchable>,
}

/// A change that no patch can say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NotPatchable {
    /// The file.
    pub path: OsBytes,
    /// Why.
    pub why: String,
}

/// The diff of one file.
///
/// # Errors
/// What the store says.
pub fn file_diff(reader: &Reader, run: &RunRow, file: &FilePath) -> Result<FileDiff, GraphError> {
    let scopes = Scopes::load(reader, run)?;
    let attempts = attempts(reader, run)?;
    let contents = Contents::new(reader, &attempts);
    let spans = spans(reader, run, file, &attempts)?;
    let unknown = FileState::Unknown { why: "the run has no version of it".into() };
    let base = spans.first().map_or(&unknown, |span| &span.base);
    let mut rows = Vec::with_capacity(attempts.len());
    for (attempt, span) in attempts.iter().zip(&spans) {
        let changed = !same_state(&span.base, &span.next);
        let (unified_diff, no_diff) = match (contents.of_state(&span.base)?, contents.of_state(&span.next)?) {
            _ if !changed => (None, None),
            (Bytes::Known(before), Bytes::Known(after)) if binary::is_binary(&before) || binary::is_binary(&after) => {
                (None, Some("the file is binary".to_owned()))
            }
            (Bytes::Known(before), Bytes::Known(after)) => (Some(whole_diff(&before, &after)), None),
            (Bytes::Unknown(why), _) | (_, Bytes::Unknown(why)) => (None, Some(why)),
        };
        rows.push(AttemptDiff {
            attempt: AttemptRow::new(run, &scopes, attempt, changed),
            file_exists: exists(&span.next),
            file_sha256: sha256_text(&span.next),
            file_kind: kind_of(&span.next),
            base_exists: exists(&span.base),
            base_sha256: sha256_text(&span.base),
            recorded: span.recorded,
            unified_diff,
            no_diff,
        });
    }
    let (patch, not_patchable) = match changed_files(reader, run, None)?.into_iter().find(|one| one.path == file.path) {
        Some(changed) => match file_patch(&changed, &contents)? {
            FilePatch::Text(text) => (Some(OsBytes::new(text)), None),
            FilePatch::Not(why) => (None, Some(why)),
        },
        None => (None, Some("the run left it as it was, or its change is part of another file's rename".to_owned())),
    };
    Ok(FileDiff {
        schema_version: schema::v1("diff"),
        run_id: run.id.to_string(),
        file: file.display().clone(),
        base_snapshot_id: attempts.first().map(snapshot_id).unwrap_or_default(),
        base_path: file.path.clone(),
        base_exists: exists(base),
        base_sha256: sha256_text(base),
        base_kind: kind_of(base),
        attempts: rows,
        patch,
        not_patchable,
    })
}

/// What a path held at the beginning and end of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) base: FileState,
    pub(crate) next: FileState,
    pub(crate) recorded: bool,
}

/// The file's states by attempt. Where an attempt has no version of it, its state is the end of the nearest
/// attempt before, else the beginning of the nearest one after.
pub(crate) fn spans(
    reader: &Reader,
    run: &RunRow,
    file: &FilePath,
    attempts: &[crate::attempts::Attempt],
) -> Result<Vec<Span>, GraphError> {
    let history = history(reader, run, &file.path)?;
    let carried = |no| changed_files(reader, run, Some(no));
    let mut spans: Vec<Option<Span>> = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let mut own = history.own().filter(|version| version.attempt == attempt.no);
        let first = own.next();
        let span = match first {
            Some(first) => {
                let last = own.last().unwrap_or(first);
                Some(Span { base: first.before.clone(), next: last.after.clone(), recorded: true })
            }
            // A renamed directory may have brought or taken it without a version of its own.
            None if history.moves.iter().any(|directory| directory.attempt == attempt.no) => carried(attempt.no)?
                .into_iter()
                .find(|changed| changed.path == file.path)
                .map(|ChangedFile { base, next, .. }| Span { base, next, recorded: true }),
            None => None,
        };
        spans.push(span);
    }
    let still = |state: FileState| Span { base: state.clone(), next: state, recorded: false };
    let mut known: Option<FileState> = None;
    for span in &mut spans {
        match span {
            Some(span) => known = Some(span.next.clone()),
            None => *span = known.clone().map(still),
        }
    }
    let mut known: Option<FileState> = None;
    for span in spans.iter_mut().rev() {
        match span {
            Some(span) => known = Some(span.base.clone()),
            None => *span = known.clone().map(still),
        }
    }
    let unknown = || still(FileState::Unknown { why: "the run has no version of it".into() });
    Ok(spans.into_iter().map(|span| span.unwrap_or_else(unknown)).collect())
}

/// The diff of a whole run, or of one attempt.
///
/// # Errors
/// What the store says.
pub fn run_diff(
    reader: &Reader,
    run: &RunRow,
    attempt: Option<agentprov_model::AttemptNo>,
) -> Result<RunDiff, GraphError> {
    let attempts = attempts(reader, run)?;
    let contents = Contents::new(reader, &attempts);
    let files = changed_files(reader, run, attempt)?;
    let mut patch = Vec::new();
    let mut not_patchable = Vec::new();
    // A patch speaks of the workspace; what was changed elsewhere is in `files`.
    for file in files.iter().filter(|file| file.workspace_path.is_some()) {
        match file_patch(file, &contents)? {
            FilePatch::Text(text) => patch.extend(text),
            FilePatch::Not(why) => not_patchable.push(NotPatchable { path: file.display().clone(), why }),
        }
    }
    Ok(RunDiff {
        schema_version: schema::v1("run_diff"),
        run_id: run.id.to_string(),
        files: files.iter().map(ChangedFile::row).collect(),
        patch: OsBytes::new(patch),
        not_patchable,
    })
}
