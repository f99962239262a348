//! `agentprov attribution`.

use crate::commands::review::{reader, undecided, unreadable};
use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use agentprov_review::attribution::{Sources, attribute, export};
use agentprov_review::change::{Repository, Selection, from_git};
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Who wrote the lines of a change, for others.
#[derive(Debug, Subcommand)]
pub(crate) enum Attribution {
    /// Write what another clone needs to attribute a change without the store
    Export(Export),
}

/// Writes the facts with which the recorded lines of a change came, the proofs that they are in the logs of their runs,
/// and nothing else of the store. `agentprov review --evidence FILE` takes the file.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Commits: BASE..HEAD, or BASE for BASE..HEAD
    #[arg(value_name = "BASE..HEAD")]
    range: String,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sign it with the key of the store (DSSE), so that which line came with which fact is shown too
    #[arg(long)]
    sign: bool,
}

impl Attribution {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let Self::Export(command) = self;
        command.run(context)
    }
}

impl Export {
    fn run(self, context: &Context) -> CommandResult {
        let repository = Repository::find(&current_dir()?).map_err(|error| unreadable(&error))?;
        let change = from_git(&repository, &Selection::Range(self.range)).map_err(|error| unreadable(&error))?;
        let reader = reader(context)?.ok_or_else(|| {
            Failure::new("there are no recordings here, hence no evidence")
                .hint("record what agents do with agentprov record, or name the store with --data-dir")
        })?;
        let sources = Sources { repository: Some(&repository), reader: Some(&reader), traces: &[], evidence: &[] };
        let attribution = attribute(&change, &sources).map_err(|error| undecided(&error))?;
        let signer = if self.sign { Some(reader.store().signer()?) } else { None };
        let text =
            export(&change, &attribution, &reader, signer.as_ref()).map_err(|error| Failure::new(error.to_string()))?;
        match &self.output {
            None => anstream::stdout().lock().write_all(text.as_bytes())?,
            Some(file) => std::fs::write(file, text)
                .map_err(|error| Failure::new(format!("can't write {}: {error}", file.display())))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
