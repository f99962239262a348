//! Text that `git apply` takes, one file at a time.

use crate::diff::binary;
use crate::diff::lines::{Hunk, hunks, split_lines};
use crate::diff::quote::{header_name, quote};
use crate::error::GraphError;
use crate::versions::{Bytes, ChangedFile, Contents};
use agentprov_model::content::{GitSha1, GitSha256};
use agentprov_model::{FileState, GitBlobId};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The patch of one file, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePatch {
    /// Bytes for `git apply`.
    Text(Vec<u8>),
    /// No patch can say this change, for this reason.
    Not(String),
}

/// One side of a change as git sees it.
struct Side<'a> {
    mode: &'static str,
    bytes: &'a [u8],
}

/// The patch from the first to the last state of a file.
///
/// # Errors
/// What the store says.
pub fn file_patch(file: &ChangedFile, contents: &Contents<'_>) -> Result<FilePatch, GraphError> {
    let Some(name) = file.workspace_path.as_ref() else {
        return Ok(FilePatch::Not("it lies outside the workspace".into()));
    };
    let old_name = match &file.renamed_from {
        Some((_, Some(short))) => short,
        Some((_, None)) => return Ok(FilePatch::Not("it came from outside the workspace".into())),
        None => name,
    };
    let (old, new) = (mode_of(&file.base), mode_of(&file.next));
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(why), _) | (_, Err(why)) => return Ok(FilePatch::Not(why)),
    };
    let same_content = match (&file.base, &file.next) {
        (FileState::File { content: a, .. }, FileState::File { content: b, .. }) => a.sha256 == b.sha256,
        _ => false,
    };
    if same_content && old == new && file.renamed_from.is_none() {
        return Ok(FilePatch::Not("only permission bits differ that git does not record".into()));
    }
    let empty = Bytes::Known([].into());
    let (before, after) = match same_content {
        true => (empty.clone(), empty),
        false => (contents.of_state(&file.base)?, contents.of_state(&file.next)?),
    };
    let (before, after) = match (&before, &after) {
        (Bytes::Known(before), Bytes::Known(after)) => (before, after),
        (Bytes::Unknown(why), _) => return Ok(FilePatch::Not(format!("its first content is not available: {why}"))),
        (_, Bytes::Unknown(why)) => return Ok(FilePatch::Not(format!("its last content is not available: {why}"))),
    };
    let sha256 = [&file.base, &file.next].iter().any(|state| is_sha256(state));
    let old = old.map(|mode| Side { mode, bytes: before });
    let new = new.map(|mode| Side { mode, bytes: after });
    let names = (old_name.as_bytes(), name.as_bytes());
    Ok(render(names, old, new, sha256))
}

fn mode_of(state: &FileState) -> Result<Option<&'static str>, String> {
    match state {
        FileState::Missing => Ok(None),
        FileState::File { mode, .. } if mode & 0o100 != 0 => Ok(Some("100755")),
        FileState::File { .. } => Ok(Some("100644")),
        FileState::Symlink { .. } => Ok(Some("120000")),
        FileState::Directory => Err("one side is a directory".into()),
        FileState::Special => Err("one side is a fifo, socket or device".into()),
        FileState::Unread { why, .. } => Err(format!("one side was not read: {why}")),
        FileState::Unknown { why } => Err(format!("one side is not known: {why}")),
    }
}

fn is_sha256(state: &FileState) -> bool {
    matches!(state.content().and_then(|content| content.git), Some(GitBlobId::Sha256(_)))
}

fn render(names: (&[u8], &[u8]), old: Option<Side<'_>>, new: Option<Side<'_>>, sha256: bool) -> FilePatch {
    let mut out = Vec::new();
    match (&old, &new) {
        // git says a change of kind as a removal and a creation.
        (Some(a), Some(b)) if (a.mode == "120000") != (b.mode == "120000") => {
            let halves = [(names.0, (old.as_ref(), None)), (names.1, (None, new.as_ref()))];
            for (name, sides) in halves {
                if let Err(why) = push_file(&mut out, (name, name), sides, sha256) {
                    return FilePatch::Not(why);
                }
            }
        }
        _ => {
            if let Err(why) = push_file(&mut out, names, (old.as_ref(), new.as_ref()), sha256) {
                return FilePatch::Not(why);
            }
        }
    }
    FilePatch::Text(out)
}

