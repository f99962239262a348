//! `blame/v1`: which process wrote each line of a file, through every version inside the run.

mod lineage;
mod openers;
mod owner;

pub use owner::{EarlierStatement, LineStatus, Owner, OwnerCall, Statement};

use crate::attempts::attempts;
use crate::diff::{AttemptRow, snapshot_id, spans, split_lines};
use crate::error::GraphError;
use crate::processes::ProcessTable;
use crate::scope_context::Scopes;
use crate::tool_calls::ToolCalls;
use crate::versions::{Contents, FilePath, exists, history, kind_of, same_state, sha256_text};
use agentprov_model::{FileState, OsBytes, schema};
use agentprov_store::{Reader, RunRow};
use lineage::Text;
use owner::Witness;
use serde::Serialize;
use std::num::NonZeroU64;

/// A line of a file, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct LineNo(NonZeroU64);

impl LineNo {
    /// A line number; None for 0.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, from 1.
    pub const fn number(self) -> u64 {
        self.0.get()
    }

    /// How many lines come before it.
    pub fn index(self) -> usize {
        usize::try_from(self.0.get() - 1).unwrap_or(usize::MAX)
    }

    fn from_index(index: usize) -> Self {
        Self(NonZeroU64::MIN.saturating_add(index as u64))
    }
}

impl std::fmt::Display for LineNo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// `blame/v1`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Blame {
    /// `agentprovenance.blame/v1`.
    pub schema_version: String,
    /// Run.
    pub run_id: String,
    /// The file, below the workspace where it lies in it.
    pub file: OsBytes,
    /// Absolute path of the file.
    pub path: OsBytes,
    /// Evidence that stands for the state before the run.
    pub base_snapshot_id: String,
    /// Hash of that state, or a word.
    pub base_sha256: String,
    /// By attempt: what became of the file.
    pub entries: Vec<BlameEntry>,
    /// The file is there at the end of the run.
    pub exists: bool,
    /// Hash of the last state, or a word.
    pub sha256: String,
    /// Where the file was renamed to, when that is why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<OsBytes>,
    /// Lines of the last state; the asked ones only.
    pub lines: Vec<BlameLine>,
    /// Lines of the last state in all; absent where its content is not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_count: Option<u64>,
    /// Why there are no lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_lines: Option<String>,
}

/// What became of the file in one attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BlameEntry {
    /// The attempt.
    #[serde(flatten)]
    pub attempt: AttemptRow,
    /// The file.
    pub file: OsBytes,
    /// `unchanged_from_base`, or `created_`, `modified_` or `deleted_by_attempt`.
    pub reason: &'static str,
    /// Hash of its state at the attempt's end, or a word.
    pub sha256: String,
}

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BlameLine {
    /// Number, from 1.
    pub line: LineNo,
    /// The text without its end; bytes that are not UTF-8 are shown as U+FFFD.
    pub text: String,
    /// Who wrote it.
    #[serde(flatten)]
    pub statement: Statement,
    /// What stood in its place before, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierStatement>,
}

/// Blames a file of a run, or one line of it.
///
/// # Errors
/// [`GraphError::Argument`] for a line that the file does not have, or what the store says.
pub fn blame(reader: &Reader, run: &RunRow, file: &FilePath, line: Option<LineNo>) -> Result<Blame, GraphError> {
    let attempts = attempts(reader, run)?;
    let scopes = Scopes::load(reader, run)?;
    let contents = Contents::new(reader, &attempts);
    let history = history(reader, run, &file.path)?;
    let spans = spans(reader, run, file, &attempts)?;
    let last = lineage::trace(reader, run, &history, &contents)?;
    let unknown = FileState::Unknown { why: "the run has no version of it".into() };
    let state = last.as_ref().map_or(&unknown, |last| &last.state);
    let (lines, line_count, no_lines) = match last.as_ref().map(|last| &last.text) {
        _ if !exists(state) => (Vec::new(), Some(0), Some("the file is not there at the end of the run".to_owned())),
        Some(Text::Known { bytes, lines }) => {
            let processes = ProcessTable::load(reader, run)?;
            let tool_calls = ToolCalls::load(reader, run, &processes)?;
            let witness = Witness {
                versions: &history.versions,
                processes: &processes,
                attempts: &attempts,
                tool_calls: &tool_calls,
            };
            let all = split_lines(bytes);
            let wanted = wanted(line, all.len(), file)?;
            let rows = wanted.map(|index| {
                let (statement, earlier) = witness.line(&lines[index]);
                let text = String::from_utf8_lossy(all[index].strip_suffix(b"\n").unwrap_or(all[index])).into_owned();
                BlameLine { line: LineNo::from_index(index), text, statement, earlier }
            });
            (rows.collect(), Some(all.len() as u64), None)
        }
        Some(Text::Opaque { why, .. }) => (Vec::new(), None, Some(format!("its content is not available: {why}"))),
        None => (Vec::new(), None, Some("the run has no version of it".to_owned())),
    };
    let entries = attempts.iter().zip(&spans).map(|(attempt, span)| {
        let changed = !same_state(&span.base, &span.next);
        BlameEntry {
            attempt: AttemptRow::new(run, &scopes, attempt, changed),
            file: file.display().clone(),
            reason: reason(&span.base, &span.next, changed),
            sha256: sha256_text(&span.next),
        }
    });
    Ok(Blame {
        schema_version: schema::v1("blame"),
        run_id: run.id.to_string(),
        file: file.display().clone(),
        path: file.path.clone(),
        base_snapshot_id: attempts.first().map(snapshot_id).unwrap_or_default(),
        base_sha256: spans.first().map_or_else(|| "unknown".into(), |span| sha256_text(&span.base)),
        entries: entries.collect(),
        exists: exists(state),
        sha256: sha256_text(state),
        moved_to: history.moved_to().filter(|_| !exists(state)).cloned(),
        lines,
        line_count,
        no_lines,
    })
}

fn wanted(line: Option<LineNo>, count: usize, file: &FilePath) -> Result<std::ops::Range<usize>, GraphError> {
    match line {
        None => Ok(0..count),
        Some(line) if line.index() < count => Ok(line.index()..line.index() + 1),
        Some(line) => {
            let name = file.display().lossy();
            Err(GraphError::Argument(format!(
                "line {line} is beyond the {count} lines of '{name}' at the end of the run"
            )))
        }
    }
}

fn reason(base: &FileState, next: &FileState, changed: bool) -> &'static str {
    match (base, next) {
        _ if !changed => "unchanged_from_base",
        (FileState::Unknown { .. }, _) | (_, FileState::Unknown { .. }) if kind_of(base) == kind_of(next) => "unknown",
        (FileState::Missing, _) => "created_by_attempt",
        (_, FileState::Missing) => "deleted_by_attempt",
        _ => "modified_by_attempt",
    }
}
