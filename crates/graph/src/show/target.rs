//! What a name on the command line stands for.

use crate::attempts::attempts;
use crate::error::GraphError;
use crate::selection::nearest;
use crate::versions::{FilePath, find_file, resolve_file};
use agentprov_model::content::{GitSha1, GitSha256};
use agentprov_model::{
    AttemptNo, ContentId, EventId, EventTime, GitBlobId, IndexKey, KeyKind, OsBytes, ProcessId, RunId,
};
use agentprov_store::{EventRow, LedgerEvent, Reader, RunNo, RunRow, Seq};

/// A thing that can be shown.
#[derive(Clone, Debug)]
pub enum Target {
    /// A run.
    Run(RunRow),
    /// An attempt, by its own id or by that of its tool call or session.
    Attempt(RunRow, AttemptNo),
    /// A process.
    Process(RunRow, ProcessId),
    /// A fact.
    Event(RunRow, EventRow),
    /// A content, with the versions that left it behind.
    Content(ContentName, Vec<(RunRow, Vec<Seq>)>),
    /// A file that a run changed.
    File(RunRow, FilePath),
}

/// How a content was named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentName {
    /// By the SHA-256 of its bytes.
    Sha256(ContentId),
    /// By git's name.
    Git(GitBlobId),
}

/// Finds what `name` names: a run, a process (`proc-...`), an event (`evt-...`), a content (hex of a SHA-256 or of
/// a git blob), an attempt, tool call or session, else a file of `run` (of the newest run that
/// changed it where none is given).
///
/// # Errors
/// [`GraphError::NotFound`] with the nearest name, [`GraphError::Removed`], or what the store says.
pub fn resolve_id(
    reader: &Reader,
    run: Option<&RunRow>,
    name: &OsBytes,
    cwd: Option<&OsBytes>,
) -> Result<Target, GraphError> {
    let text = &*name.lossy();
    let unknown = |kind: &'static str| GraphError::NotFound {
        kind,
        name: text.to_owned(),
        suggestion: None,
        run: run.map(|run| run.id.to_string()),
    };
    if let Ok(id) = text.parse::<ProcessId>() {
        return find_process(reader, run, id)?.ok_or_else(|| unknown("process"));
    }
    if let Ok(id) = text.parse::<EventId>() {
        return find_event(reader, run, id)?.ok_or_else(|| unknown("event"));
    }
    for (prefix, kind, form) in [("proc-", "process", "proc-<16 hex digits>"), ("evt-", "event", "evt-<32 hex digits>")]
    {
        let hex = text.strip_prefix(prefix).filter(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if hex.is_some_and(|hex| !hex.is_empty()) && !run_named(reader, text)? {
            return Err(GraphError::Argument(format!("'{text}' is no whole {kind} id: they have the form {form}")));
        }
    }
    if let Some(id) = RunId::new(text).ok().as_ref()
        && let Some(row) = reader.run(id)?
    {
        return match row.removed {
            Some(_) => Err(removed(reader, &row)?),
            None => Ok(Target::Run(row)),
        };
    }
    if let Some(target) = find_content(reader, text)? {
        return Ok(target);
    }
    let rows: Vec<RunRow> = match run {
        Some(run) => vec![run.clone()],
        None => reader.runs()?.into_iter().filter(|row| row.removed.is_none()).collect(),
    };
    if let Some(target) = find_attempt(reader, &rows, text)? {
        return Ok(target);
    }
    if let Some(target) = find_declared(reader, &rows, text)? {
        return Ok(target);
    }
    let mut newest_first: Vec<&RunRow> = rows.iter().collect();
    newest_first.sort_by_key(|row| std::cmp::Reverse((!row.id.is_of_reviews(), row.updated, row.no)));
    let Some(newest) = newest_first.first() else {
        return Err(GraphError::NoRuns(reader.store().dir().display().to_string()));
    };
    for run in &newest_first {
        if let Some(file) = find_file(reader, run, &attempts(reader, run)?, name, cwd)? {
            return Ok(Target::File((*run).clone(), file));
        }
    }
    match resolve_file(reader, newest, &attempts(reader, newest)?, name, cwd) {
        Ok(file) => Ok(Target::File((*newest).clone(), file)),
        Err(GraphError::NotFound { suggestion, .. }) => {
            let suggestion = suggestion.or_else(|| nearest(text, rows.iter().map(|row| row.id.as_str())));
            Err(GraphError::not_in(newest, "id or file", text).but_near(suggestion))
        }
        Err(error) => Err(error),
    }
}

fn run_named(reader: &Reader, text: &str) -> Result<bool, GraphError> {
    match RunId::new(text) {
        Ok(id) => Ok(reader.run(&id)?.is_some()),
        Err(_) => Ok(false),
    }
}

fn removed(reader: &Reader, row: &RunRow) -> Result<GraphError, GraphError> {
    let found = reader.ledger()?.into_iter().rev().find_map(|(_, entry)| match entry.event {
        LedgerEvent::Removed(removal) if entry.run == row.id => {
            Some((entry.at.to_rfc3339(), removal.by, removal.reason))
        }
        _ => None,
    });
    let (at, by, reason) = found.unwrap_or_else(|| {
        ("at an unknown time".into(), "somebody unknown".into(), "no tombstone in the ledger".into())
    });
    Ok(GraphError::Removed { run: row.id.to_string(), at, by, reason })
}

