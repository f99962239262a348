//! What a run, or one attempt, left different.

use crate::error::GraphError;
use crate::versions::{
    DirectoryMove, Version, all_versions, directory_moves, exists, kind_of, same_state, sha256_text, size_of,
};
use agentprov_model::{AttemptNo, EventId, FileState, OsBytes, ProcessId, VersionCause};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a file's end differs from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChangeType {
    /// It was not there before.
    Created,
    /// It holds something else.
    Modified,
    /// It is gone.
    Deleted,
    /// It was there under another name, which is gone.
    Renamed,
    /// Only its permission bits differ.
    ModeChanged,
}

impl ChangeType {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
            Self::ModeChanged => "mode_changed",
        }
    }
}

/// A path whose end differs from its beginning.
#[derive(Clone, Debug)]
pub struct ChangedFile {
    /// Absolute path.
    pub path: OsBytes,
    /// Path below the workspace; absent outside it.
    pub workspace_path: Option<OsBytes>,
    /// How it differs.
    pub change: ChangeType,
    /// For renamed files the path before: absolute, and below the workspace.
    pub renamed_from: Option<(OsBytes, Option<OsBytes>)>,
    /// First state; of a renamed file that of the old name.
    pub base: FileState,
    /// Last state.
    pub next: FileState,
    /// Everyone who may have written any of its versions.
    pub writers: Vec<ProcessId>,
    /// Id of the last version.
    pub last_event: Option<EventId>,
    /// Versions in between.
    pub versions: u64,
}

/// A changed file as a contract row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChangeRow {
    /// Path below the workspace, else absolute.
    pub path: OsBytes,
    /// How it differs.
    pub change_type: &'static str,
    /// Something was there before.
    pub base_exists: bool,
    /// Something is there after.
    pub next_exists: bool,
    /// Hex, or a word.
    pub base_sha256: String,
    /// Hex, or a word.
    pub next_sha256: String,
    /// Bytes before; 0 where nothing was there or the length is not known.
    pub base_bytes: u64,
    /// Bytes after.
    pub next_bytes: u64,
    /// What was there before: file, symlink, missing, unknown, ...
    pub base_kind: &'static str,
    /// What is there after.
    pub next_kind: &'static str,
    /// Old path of a renamed file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<OsBytes>,
}

impl ChangedFile {
    /// Rows of the files in the workspace, and of those outside.
    pub(crate) fn split_rows(files: &[Self]) -> (Vec<ChangeRow>, Vec<ChangeRow>) {
        let (inside, outside): (Vec<&Self>, Vec<&Self>) = files.iter().partition(|file| file.workspace_path.is_some());
        let rows = |files: Vec<&Self>| files.into_iter().map(Self::row).collect();
        (rows(inside), rows(outside))
    }

    /// The short name where there is one.
    pub fn display(&self) -> &OsBytes {
        self.workspace_path.as_ref().unwrap_or(&self.path)
    }

    /// The row that documents carry.
    pub fn row(&self) -> ChangeRow {
        ChangeRow {
            path: self.display().clone(),
            change_type: self.change.name(),
            base_exists: exists(&self.base),
            next_exists: exists(&self.next),
            base_sha256: sha256_text(&self.base),
            next_sha256: sha256_text(&self.next),
            base_bytes: size_of(&self.base).unwrap_or(0),
            next_bytes: size_of(&self.next).unwrap_or(0),
            base_kind: kind_of(&self.base),
            next_kind: kind_of(&self.next),
            renamed_from: self.renamed_from.as_ref().map(|(path, short)| short.as_ref().unwrap_or(path).clone()),
        }
    }
}

/// Files whose last state differs from their first, by path; of the whole run or of one attempt.
///
/// # Errors
/// What the store says.
pub fn changed_files(
    reader: &Reader,
    run: &RunRow,
    attempt: Option<AttemptNo>,
) -> Result<Vec<ChangedFile>, GraphError> {
    let versions = all_versions(reader, run, attempt)?;
    let mut moves = directory_moves(reader, run)?;
    moves.retain(|directory| attempt.is_none_or(|attempt| directory.attempt == attempt));
    let mut tracks = Tracks::default();
    let mut moves = moves.into_iter().peekable();
    for version in versions {
        while let Some(directory) = moves.next_if(|directory| directory.seq < version.seq) {
            tracks.carry(&directory);
        }
        tracks.add(version);
    }
    moves.for_each(|directory| tracks.carry(&directory));
    Ok(tracks.finish())
}

