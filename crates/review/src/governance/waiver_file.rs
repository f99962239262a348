//! Waivers in a file, one a line, which only grows.

use crate::governance::signed_waiver::Word;
use crate::governance::waiver::Waiver;
use agentprov_log::{SignerKey, VerifierKey};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Lines of a file of waivers.
const MAX_LINES: usize = 100_000;

/// A line that is not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct WaiverError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// The text of a file of waivers, of which nothing was checked yet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WaiverFile(String);

impl WaiverFile {
    /// Name of the file beside a store.
    pub const LOCAL: &'static str = "waivers.jsonl";

    /// From the text of a file.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The file, empty where there is none.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read(file: &Path) -> io::Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => Ok(Self(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Whether it says nothing, so that nobody has to be asked for keys.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Its words in their order, each checked against the keys that are believed.
    ///
    /// # Errors
    /// The first line that is not understood: it may be a reopening, and must not be passed over.
    pub fn words(&self, keys: &[VerifierKey]) -> Result<Vec<Word>, WaiverError> {
        let mut words = Vec::new();
        for (index, line) in self.0.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: String| WaiverError { line: index + 1, why };
            if words.len() == MAX_LINES {
                return Err(wrong("there are too many lines".to_owned()));
            }
            words.push(Word::open(line, keys).map_err(wrong)?);
        }
        Ok(words)
    }
}

impl Waiver {
    /// Puts the decision, signed, at the end of a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn append(&self, file: &Path, key: &SignerKey) -> io::Result<()> {
        // One write, so that two of them at a time do not mix.
        let line = format!("{}\n", self.sign(key)?);
        let mut out = OpenOptions::new().create(true).append(true).open(file)?;
        out.write_all(line.as_bytes())?;
        out.sync_data()
    }
}