fn find_process(reader: &Reader, run: Option<&RunRow>, id: ProcessId) -> Result<Option<Target>, GraphError> {
    let key = IndexKey { kind: KeyKind::Process, value: id.as_bytes() };
    let found = rows_with(reader, run, key)?;
    // Two runs may have recorded one process, each its own part of its life: the newest is meant.
    Ok(found.into_iter().next_back().map(|(row, _)| Target::Process(row, id)))
}

fn find_event(reader: &Reader, run: Option<&RunRow>, id: EventId) -> Result<Option<Target>, GraphError> {
    let found = match run {
        Some(run) => reader.event(run.no, &id)?.map(|row| (run.clone(), row)),
        None => reader.find_event(&id)?,
    };
    Ok(found.map(|(run, row)| Target::Event(run, row)))
}

/// The fact in which an agent first spoke of a tool call or session.
fn find_declared(reader: &Reader, rows: &[RunRow], text: &str) -> Result<Option<Target>, GraphError> {
    for kind in [KeyKind::DeclaredCall, KeyKind::DeclaredSession] {
        for row in rows {
            let key = IndexKey { kind, value: text.as_bytes() };
            let Some((_, fact)) = reader.facts_by_key(row.no, key)?.into_iter().next() else { continue };
            if let Some(event) = reader.event(row.no, &fact.id)? {
                return Ok(Some(Target::Event(row.clone(), event)));
            }
        }
    }
    Ok(None)
}

fn find_content(reader: &Reader, text: &str) -> Result<Option<Target>, GraphError> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let mut names = Vec::new();
    names.extend(hex.parse::<ContentId>().ok().map(ContentName::Sha256));
    names.extend(hex.parse::<GitSha1>().ok().map(|id| ContentName::Git(GitBlobId::Sha1(id))));
    names.extend(hex.parse::<GitSha256>().ok().map(|id| ContentName::Git(GitBlobId::Sha256(id))));
    let is_hash = !names.is_empty();
    if let Some(target) = find_review(reader, hex)? {
        return Ok(Some(target));
    }
    for name in names {
        let found = match &name {
            ContentName::Sha256(id) => {
                rows_with(reader, None, IndexKey { kind: KeyKind::Content, value: id.as_bytes() })?
            }
            ContentName::Git(id) => rows_with(reader, None, IndexKey { kind: KeyKind::GitBlob, value: id.as_bytes() })?,
        };
        let kept = match &name {
            ContentName::Sha256(id) => reader.blob_row(id)?.is_some(),
            ContentName::Git(_) => false,
        };
        if kept || !found.is_empty() {
            return Ok(Some(Target::Content(name, found)));
        }
    }
    match is_hash {
        true => Err(GraphError::NotFound { kind: "content", name: text.to_owned(), suggestion: None, run: None }),
        false => Ok(None),
    }
}

/// The last decision about a commit.
fn find_review(reader: &Reader, commit: &str) -> Result<Option<Target>, GraphError> {
    let found = rows_with(reader, None, IndexKey { kind: KeyKind::Commit, value: commit.as_bytes() })?;
    let mut last: Option<(EventTime, RunRow, EventId)> = None;
    for (row, seqs) in found {
        let Some(seq) = seqs.last() else { continue };
        let fact = reader.fact(row.no, *seq)?;
        if last.as_ref().is_none_or(|(at, _, _)| *at <= fact.at) {
            last = Some((fact.at, row, fact.id));
        }
    }
    let Some((_, row, id)) = last else { return Ok(None) };
    Ok(reader.event(row.no, &id)?.map(|event| Target::Event(row, event)))
}

/// Runs that have facts with this key, the oldest first, with those facts. Hash collisions of keys are sorted out.
fn rows_with(reader: &Reader, run: Option<&RunRow>, key: IndexKey<'_>) -> Result<Vec<(RunRow, Vec<Seq>)>, GraphError> {
    let lists: Vec<(RunNo, Vec<Seq>)> = match run {
        Some(run) => vec![(run.no, reader.postings(run.no, key)?)],
        None => reader.postings_everywhere(key)?,
    };
    let mut found = Vec::new();
    for (no, seqs) in lists {
        let mut real = Vec::with_capacity(seqs.len());
        for seq in seqs {
            if reader.fact(no, seq)?.has_key(key) {
                real.push(seq);
            }
        }
        if let (false, Some(row)) = (real.is_empty(), reader.run_by_no(no)?) {
            found.push((row, real));
        }
    }
    Ok(found)
}

fn find_attempt(reader: &Reader, rows: &[RunRow], text: &str) -> Result<Option<Target>, GraphError> {
    for row in rows {
        for attempt in attempts(reader, row)? {
            let started = &attempt.started;
            let ids = [started.attempt_id.as_str(), started.tool_call_id.as_str(), started.session_id.as_str()];
            if ids.contains(&text) {
                return Ok(Some(Target::Attempt(row.clone(), attempt.no)));
            }
        }
    }
    Ok(None)
}
