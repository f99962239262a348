//! A changed file.

use crate::change::span::{Span, line_count};
use crate::detect::ScanFile;
use crate::lines::{LineNumber, LineSet};
use agentprov_graph::diff::split_lines;
use agentprov_model::{GitBlobId, OsBytes};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and may be different.
    Renamed,
}

/// What a file holds on one side of the change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileContent {
    /// There is no file.
    Absent,
    /// Text, all of it.
    Text(Arc<[u8]>),
    /// Text of which only the changed lines are known; the others are empty.
    Fragment(Arc<[u8]>),
    /// Bytes that are no text.
    Binary(Arc<[u8]>),
    /// A pointer to a file that is kept elsewhere.
    LfsPointer {
        /// The pointer itself, which is what git has.
        pointer: Arc<[u8]>,
        /// SHA-256 of the file.
        oid: String,
        /// Bytes of the file.
        size: u64,
    },
    /// A symbolic link.
    Link(Arc<[u8]>),
    /// A commit of another repository.
    Submodule(String),
    /// It can't be read.
    Unavailable(String),
}

/// A file on one side of the change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Mode as git has it; 0 where there is no file or nobody said.
    pub mode: u32,
    /// Name of the blob, where git has one.
    pub blob: Option<GitBlobId>,
    /// What it holds.
    pub content: FileContent,
}

impl Side {
    /// No file.
    pub const fn absent() -> Self {
        Self { mode: 0, blob: None, content: FileContent::Absent }
    }

    /// The text that lines are counted in.
    pub fn text(&self) -> Option<&Arc<[u8]>> {
        match &self.content {
            FileContent::Text(text) | FileContent::Fragment(text) | FileContent::Link(text) => Some(text),
            FileContent::LfsPointer { pointer, .. } => Some(pointer),
            FileContent::Absent | FileContent::Binary(_) | FileContent::Submodule(_) | FileContent::Unavailable(_) => {
                None
            }
        }
    }
}

/// A file of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedFile {
    /// Relative to the top of the repository, with `/`; bytes that are no UTF-8 are shown as U+FFFD.
    pub path: String,
    /// The same, exact.
    pub raw_path: OsBytes,
    /// The name before, where it was another.
    pub old_path: Option<OsBytes>,
    /// What became of it.
    pub kind: ChangeKind,
    /// Before.
    pub old: Side,
    /// After.
    pub new: Side,
    /// Which lines differ.
    pub spans: Vec<Span>,
    /// What the caller says the language is.
    pub language: Option<String>,
}

impl ChangedFile {
    /// A file whose lines are compared.
    pub(crate) fn compared(
        raw_path: OsBytes,
        old_path: Option<OsBytes>,
        kind: ChangeKind,
        old: Side,
        new: Side,
    ) -> Self {
        const NOTHING: &[u8] = &[];
        let text = |side: &Side| match side.content {
            FileContent::Absent => Some(Arc::from(NOTHING)),
            _ => side.text().cloned(),
        };
        let spans = match (text(&old), text(&new)) {
            (Some(before), Some(after)) if old.blob != new.blob || old.blob.is_none() => {
                crate::change::span::spans(&before, &after)
            }
            (Some(_), Some(_)) => Vec::new(),
            // What was no text before is new as a whole.
            (None, Some(after)) => crate::change::span::spans(NOTHING, &after),
            (Some(before), None) => crate::change::span::spans(&before, NOTHING),
            (None, None) => Vec::new(),
        };
        Self { path: raw_path.lossy().into_owned(), raw_path, old_path, kind, old, new, spans, language: None }
    }

    /// Lines that the change adds, in the file after it.
    pub fn added(&self) -> impl Iterator<Item = LineNumber> {
        self.spans.iter().flat_map(|span| span.new.clone()).map(LineNumber::after)
    }

    /// Lines that the change removes, in the file before it.
    pub fn removed(&self) -> impl Iterator<Item = LineNumber> {
        self.spans.iter().flat_map(|span| span.old.clone()).map(LineNumber::after)
    }

    /// Lines of the file after the change.
    pub fn new_lines(&self) -> Vec<&[u8]> {
        self.new.text().map(|text| split_lines(text)).unwrap_or_default()
    }

    /// The file as detectors take it; None where it has no text after the change.
    pub fn scan_file(&self) -> Option<ScanFile> {
        let (bytes, fragment) = match &self.new.content {
            FileContent::Text(bytes) | FileContent::Binary(bytes) => (bytes, false),
            FileContent::Fragment(bytes) => (bytes, true),
            _ => return None,
        };
        let changed_lines = match &self.new.content {
            FileContent::Binary(bytes) => {
                LineSet::from_ranges([(LineNumber::FIRST, LineNumber::after(line_count(bytes)))])
            }
            _ => self.added().collect(),
        };
        if changed_lines.is_empty() {
            return None;
        }
        let language_hint = self.language.clone();
        Some(ScanFile { path: self.path.clone(), bytes: bytes.clone(), changed_lines, language_hint, fragment })
    }
}

/// What bytes under a mode are.
pub(crate) fn classify(mode: u32, bytes: Arc<[u8]>) -> FileContent {
    if mode & 0o170_000 == 0o120_000 {
        return FileContent::Link(bytes);
    }
    if let Some((oid, size)) = lfs_pointer(&bytes) {
        return FileContent::LfsPointer { pointer: bytes, oid, size };
    }
    // As git decides: a zero byte near the beginning.
    let near = &bytes[..bytes.len().min(8000)];
    // A file in UTF-16 has zeros and is text to whoever runs it: detectors see it as bytes and say so.
    if memchr::memchr(0, near).is_some() { FileContent::Binary(bytes) } else { FileContent::Text(bytes) }
}

/// SHA-256 and size that a Git LFS pointer names.
fn lfs_pointer(bytes: &[u8]) -> Option<(String, u64)> {
    const LONGEST: usize = 1024;
    if bytes.len() > LONGEST || !bytes.starts_with(b"version https://git-lfs.github.com/spec/v1\n") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let oid = value("oid")?.strip_prefix("sha256:")?;
    let well_formed = oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then_some(())?;
    Some((oid.to_owned(), value("size")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_links_and_binaries_are_told_apart() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
        let of = |mode, bytes: &[u8]| classify(mode, Arc::from(bytes));
        assert!(matches!(of(0o100_644, pointer.as_bytes()), FileContent::LfsPointer { size: 12345, .. }));
        let broken = pointer.replace("sha256:4d", "sha256:zz");
        assert!(matches!(of(0o100_644, broken.as_bytes()), FileContent::Text(_)));
        assert!(matches!(of(0o120_000, b"target"), FileContent::Link(_)));
        assert!(matches!(of(0o100_644, b"a\0b"), FileContent::Binary(_)));
    }
}
