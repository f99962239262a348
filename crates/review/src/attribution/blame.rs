//! Every line of a file at a commit, or in the work tree, across runs and commits.

use crate::attribution::asserted::{commit_claims, notes};
use crate::attribution::build::{Builder, LineEvidence};
use crate::attribution::claim::{Attribution, LineSide};
use crate::attribution::commits::line_commits;
use crate::attribution::recorded::Recordings;
use crate::attribution::{AttributionError, Sources};
use crate::change::{ChangeError, ChangeKind, ChangedFile, GitLog, Repository, Side, classify};
use agentprov_model::{GitBlobId, OsBytes};
use serde::Serialize;
use std::sync::Arc;

/// A file with its lines and who wrote them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BlamedFile {
    /// Relative to the top of the repository.
    pub path: String,
    /// The commit; absent for the work tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Lines without their ends; bytes that are no UTF-8 are shown as U+FFFD.
    pub text: Vec<String>,
    /// Who wrote them; the one file in it has an entry for each line.
    #[serde(flatten)]
    pub attribution: Attribution,
}

/// Blames a file at a commit.
///
/// # Errors
/// [`AttributionError`]; a path that the commit does not have is one.
pub fn blame(
    repository: &Repository,
    sources: &Sources<'_>,
    path: &OsBytes,
    revision: &str,
) -> Result<BlamedFile, AttributionError> {
    let commit = repository.commit(revision)?;
    let missing = || ChangeError::NoCommit(format!("{revision}:{}", path.lossy()));
    let blob = repository.blob_at(&commit, path)?.ok_or_else(missing)?;
    let bytes = repository.bytes_of(blob)?.ok_or_else(missing)?;
    let log = GitLog::read(repository, None, &commit, Some(path))?;
    let file = whole_file(path, blob, bytes);
    let mut builder = Builder::default();
    let commits = line_commits(repository, &log, &file)?;
    let names: Vec<&str> = log.commits().iter().map(|commit| commit.id.as_str()).collect();
    let (notes, notices) = notes(repository, &names)?;
    builder.notices(notices);
    let recordings = sources.reader.map(|reader| Recordings::open(reader, Some(repository), &log)).transpose()?;
    let mut recordings = recordings;
    let lines = match (&mut recordings, file.new.text()) {
        (Some(recordings), Some(text)) => recordings.lines(text, path, Some(blob))?,
        _ => Vec::new(),
    };
    let mut rows = Vec::new();
    for line in file.added() {
        let mut said = Vec::new();
        let origin = commits.added.get(&line.index()).map(|(place, there)| (&log.commits()[*place], *there));
        if let Some((row, there)) = origin {
            for trace in sources.traces.iter().filter(|trace| trace.speaks_of(&row.id, &row.parents)) {
                said.extend(trace.claims(&file.path, there).map(|claim| builder.intern(claim)));
            }
            let ranges = notes.get(&row.id).into_iter().flatten();
            let ranges = ranges.filter(|range| range.path == file.path && range.first <= there && there <= range.last);
            said.extend(ranges.map(|range| builder.intern(&range.claim)));
            said.extend(builder.intern_all(commit_claims(row)));
        }
        let recorded = lines.get(line.index()).map(AsRef::as_ref);
        let commit = origin.map(|(row, _)| row.id.clone());
        let asked = sources.reader.is_some();
        rows.push(builder.line(LineEvidence { side: LineSide::Added, line, recorded, said, commit, asked }));
    }
    builder.file(&file.path, rows);
    let shown = |line: &&[u8]| String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned();
    let text = file.new_lines().iter().map(shown).collect();
    Ok(BlamedFile { path: file.path.clone(), commit: Some(commit), text, attribution: builder.finish() })
}

/// The file as if all of it were new.
fn whole_file(path: &OsBytes, blob: GitBlobId, bytes: Arc<[u8]>) -> ChangedFile {
    let mode = 0o100_644;
    let new = Side { mode, blob: Some(blob), content: classify(mode, bytes) };
    ChangedFile::compared(path.clone(), None, ChangeKind::Added, Side::absent(), new)
}
