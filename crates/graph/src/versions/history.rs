//! The history of one file, through every name that it had.

use crate::error::GraphError;
use crate::versions::{DirectoryMove, Version, directory_moves};
use agentprov_model::{AttemptNo, FileState, IndexKey, KeyKind, OsBytes, VersionCause};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::{BTreeMap, HashMap, HashSet};

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
    let mut walk = Walk {
        reader,
        run,
        all_moves: &all_moves,
        followed: HashSet::new(),
        by_name: HashMap::new(),
        found: BTreeMap::new(),
        moves: Vec::new(),
    };
    walk.follow(path.clone(), Seq::MAX, Part::Whole)?;
    let Walk { found, mut moves, .. } = walk;
    moves.sort_by_key(|directory| directory.seq);
    moves.dedup();
    let versions: Vec<Version> = found.into_values().collect();
    let named = versions.iter().rev().filter(|version| version.path == *path);
    let workspace_path = named.map(|version| version.workspace_path.clone()).next().flatten();
    Ok(FileHistory { path: path.clone(), workspace_path, versions, moves })
}

/// Every version under one name, whatever file had it, in append order.
///
/// # Errors
/// What the store says.
pub(crate) fn versions_of_name(reader: &Reader, run: &RunRow, name: &OsBytes) -> Result<Vec<Version>, GraphError> {
    let facts = reader.facts_by_key(run.no, IndexKey { kind: KeyKind::Path, value: name.as_bytes() })?;
    let versions = facts.into_iter().filter_map(|(seq, fact)| Version::from_fact(seq, fact));
    Ok(versions.filter(|version| version.path == *name).collect())
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
    /// Lives of names that were followed, by name and end: a name may be used again and again.
    followed: HashSet<(OsBytes, Seq)>,
    /// Versions of each name.
    by_name: HashMap<OsBytes, Vec<Version>>,
    found: BTreeMap<Seq, Version>,
    moves: Vec<DirectoryMove>,
}

impl Walk<'_> {
    fn follow(&mut self, path: OsBytes, end: Seq, part: Part) -> Result<(), GraphError> {
        let mut open = vec![(path, end, part)];
        while let Some((path, end, part)) = open.pop() {
            if !self.followed.insert((path.clone(), end)) {
                continue;
            }
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

    fn versions_of(&mut self, path: &OsBytes, end: Seq, part: Part) -> Result<Vec<Version>, GraphError> {
        if !self.by_name.contains_key(path) {
            self.by_name.insert(path.clone(), versions_of_name(self.reader, self.run, path)?);
        }
        let all = self.by_name.get(path).map(Vec::as_slice).unwrap_or_default();
        let before = &all[..all.partition_point(|version| version.seq < end)];
        let freed = before.iter().rposition(|version| version.after == FileState::Missing);
        let start = if part == Part::SinceFree { freed.map_or(0, |freed| freed + 1) } else { 0 };
        Ok(before[start..].to_vec())
    }
}
