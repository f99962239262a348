//! `agentprov man`.

use crate::arguments::Arguments;
use crate::failure::{CommandResult, Failure};
use clap::{Args, Command, CommandFactory};
use std::io;
use std::path::{Path, PathBuf};
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
        let mut program = Arguments::command().disable_help_subcommand(true);
        program.build();
        write_pages(&program, &self.dir).map_err(failed)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A page for the command and for each below it.
fn write_pages(command: &Command, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below, dir)?;
    }
    // The generator's own synopsis leaves out values, `--` and what may be repeated; the usage of `--help` has them.
    let usage = command.clone().render_usage().to_string();
    let command = command.clone().override_usage(usage.trim_start_matches("Usage:").trim().to_owned());
    clap_mangen::Man::new(command).source(concat!("agentprov ", env!("CARGO_PKG_VERSION"))).generate_to(dir)?;
    Ok(())
}