/// The life of one name.
#[derive(Clone, Debug)]
struct Track {
    workspace_path: Option<OsBytes>,
    base: FileState,
    next: FileState,
    writers: Vec<ProcessId>,
    last_event: Option<EventId>,
    versions: u64,
    /// Name at the beginning of the file that is here now.
    origin: Option<OsBytes>,
}

#[derive(Default)]
struct Tracks(BTreeMap<OsBytes, Track>);

impl Tracks {
    fn add(&mut self, version: Version) {
        let origin = match &version.cause {
            VersionCause::RenamedFrom(source) => {
                let known = self.0.get(source).map(|track| track.origin.clone());
                Some(known.flatten().unwrap_or_else(|| source.clone()))
            }
            _ => None,
        };
        let track = self.0.entry(version.path).or_insert_with(|| Track {
            workspace_path: version.workspace_path.clone(),
            base: version.before,
            next: FileState::Missing,
            writers: Vec::new(),
            last_event: None,
            versions: 0,
            origin: None,
        });
        track.next = version.after;
        track.workspace_path = track.workspace_path.take().or(version.workspace_path);
        track.last_event = Some(version.event);
        track.versions += 1;
        if origin.is_some() {
            track.origin = origin;
        } else if track.next == FileState::Missing && !matches!(version.cause, VersionCause::RenamedTo(_)) {
            track.origin = None;
        }
        for writer in version.writers {
            if !track.writers.contains(&writer) {
                track.writers.push(writer);
            }
        }
    }

    /// Files below a renamed directory go with it.
    fn carry(&mut self, directory: &DirectoryMove) {
        let inside = self.0.iter().filter(|(_, track)| exists(&track.next));
        let carried: Vec<(OsBytes, OsBytes)> =
            inside.filter_map(|(path, _)| Some((path.clone(), directory.carry(path)?))).collect();
        let taken: Vec<(OsBytes, OsBytes, Track)> = carried
            .into_iter()
            .filter_map(|(from, to)| {
                let track = self.0.get_mut(&from)?;
                let copy = track.clone();
                track.next = FileState::Missing;
                Some((from, to, copy))
            })
            .collect();
        for (from, to, moved) in taken {
            let workspace_path = moved.workspace_path.as_ref().and_then(|short| {
                let top = from.as_bytes().strip_suffix(short.as_bytes())?;
                to.as_bytes().strip_prefix(top).map(OsBytes::from)
            });
            let base = self.0.get(&to).map_or(FileState::Missing, |there| there.base.clone());
            let origin = Some(moved.origin.clone().unwrap_or(from));
            self.0.insert(to, Track { workspace_path, base, origin, ..moved });
        }
    }

    fn finish(self) -> Vec<ChangedFile> {
        let tracks = self.0;
        let mut renamed_away: Vec<OsBytes> = Vec::new();
        let mut files: Vec<ChangedFile> = Vec::new();
        for (path, track) in &tracks {
            if same_state(&track.base, &track.next) {
                continue;
            }
            // A rename in git's sense: the old name had something and has nothing now, the new one the reverse.
            let origin = track.origin.as_ref().filter(|_| !exists(&track.base) && exists(&track.next));
            let origin = origin.and_then(|origin| Some((origin, tracks.get(origin)?)));
            let origin = origin.filter(|(origin, was)| {
                exists(&was.base) && !exists(&was.next) && *origin != path && !renamed_away.contains(origin)
            });
            let (base, renamed_from) = match origin {
                Some((origin, was)) => {
                    renamed_away.push(origin.clone());
                    (was.base.clone(), Some((origin.clone(), was.workspace_path.clone())))
                }
                None => (track.base.clone(), None),
            };
            files.push(ChangedFile {
                path: path.clone(),
                workspace_path: track.workspace_path.clone(),
                change: change_type(&base, &track.next, renamed_from.is_some()),
                renamed_from,
                base,
                next: track.next.clone(),
                writers: track.writers.clone(),
                last_event: track.last_event,
                versions: track.versions,
            });
        }
        files.retain(|file| exists(&file.next) || !renamed_away.contains(&file.path));
        files
    }
}

fn change_type(base: &FileState, next: &FileState, renamed: bool) -> ChangeType {
    match (base, next) {
        _ if renamed => ChangeType::Renamed,
        (FileState::Missing, _) => ChangeType::Created,
        (_, FileState::Missing) => ChangeType::Deleted,
        (FileState::File { content: a, .. }, FileState::File { content: b, .. }) if a.sha256 == b.sha256 => {
            ChangeType::ModeChanged
        }
        _ => ChangeType::Modified,
    }
}
