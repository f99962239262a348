//! `agentprov evidence`.

use crate::commands::batch_summary::BatchSummary;
use crate::context::Context;
use crate::failure::CommandResult;
use crate::render;
use crate::run_name::RunName;
use agentprov_graph::evidence_manifest::{DEFAULT_OBJECT_LIMIT, evidence_manifest, write_evidence_manifest};
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Summaries of evidence for other programs.
#[derive(Debug, Subcommand)]
pub(crate) enum Evidence {
    /// One document that names all evidence of a run, with the hashes and commands to get at it
    Manifest(Manifest),
    /// What batches of recordings came to
    BatchSummary(BatchSummary),
}

#[derive(Args, Debug)]
pub(crate) struct Manifest {
    #[command(flatten)]
    run: RunName,
    /// Objects that are listed
    #[arg(long, value_name = "N", default_value_t = DEFAULT_OBJECT_LIMIT)]
    object_limit: u64,
    /// Write the manifest as an object too, and print its hash and path
    #[arg(long)]
    materialize: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Evidence {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Self::Manifest(command) => command.run(context),
            Self::BatchSummary(command) => command.run(context),
        }
    }
}

impl Manifest {
    fn run(self, context: &Context) -> CommandResult {
        let command = self;
        let (reader, selected) = context.run(command.run.name())?;
        if !command.json {
            context.say_which(&selected);
        }
        let mut out = anstream::stdout().lock();
        match (command.materialize, command.json) {
            (true, true) => render::json(&write_evidence_manifest(&reader, &selected.run, command.object_limit)?)?,
            (true, false) => {
                let written = write_evidence_manifest(&reader, &selected.run, command.object_limit)?;
                render::outline(&mut out, &written)?;
            }
            (false, true) => render::json(&evidence_manifest(&reader, &selected.run, command.object_limit)?)?,
            (false, false) => {
                render::outline(&mut out, &evidence_manifest(&reader, &selected.run, command.object_limit)?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
