//! Rule files from disk.

use crate::diagnostic::{Diagnostic, Level};
use crate::pack;
use crate::rules::{RuleFile, RuleSet, parse};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Bytes that a rule file may have.
const MAX_BYTES: u64 = 4 << 20;

/// Why rules can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("cannot read the rules in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is too long.
    #[error("{} has more than {MAX_BYTES} bytes, which is no rule file", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file has mistakes.
    #[error("{}", list(.0))]
    Mistakes(Vec<Diagnostic>),
    /// A pattern can't be compiled.
    #[error("a pattern of the rules can't be compiled: {0}")]
    Pattern(#[from] regex::Error),
}

fn list(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::from("the rules have mistakes:");
    for diagnostic in diagnostics {
        let _ = write!(text, "\n  {diagnostic}");
    }
    text
}

/// The rules of a file, or the default pack where none is named.
///
/// # Errors
/// [`LoadError`] when the file can't be read or has mistakes.
pub fn load(path: Option<&Path>) -> Result<RuleSet, LoadError> {
    let Some(path) = path else { return pack::default_rules() };
    let text = read(path)?;
    from_text(&path.display().to_string(), &text)
}

/// Rules from a text.
///
/// # Errors
/// [`LoadError`] when the text has mistakes.
pub fn from_text(name: &str, text: &str) -> Result<RuleSet, LoadError> {
    let (file, diagnostics) = parse(name, text);
    usable(file, diagnostics)
}

pub(crate) fn usable(file: RuleFile, mut diagnostics: Vec<Diagnostic>) -> Result<RuleSet, LoadError> {
    diagnostics.retain(|diagnostic| diagnostic.level == Level::Error);
    if !diagnostics.is_empty() {
        return Err(LoadError::Mistakes(diagnostics));
    }
    Ok(RuleSet::new(file)?)
}

/// Everything that is wrong or odd in a rule file, by place.
///
/// # Errors
/// [`LoadError`] when the file can't be read.
pub fn lint(path: &Path) -> Result<Vec<Diagnostic>, LoadError> {
    let text = read(path)?;
    let (_, mut diagnostics) = parse(&path.display().to_string(), &text);
    diagnostics.sort_by_key(|diagnostic| diagnostic.place);
    Ok(diagnostics)
}

fn read(path: &Path) -> Result<String, LoadError> {
    let io = |source| LoadError::Read { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > MAX_BYTES {
        return Err(LoadError::TooLong { path: path.to_owned() });
    }
    std::fs::read_to_string(path).map_err(io)
}
