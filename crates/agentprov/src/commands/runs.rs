//! `agentprov runs`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, BAD, Columns, GOOD, QUIET, UNSURE, styled};
use agentprov_graph::runs::{RunSummary, Runs as Document, runs};
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

/// Lists runs, newest first: how each ended, what was not seen, whether its log is sealed, what it costs.
#[derive(Args, Debug)]
pub(crate) struct Runs {
    /// List removed runs too, with who removed them and why
    #[arg(long)]
    all: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// Characters of a command in the table.
const COMMAND_WIDTH: usize = 40;

impl Runs {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(remote) = context.remote(self.json)? {
            return remote.print("/v1/runs", &[("all", self.all.then(|| "true".to_owned()))]);
        }
        let reader = context.store()?.reader()?;
        let document = runs(&reader, self.all, &agentprov_capture::is_alive)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        print(context, &document)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(context: &Context, document: &Document) -> Result<(), crate::failure::Failure> {
    let mut out = anstream::stdout().lock();
    if document.runs.is_empty() {
        match document.removed_count {
            0 => writeln!(out, "no runs yet; record one with: agentprov record -- CMD")?,
            removed => {
                let removed = render::count(removed, "removed run");
                writeln!(out, "no runs; {removed} not listed; see: agentprov runs --all")?;
            }
        }
        return Ok(());
    }
    let clock = context.clock();
    let mut columns =
        Columns::new(&["RUN", "STARTED", "OUTCOME", "RISK", "NOT FULLY SEEN", "LOG", "SIZE", "FACTS", "COMMAND"]);
    for run in &document.runs {
        columns.row(vec![
            run.run_id.clone(),
            clock.show_text(&run.started_at),
            outcome(run),
            run.risk.clone(),
            coverage(run),
            sealed(run),
            render::bytes(run.own_bytes),
            run.facts.to_string(),
            command(run),
        ]);
    }
    columns.write(&mut out)?;
    if document.removed_count > 0 && document.runs.iter().all(|run| run.removed.is_none()) {
        let removed = render::count(document.removed_count, "removed run");
        writeln!(out, "{}", styled(QUIET, format!("{removed} not listed; see: agentprov runs --all")))?;
    }
    Ok(())
}

fn outcome(run: &RunSummary) -> String {
    let style = match run.outcome.state {
        "passed" => GOOD,
        "recording" | "removed" | "empty" => QUIET,
        "interrupted" => UNSURE,
        _ => BAD,
    };
    let attempts = if run.attempts > 1 { format!(" (attempt {})", run.attempts) } else { String::new() };
    styled(style, format!("{}{attempts}", run.outcome.text))
}

fn coverage(run: &RunSummary) -> String {
    if run.coverage == "complete" { styled(QUIET, "-") } else { run.coverage.clone() }
}

fn sealed(run: &RunSummary) -> String {
    styled(if run.verify == "sealed" { GOOD } else { UNSURE }, run.verify)
}

fn command(run: &RunSummary) -> String {
    match (&run.removed, &run.command) {
        (Some(removed), _) => {
            let by = removed.by.as_deref().unwrap_or("somebody unknown");
            format!("removed by {by}: {}", removed.reason.as_deref().unwrap_or("no reason kept"))
        }
        (None, Some(command)) => render::cut(command, COMMAND_WIDTH),
        (None, None) => String::new(),
    }
}
