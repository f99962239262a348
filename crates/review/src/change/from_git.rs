//! A change between two states of a git repository.

use crate::change::content::{ChangeKind, ChangedFile, FileContent, Side, classify};
use crate::change::error::ChangeError;
use crate::change::raw::{self, RawEntry};
use crate::change::repository::{Blob, Repository};
use crate::change::span::without_carriage_returns;
use crate::change::{Change, Origin};
use agentprov_model::{GitBlobId, OsBytes};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

const SUBMODULE: u32 = 0o160_000;
const LINK: u32 = 0o120_000;
/// Files of one change.
const MAX_FILES: usize = 100_000;
/// Bytes of both sides of all files.
const MAX_BYTES: u64 = 2 << 30;

/// Which change is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    /// From the merge base with the upstream branch to HEAD.
    Upstream,
    /// From the merge base of both to the second: `BASE..HEAD`, `BASE...HEAD` or `BASE`.
    Range(String),
    /// A commit against one of its parents, counted from 1.
    Parent {
        /// The commit.
        commit: String,
        /// Which parent.
        parent: u32,
    },
    /// From HEAD to the index.
    Staged,
    /// From HEAD to the work tree.
    Worktree,
}

/// Reads a change.
///
/// # Errors
/// [`ChangeError`]: a missing base is an error, never an empty change.
pub fn from_git(repository: &Repository, selection: &Selection) -> Result<Change, ChangeError> {
    match selection {
        Selection::Upstream => {
            let upstream = upstream(repository)?;
            range(repository, &upstream, "HEAD")
        }
        Selection::Range(text) => {
            let (base, head) = split_range(text);
            range(repository, base, head)
        }
        Selection::Parent { commit, parent } => {
            let head = repository.commit(commit)?;
            let name = format!("{head}^{parent}");
            let base = match repository.commit(&name) {
                Err(ChangeError::NoCommit(_)) => {
                    return Err(ChangeError::NoParent { commit: commit.clone(), parent: *parent });
                }
                other => other?,
            };
            between(repository, base, head)
        }
        Selection::Staged => uncommitted(repository, true),
        Selection::Worktree => uncommitted(repository, false),
    }
}

fn split_range(text: &str) -> (&str, &str) {
    let (base, head) = text.split_once("...").or_else(|| text.split_once("..")).unwrap_or((text, "HEAD"));
    let or_head = |name| if str::is_empty(name) { "HEAD" } else { name };
    (or_head(base), or_head(head))
}

/// The branch that HEAD is to be merged into.
fn upstream(repository: &Repository) -> Result<String, ChangeError> {
    let candidates =
        ["@{upstream}", "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master"];
    for name in candidates.into_iter().chain(["refs/heads/main", "refs/heads/master"]) {
        let revision = format!("{name}^{{commit}}");
        if let Some(id) = repository.line(&["rev-parse", "--verify", "--quiet", &revision])? {
            return Ok(id);
        }
    }
    if repository.is_shallow()? {
        return Err(ChangeError::Shallow("no upstream branch was fetched".into()));
    }
    Err(ChangeError::NoUpstream)
}

fn range(repository: &Repository, base: &str, head: &str) -> Result<Change, ChangeError> {
    let (base_id, head_id) = (repository.commit(base)?, repository.commit(head)?);
    // The change of a branch is what it did since it left the other, whatever happened there meanwhile.
    match repository.line(&["merge-base", &base_id, &head_id])? {
        Some(merge_base) => between(repository, merge_base, head_id),
        None if repository.is_shallow()? => Err(ChangeError::Shallow(base.to_owned())),
        None => Err(ChangeError::NoMergeBase { base: base.to_owned(), head: head.to_owned() }),
    }
}

fn between(repository: &Repository, base: String, head: String) -> Result<Change, ChangeError> {
    let tree = repository.commit_tree(&head)?;
    let output = repository.run(&["diff-tree", "-r", "-z", "--raw", "-M", "-l0", "--no-abbrev", &base, &head])?;
    let files = files(repository, raw::parse(&output)?, false)?;
    Ok(Change { origin: Origin::Range { base, head, tree }, files, asserted: Vec::new() })
}

