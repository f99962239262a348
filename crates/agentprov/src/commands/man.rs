//! `agentprov man`.

use crate::arguments::Arguments;
use crate::failure::{CommandResult, Failure};
use clap::{Args, CommandFactory};
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes a man page for every command.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Folder to write to; it is made
    dir: PathBuf,
}

impl Man {
    pub(crate) fn run(self) -> CommandResult {
        let failed = |error| Failure::new(format!("man pages in {}: {error}", self.dir.display()));
        std::fs::create_dir_all(&self.dir).map_err(failed)?;
        clap_mangen::generate_to(Arguments::command(), &self.dir).map_err(failed)?;
        Ok(ExitCode::SUCCESS)
    }
}
