//! Up to which job everything was handed over.

use crate::error::ServerError;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the file in the data dir.
const FILE: &str = "export.cursor";

/// The place in the queue.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    after: i64,
}

impl Cursor {
    /// The cursor of a data dir; at the start of the queue where there is none.
    pub(super) fn read(dir: &Path) -> Result<Self, ServerError> {
        let path = dir.join(FILE);
        let refuse = |why: String| ServerError::File { path: path.clone(), why };
        let after = match std::fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| refuse("it holds no number; remove it to hand everything over once more".into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(refuse(error.to_string())),
        };
        Ok(Self { path, after })
    }

    /// The last job that was handed over.
    pub(super) const fn after(&self) -> i64 {
        self.after
    }

    /// Keeps that everything up to a job was handed over.
    pub(super) fn advance(&mut self, to: i64) -> io::Result<()> {
        let draft = self.path.with_extension("draft");
        let mut file = File::create(&draft)?;
        writeln!(file, "{to}")?;
        file.sync_data()?;
        std::fs::rename(&draft, &self.path)?;
        self.after = to;
        Ok(())
    }
}
