//! A file to be scanned.

use crate::lines::LineSet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A language that rules can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript, JSX included.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// POSIX shell and bash.
    Shell,
    /// Dockerfile.
    Dockerfile,
    /// Java: rules on text only.
    Java,
    /// C#: rules on text only.
    CSharp,
}

impl Language {
    /// As rules and the service's payload write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Tsx => "tsx",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Shell => "shell",
            Self::Dockerfile => "dockerfile",
            Self::Java => "java",
            Self::CSharp => "csharp",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
