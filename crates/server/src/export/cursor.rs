//! Up to which job everything was handed over.

use crate::error::ServerError;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The place in the queue.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    after: i64,
    is_new: bool,
}

impl Cursor {
    /// The cursor of a data dir; at the start of the queue where there is none.
    pub(super) fn read(dir: &Path, name: &str) -> Result<Self, ServerError> {
        let path = dir.join(format!("{name}.cursor"));
        let refuse = |why: String| ServerError::File { path: path.clone(), why };
        let (after, is_new) = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let after = text.trim().parse();
                let why = "it holds no number; remove it to hand everything over once more";
                (after.map_err(|_| refuse(why.into()))?, false)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (0, true),
            Err(error) => return Err(refuse(error.to_string())),
        };
        Ok(Self { path, after, is_new })
    }

    /// Whether nothing was kept before.
    pub(super) const fn is_new(&self) -> bool {
        self.is_new
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
        (self.after, self.is_new) = (to, false);
        Ok(())
    }
}
