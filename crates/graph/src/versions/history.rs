//! The history of one file, through every name that it had.

use crate::error::GraphError;
use crate::versions::{DirectoryMove, Version, directory_moves};
use agentprov_model::{AttemptNo, FileState, IndexKey, KeyKind, OsBytes, VersionCause};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::{BTreeMap, HashMap};

/// What happened to a file inside a run.
#[derive(Clone, Debug)]
pub struct FileHistory {
    /// Absolute path that was asked for.
    pub path: OsBytes,
    /// Path below the workspace, where it lies in it.
    pub workspace_path: Option<OsBytes>,
    /// Every version of the path, and of the files that were renamed or linked to it before that, in append order.
    pub versions: Vec<Version>,
    /// Renames of directories that carried the file along.
    pub moves: Vec<DirectoryMove>,
}

impl FileHistory {
    /// Versions under the name that was asked for.
    pub fn own(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(|version| version.path == self.path)
    }

    /// Versions that one attempt made.
    pub fn of_attempt(&self, attempt: AttemptNo) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(move |version| version.attempt == attempt)
    }

    /// The name to which the file was last renamed away, where that is the end of its history here.
    pub fn moved_to(&self) -> Option<&OsBytes> {
        match self.own().last().map(|version| &version.cause) {
            Some(VersionCause::RenamedTo(to)) => Some(to),
            _ => None,
        }
    }
}

/// The history of an absolute path; it has no versions where the run did not change the file.
///
/// # Errors
/// What the store says.
pub fn history(reader: &Reader, run: &RunRow, path: &OsBytes) -> Result<FileHistory, GraphError> {
    let all_moves = directory_moves(reader, run)?;
    let mut walk =
        Walk { reader, run, all_moves: &all_moves, ends: HashMap::new(), found: BTreeMap::new(), moves: Vec::new() };
    walk.follow(path.clone(), Seq::MAX, Part::Whole)?;
    let Walk { found, mut moves, .. } = walk;
    moves.sort_by_key(|directory| directory.seq);
    moves.dedup();
    let versions: Vec<Version> = found.into_values().collect();
    let named = versions.iter().rev().filter(|version| version.path == *path);
    let workspace_path = named.map(|version| version.workspace_path.clone()).next().flatten();
    Ok(FileHistory { path: path.clone(), workspace_path, versions, moves })
}

/// How much of a path's past belongs to the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it: the user asked for the path.
    Whole,
    /// From the last time that the name was free: before that it was another file's.
    SinceFree,
}

struct Walk<'a> {
    reader: &'a Reader,
    run: &'a RunRow,
    all_moves: &'a [DirectoryMove],
    /// Up to where each name was followed.
    ends: HashMap<OsBytes, Seq>,
    found: BTreeMap<Seq, Version>,
    moves: Vec<DirectoryMove>,
}

impl Walk<'_> {
    fn follow(&mut self, path: OsBytes, end: Seq, part: Part) -> Result<(), GraphError> {
        let mut open = vec![(path, end, part)];
        while let Some((path, end, part)) = open.pop() {
            if self.ends.get(&path).is_some_and(|known| *known >= end) {
                continue;
            }
            self.ends.insert(path.clone(), end);
            let versions = self.versions_of(&path, end, part)?;
            let start = versions.first().map_or(end, |version| version.seq);
            for directory in self.all_moves.iter().filter(|directory| directory.seq < end) {
                // A name that was free between had no file for the directory to carry.
                let carried = part == Part::Whole || directory.seq <= start || versions.is_empty();
                if carried && let Some(before) = directory.undo(&path) {
                    self.moves.push(directory.clone());
                    open.push((before, directory.seq, Part::SinceFree));
                }
            }
            for version in versions {
                if let Some(source) = version.source() {
                    open.push((source.clone(), version.seq, Part::SinceFree));
                }
                self.found.insert(version.seq, version);
            }
        }
        Ok(())
    }

    fn versions_of(&self, path: &OsBytes, end: Seq, part: Part) -> Result<Vec<Version>, GraphError> {
        let key = IndexKey { kind: KeyKind::Path, value: path.as_bytes() };
        let facts = self.reader.facts_by_key(self.run.no, key)?;
        let mut versions: Vec<Version> = facts
            .into_iter()
            .filter(|(seq, _)| *seq < end)
            .filter_map(|(seq, fact)| Version::from_fact(seq, fact))
            .collect();
        if part == Part::SinceFree
            && let Some(freed) = versions.iter().rposition(|version| version.after == FileState::Missing)
        {
            versions.drain(..=freed);
        }
        Ok(versions)
    }
}