fn push_file(
    out: &mut Vec<u8>,
    names: (&[u8], &[u8]),
    sides: (Option<&Side<'_>>, Option<&Side<'_>>),
    sha256: bool,
) -> Result<(), String> {
    let (old, new) = sides;
    let mut line = |text: String| {
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
    };
    line(format!("diff --git {} {}", quote("a/", names.0), quote("b/", names.1)));
    match (old, new) {
        (None, Some(new)) => line(format!("new file mode {}", new.mode)),
        (Some(old), None) => line(format!("deleted file mode {}", old.mode)),
        (Some(old), Some(new)) if old.mode != new.mode => {
            line(format!("old mode {}", old.mode));
            line(format!("new mode {}", new.mode));
        }
        _ => {}
    }
    let (before, after) = (old.map_or(&[][..], |side| side.bytes), new.map_or(&[][..], |side| side.bytes));
    if names.0 != names.1 {
        line(format!("similarity index {}%", similarity(before, after)));
        line(format!("rename from {}", quote("", names.0)));
        line(format!("rename to {}", quote("", names.1)));
    }
    if before == after && old.is_some() == new.is_some() {
        return Ok(());
    }
    let same_mode = old.zip(new).filter(|(old, new)| old.mode == new.mode).map(|(old, _)| format!(" {}", old.mode));
    let (old_id, new_id) = (blob_id(old, sha256), blob_id(new, sha256));
    line(format!("index {old_id}..{new_id}{}", same_mode.unwrap_or_default()));
    if before == after {
        return Ok(());
    }
    if binary::is_binary(before) || binary::is_binary(after) {
        if before.len().max(after.len()) > binary::LIMIT {
            return Err(format!("it is binary and larger than {} MiB", binary::LIMIT >> 20));
        }
        binary::push_hunks(out, before, after);
        return Ok(());
    }
    let null = "/dev/null".to_owned();
    line(format!("--- {}", old.map_or(null.clone(), |_| header_name("a/", names.0))));
    line(format!("+++ {}", new.map_or(null, |_| header_name("b/", names.1))));
    push_hunks(out, before, after);
    Ok(())
}

/// Share of the larger side that the other has too, in percent; below 100 where anything differs.
fn similarity(before: &[u8], after: &[u8]) -> usize {
    if before == after {
        return 100;
    }
    let (before, after) = (split_lines(before), split_lines(after));
    let total: usize = before.iter().map(|line| line.len()).sum();
    let gone: usize = hunks(&before, &after).into_iter().flat_map(|hunk| hunk.before).map(|at| before[at].len()).sum();
    let larger = total.max(after.iter().map(|line| line.len()).sum());
    ((total - gone) * 100 / larger.max(1)).min(99)
}

fn blob_id(side: Option<&Side<'_>>, sha256: bool) -> String {
    let Some(side) = side else { return "0".repeat(if sha256 { 64 } else { 40 }) };
    let header = format!("blob {}\0", side.bytes.len());
    if sha256 {
        let digest = Sha256::new().chain_update(header).chain_update(side.bytes).finalize();
        GitSha256::from_bytes(digest.into()).to_hex()
    } else {
        let digest = Sha1::new().chain_update(header).chain_update(side.bytes).finalize();
        GitSha1::from_bytes(digest.into()).to_hex()
    }
}

fn push_hunks(out: &mut Vec<u8>, before: &[u8], after: &[u8]) {
    let (before, after) = (split_lines(before), split_lines(after));
    let all = hunks(&before, &after);
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        // Changes whose contexts touch share one hunk.
        let apart = |pair: &[Hunk]| pair[1].before.start - pair[0].before.end > 2 * CONTEXT;
        let length = rest.windows(2).position(apart).map_or(rest.len(), |at| at + 1);
        let (group, next) = rest.split_at(length);
        push_group(out, &before, &after, group);
        rest = next;
    }
}

fn push_group(out: &mut Vec<u8>, before: &[&[u8]], after: &[&[u8]], group: &[Hunk]) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
    let lead = first.before.start.min(CONTEXT);
    let trail = (before.len() - last.before.end).min(CONTEXT);
    let old = first.before.start - lead..last.before.end + trail;
    let new = first.after.start - lead..last.after.end + trail;
    out.extend_from_slice(format!("@@ -{} +{} @@\n", span(&old), span(&new)).as_bytes());
    let mut push = |prefix: u8, line: &[u8]| {
        out.push(prefix);
        out.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            out.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    };
    let mut at = old.start;
    for hunk in group {
        before[at..hunk.before.start].iter().for_each(|line| push(b' ', line));
        before[hunk.before.clone()].iter().for_each(|line| push(b'-', line));
        after[hunk.after.clone()].iter().for_each(|line| push(b'+', line));
        at = hunk.before.end;
    }
    before[at..old.end].iter().for_each(|line| push(b' ', line));
}

/// `start,length` of a hunk header; an empty range stands after the line before it.
fn span(range: &std::ops::Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        length => format!("{},{length}", range.start + 1),
    }
}
