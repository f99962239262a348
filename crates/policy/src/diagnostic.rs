//! What is wrong with a rule file, and where.

use serde::Serialize;
use std::fmt;

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// Whether the file can be used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It can, but that was hardly meant.
    Warning,
    /// It can't.
    Error,
}

/// One mistake.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Diagnostic {
    /// The file as the caller named it.
    pub file: String,
    /// Where in it.
    #[serde(flatten)]
    pub place: Place,
    /// Whether it can be used all the same.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{}:{}:{}: {level}: {}", self.file, self.place.line, self.place.column, self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Collects the mistakes of one file.
#[derive(Debug)]
pub(crate) struct Report {
    file: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), diagnostics: Vec::new() }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>, help: Option<String>) {
        self.push(place, Level::Error, message.into(), help);
    }

    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>, help: Option<String>) {
        self.push(place, Level::Warning, message.into(), help);
    }

    fn push(&mut self, place: Place, level: Level, message: String, help: Option<String>) {
        self.diagnostics.push(Diagnostic { file: self.file.clone(), place, level, message, help });
    }
}

/// The known name that was probably meant.
pub(crate) fn did_you_mean(given: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4);
    match nearest {
        Some((_, name)) => format!("did you mean '{name}'?"),
        None => format!("known are: {}", known.join(", ")),
    }
}
