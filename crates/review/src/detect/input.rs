//! A file to be scanned.

use crate::lines::LineSet;
use std::sync::Arc;

/// A changed file as it is at the head of the change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanFile {
    /// Relative to the repository's root, with `/`.
    pub path: String,
    /// The whole file, or what is known of it.
    pub bytes: Arc<[u8]>,
    /// Findings count when they touch one of these lines.
    pub changed_lines: LineSet,
    /// What the caller says the language is; used when neither name nor first line tells.
    pub language_hint: Option<String>,
    /// `bytes` has only the changed lines, in order, with empty lines for what is unknown.
    pub fragment: bool,
}

impl ScanFile {
    /// A whole file.
    pub fn whole(path: impl Into<String>, bytes: impl Into<Arc<[u8]>>, changed_lines: LineSet) -> Self {
        Self { path: path.into(), bytes: bytes.into(), changed_lines, language_hint: None, fragment: false }
    }
}
