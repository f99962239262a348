//! Waivers in a file, one a line, which only grows.

use crate::governance::waiver::{Waiver, Waivers};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

impl Waivers {
    /// Name of the file beside a store.
    pub const LOCAL_FILE: &'static str = "waivers.jsonl";

    /// Every decision in a file, in its order; none where there is no file.
    ///
    /// # Errors
    /// A file that can't be read, or a line that is not understood.
    pub fn read(file: &Path) -> io::Result<Vec<Waiver>> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

impl Waiver {
    /// Puts the decision at the end of a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn append(&self, file: &Path) -> io::Result<()> {
        // One write, so that two of them at a time do not mix.
        let line = format!("{}\n", serde_json::to_string(self)?);
        let mut out = OpenOptions::new().create(true).append(true).open(file)?;
        out.write_all(line.as_bytes())?;
        out.sync_data()
    }
}
