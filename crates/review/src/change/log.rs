//! The commits of a range and what each did to which path.

use crate::change::error::ChangeError;
use crate::change::raw;
use crate::change::repository::Repository;
use agentprov_model::{EventTime, GitBlobId, OsBytes};
use std::collections::HashMap;

/// Commits that are walked.
const MAX_COMMITS: usize = 20_000;

/// One commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitRow {
    /// Its name.
    pub id: String,
    /// Names of its parents.
    pub parents: Vec<String>,
    /// Name and address of its author.
    pub author: (String, String),
    /// When it was committed; the end of its second, since git keeps no finer time.
    pub time: EventTime,
    /// Its message.
    pub message: String,
}

/// A path that a commit changed against one of its parents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// Path in the parent.
    pub old_path: OsBytes,
    /// Blob in the parent; None where it had no file.
    pub old_blob: Option<GitBlobId>,
}

/// Where a content stands: a blob under a path, at or before a commit of the walk.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GitPosition {
    /// The path.
    pub path: OsBytes,
    /// The blob.
    pub blob: GitBlobId,
    /// Commits from this place on in [`GitLog::commits`] may have brought it.
    pub from: usize,
}

/// A commit by its place, and what its parents had.
type Arrival = (usize, Vec<Move>);

/// Commits, children before parents.
#[derive(Clone, Debug, Default)]
pub struct GitLog {
    commits: Vec<CommitRow>,
    /// By resulting path and blob: commits that resulted in it, each with what was there in its parents.
    arrivals: HashMap<(OsBytes, Option<GitBlobId>), Vec<Arrival>>,
}

impl GitLog {
    /// Commits that `head` has and `base` has not; all of its commits where there is no base. With a path only those that
    /// touched it, through its renames.
    ///
    /// # Errors
    /// What git says.
    pub fn read(
        repository: &Repository,
        base: Option<&str>,
        head: &str,
        path: Option<&OsBytes>,
    ) -> Result<Self, ChangeError> {
        let range = base.map_or_else(|| head.to_owned(), |base| format!("{base}..{head}"));
        let count = format!("--max-count={MAX_COMMITS}");
        // Records begin with a byte that occurs in no name and hardly in a message; fields end with zero bytes.
        let format = "--format=tformat:%x01%H%x00%P%x00%an%x00%ae%x00%ct%x00%B%x00";
        let mut arguments = vec![
            "log",
            "--topo-order",
            "-z",
            "--raw",
            "--no-abbrev",
            "-M",
            "-l0",
            "-m",
            "--no-color",
            &count,
            format,
            &range,
        ];
        let name = path.map(|path| path.lossy().into_owned());
        if let Some(name) = &name {
            arguments.extend(["--follow", "--", name]);
        } else {
            arguments.push("--");
        }
        Self::parse(&repository.run(&arguments)?)
    }

    /// The commits.
    pub fn commits(&self) -> &[CommitRow] {
        &self.commits
    }

    /// The commit that brought the content to this path, and what its parents had there. None where the content was
    /// there before the walk.
    pub fn arrival(&self, position: &GitPosition) -> Option<(usize, &[Move])> {
        self.find(&position.path, Some(position.blob), position.from)
    }

    /// The newest commit, at or after this place in the walk, that took the path away.
    pub fn removal(&self, path: &OsBytes, from: usize) -> Option<(usize, &[Move])> {
        self.find(path, None, from)
    }

    fn find(&self, path: &OsBytes, blob: Option<GitBlobId>, from: usize) -> Option<(usize, &[Move])> {
        let rows = self.arrivals.get(&(path.clone(), blob))?;
        rows.iter()
            .filter(|(commit, _)| *commit >= from)
            // A merge that has the content from a parent unchanged is no origin.
            .find(|(commit, moves)| moves.len() >= self.commits[*commit].parents.len().max(1))
            .map(|(commit, moves)| (*commit, moves.as_slice()))
    }

    fn parse(output: &[u8]) -> Result<Self, ChangeError> {
        let broken =
            |what: &[u8]| ChangeError::Answer { command: "log", what: String::from_utf8_lossy(what).into_owned() };
        let mut log = Self::default();
        let mut fields = output.split(|byte| *byte == 0);
        while let Some(field) = fields.next() {
            let field = field.strip_prefix(b"\n").unwrap_or(field);
            if let Some(id) = field.strip_prefix(b"\x01") {
                let mut text = || fields.next().map(|field| String::from_utf8_lossy(field).into_owned());
                let row = text().zip(text()).zip(text().zip(text().zip(text())));
                let ((parents, name), (address, (seconds, message))) = row.ok_or_else(|| broken(id))?;
                let seconds: i64 = seconds.parse().map_err(|_| broken(seconds.as_bytes()))?;
                let time = EventTime::from_nanos(seconds.saturating_add(1).saturating_mul(1_000_000_000));
                let id = String::from_utf8_lossy(id).into_owned();
                // With `-m` a merge has one record for each parent that it differs from.
                if log.commits.last().is_none_or(|last| last.id != id) {
                    let parents = parents.split_ascii_whitespace().map(str::to_owned).collect();
                    log.commits.push(CommitRow { id, parents, author: (name, address), time, message });
                }
            } else if field.starts_with(b":") {
                let entry = raw::entry(field, &mut fields).ok_or_else(|| broken(field))?;
                let place = log.commits.len().checked_sub(1).ok_or_else(|| broken(field))?;
                let rows = log.arrivals.entry((entry.new_path, entry.new_blob)).or_default();
                let change = Move { old_path: entry.old_path, old_blob: entry.old_blob };
                match rows.last_mut() {
                    Some((commit, moves)) if *commit == place => moves.push(change),
                    _ => rows.push((place, vec![change])),
                }
            } else if !field.is_empty() {
                return Err(broken(field));
            }
        }
        Ok(log)
    }
}