fn uncommitted(repository: &Repository, staged: bool) -> Result<Change, ChangeError> {
    let base = repository.line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    let from = match &base {
        Some(commit) => commit.clone(),
        None => repository.empty_tree()?,
    };
    let mut arguments = vec!["diff-index", "-z", "--raw", "-M", "-l0", "--no-abbrev"];
    arguments.extend(staged.then_some("--cached"));
    arguments.push(&from);
    let mut entries = raw::parse(&repository.run(&arguments)?)?;
    if !staged {
        entries.extend(untracked(repository)?);
    }
    if let Some(entry) = entries.iter().find(|entry| entry.status == b'U') {
        return Err(ChangeError::Unmerged(entry.new_path.lossy().into_owned()));
    }
    let files = files(repository, entries, !staged)?;
    let origin = if staged { Origin::Staged { base } } else { Origin::Worktree { base } };
    Ok(Change { origin, files, asserted: Vec::new() })
}

fn untracked(repository: &Repository) -> Result<Vec<RawEntry>, ChangeError> {
    let output = repository.run(&["ls-files", "--others", "--exclude-standard", "-z", "--full-name"])?;
    let paths = output.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    Ok(paths
        // A folder that ends in a slash is a repository of its own.
        .filter(|path| !path.ends_with(b"/"))
        .map(|path| RawEntry {
            old_mode: 0,
            new_mode: 0o100_644,
            old_blob: None,
            new_blob: None,
            status: b'A',
            old_path: path.into(),
            new_path: path.into(),
        })
        .collect())
}

/// Turns entries into files; contents that git has no name for are read from the work tree.
fn files(repository: &Repository, entries: Vec<RawEntry>, worktree: bool) -> Result<Vec<ChangedFile>, ChangeError> {
    if entries.len() > MAX_FILES {
        return Err(ChangeError::TooLarge(format!("{} files, more than {MAX_FILES}", entries.len())));
    }
    let blobs = fetch(repository, &entries)?;
    let strip = worktree && repository.line(&["config", "core.autocrlf"])?.is_some_and(|value| value != "false");
    let mut files = Vec::with_capacity(entries.len());
    for entry in entries {
        let old = side(entry.old_mode, entry.old_blob, &blobs);
        let new = match (entry.new_mode, entry.new_blob) {
            (mode, None) if worktree && mode != 0 => from_worktree(repository, &entry, strip)?,
            (mode, blob) => side(mode, blob, &blobs),
        };
        let untouched = worktree && old.mode == new.mode && old.content == new.content;
        if untouched {
            continue;
        }
        let kind = match entry.status {
            b'A' | b'C' => ChangeKind::Added,
            b'D' => ChangeKind::Deleted,
            b'R' => ChangeKind::Renamed,
            _ => ChangeKind::Modified,
        };
        let old_path = (entry.old_path != entry.new_path).then_some(entry.old_path);
        files.push(ChangedFile::compared(entry.new_path, old_path, kind, old, new));
    }
    files.sort_by(|a, b| a.raw_path.cmp(&b.raw_path));
    Ok(files)
}

fn fetch(repository: &Repository, entries: &[RawEntry]) -> Result<HashMap<GitBlobId, Blob>, ChangeError> {
    let sides = |entry: &RawEntry| [(entry.old_mode, entry.old_blob), (entry.new_mode, entry.new_blob)];
    let mut names: Vec<GitBlobId> =
        entries.iter().flat_map(sides).filter(|(mode, _)| *mode != SUBMODULE).filter_map(|(_, blob)| blob).collect();
    names.sort_unstable();
    names.dedup();
    let mut found = HashMap::with_capacity(names.len());
    let mut total = 0;
    for chunk in names.chunks(256) {
        for (name, blob) in chunk.iter().zip(repository.blobs(chunk)?) {
            if let Blob::Bytes(bytes) = &blob {
                total += bytes.len() as u64;
            }
            found.insert(*name, blob);
        }
        if total > MAX_BYTES {
            return Err(ChangeError::TooLarge(format!("its files have more than {MAX_BYTES} bytes")));
        }
    }
    Ok(found)
}

