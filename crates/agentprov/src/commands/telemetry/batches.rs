//! `agentprov telemetry batches`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, Columns};
use crate::run_name::RunName;
use agentprov_graph::telemetry::batches;
use clap::Args;
use std::process::ExitCode;

/// Lists the manifests of what was taken into a run, oldest first.
#[derive(Args, Debug)]
pub(crate) struct Batches {
    #[command(flatten)]
    run: RunName,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Batches {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, selected) = context.run(self.run.name())?;
        let document = batches(&reader, &selected.run)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        context.say_which(&selected);
        let clock = context.clock();
        let mut columns = Columns::new(&[
            "ID",
            "RUN",
            "FORMAT",
            "PATH",
            "READ",
            "INGESTED",
            "SKIPPED",
            "FAILED",
            "FILE_SHA256",
            "CREATED_AT",
        ]);
        for row in document.batches {
            columns.row(vec![
                row.id,
                row.run_id,
                row.format,
                agentprov_graph::timeline::visible_text(&row.path),
                row.read.to_string(),
                row.ingested.to_string(),
                row.skipped.to_string(),
                row.failed.to_string(),
                row.file_sha256,
                clock.show_text(&row.created_at),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}
