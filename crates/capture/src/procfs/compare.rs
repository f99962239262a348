//! The workspace before and after, by size, times and inode.

use crate::output_line::OutputLine;
use crate::ptrace::paths;
use crate::workspace::policy::Place;
use crate::workspace::states::States;
use agentprov_model::{FileState, FileVersion, OsBytes, VersionCause, What};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Every file below a directory, directories themselves left out.
#[derive(Default)]
pub(crate) struct Tree {
    files: BTreeMap<Vec<u8>, Mark>,
}

impl Tree {
    /// Walks without following symbolic links; what can't be read is left out.
    pub(crate) fn walk(top: &Path) -> Self {
        let mut tree = Self::default();
        let mut dirs = vec![top.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    dirs.push(entry.path());
                } else {
                    tree.files.insert(entry.path().into_os_string().as_bytes().to_vec(), Mark::of(&metadata));
                }
            }
        }
        tree
    }
}

/// Files that this process, the recorder, has open for writing: its own work is no work of the command.
fn own_files() -> Vec<(u64, u64)> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| std::fs::metadata(entry.path()).ok())
        .filter(Metadata::is_file)
        .map(|metadata| (metadata.dev(), metadata.ino()))
        .collect()
}

/// Emits one version for each file that differs.
pub(crate) fn report(before: &Tree, after: &Tree, states: &mut States, out: &OutputLine) {
    let ours = own_files();
    for (path, mark) in &after.files {
        let known = before.files.get(path);
        if ours.contains(&mark.inode) {
            continue;
        }
        if known == Some(mark) || states.layout.place(path) == Place::Unversioned {
            continue;
        }
        let was = match known {
            Some(_) => FileState::Unknown { why: "it was not read before the run".to_owned() },
            None => FileState::Missing,
        };
        let Some(now) = CString::new(path.as_slice()).ok().and_then(|path| paths::pin(&path, false, true).ok()) else {
            continue;
        };
        let state = states.of_pin(path, &now);
        say(path, was, state, states, out);
    }
    for path in before.files.keys().filter(|path| !after.files.contains_key(*path)) {
        let was = FileState::Unknown { why: "it was not read before the run".to_owned() };
        say(path, was, FileState::Missing, states, out);
    }
}

fn say(path: &[u8], before: FileState, after: FileState, states: &States, out: &OutputLine) {
    let version = FileVersion {
        path: OsBytes::from(path),
        workspace_path: states.layout.workspace_path(path),
        before,
        after,
        writers: Vec::new(),
        cause: VersionCause::Compared,
    };
    out.say(out.now(), None, What::FileVersion(version));
}