fn side(mode: u32, blob: Option<GitBlobId>, blobs: &HashMap<GitBlobId, Blob>) -> Side {
    let Some(name) = blob.filter(|_| mode != 0) else { return Side::absent() };
    if mode == SUBMODULE {
        return Side { mode, blob, content: FileContent::Submodule(name.to_string()) };
    }
    let content = match blobs.get(&name) {
        Some(Blob::Bytes(bytes)) => classify(mode, bytes.clone()),
        Some(Blob::TooLarge(size)) => FileContent::Unavailable(format!("{size} bytes are too many to be read")),
        Some(Blob::Missing) | None => FileContent::Unavailable(format!("git has no blob {name}")),
    };
    Side { mode, blob, content }
}

fn from_worktree(repository: &Repository, entry: &RawEntry, strip: bool) -> Result<Side, ChangeError> {
    let path = repository.root().join(Path::new(OsStr::from_bytes(entry.new_path.as_bytes())));
    let failed = |error| ChangeError::File { path: entry.new_path.lossy().into_owned(), error };
    if entry.new_mode == SUBMODULE {
        let folder = path.to_string_lossy().into_owned();
        let head = repository.line(&["-C", &folder, "rev-parse", "HEAD"])?;
        return Ok(Side { mode: SUBMODULE, blob: None, content: FileContent::Submodule(head.unwrap_or_default()) });
    }
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Side::absent()),
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_symlink() {
        let target = std::fs::read_link(&path).map_err(failed)?.into_os_string().into_vec();
        return Ok(Side { mode: LINK, blob: None, content: FileContent::Link(Arc::from(target)) });
    }
    let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o100_644 } else { 0o100_755 };
    if !metadata.is_file() {
        return Ok(Side { mode, blob: None, content: FileContent::Unavailable("it is no regular file".into()) });
    }
    let limit = crate::change::batch::MAX_BLOB;
    let mut bytes = Vec::new();
    // A file may grow while it is read.
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        let content = FileContent::Unavailable(format!("more than {limit} bytes are too many to be read"));
        return Ok(Side { mode, blob: None, content });
    }
    let bytes = if strip && memchr::memchr(0, &bytes).is_none() { without_carriage_returns(&bytes) } else { bytes };
    Ok(Side { mode, blob: None, content: classify(mode, Arc::from(bytes)) })
}

impl Repository {
    fn commit_tree(&self, commit: &str) -> Result<String, ChangeError> {
        let name = format!("{commit}^{{tree}}");
        self.line(&["rev-parse", "--verify", "--quiet", &name])?.ok_or_else(|| ChangeError::NoCommit(commit.to_owned()))
    }

    fn empty_tree(&self) -> Result<String, ChangeError> {
        let name = self.line(&["hash-object", "-t", "tree", "--stdin"])?;
        name.ok_or_else(|| ChangeError::Answer { command: "hash-object", what: "nothing".into() })
    }

    /// Absolute name of a path of the repository.
    pub fn absolute(&self, path: &OsBytes) -> OsBytes {
        OsBytes::new([self.root().as_os_str().as_bytes(), b"/", path.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::split_range;

    #[test]
    fn a_range_may_leave_its_ends_out() {
        assert_eq!(split_range("a..b"), ("a", "b"));
        assert_eq!(split_range("a...b"), ("a", "b"));
        assert_eq!(split_range("a.."), ("a", "HEAD"));
        assert_eq!(split_range("..b"), ("HEAD", "b"));
        assert_eq!(split_range("v1.0"), ("v1.0", "HEAD"));
    }
}
