//! `agentprov graph`.

mod diff;
mod explain;
mod listing;
mod trace;

use crate::commands::{blame, verify};
use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use crate::remote::{as_text, here};
use crate::render;
use crate::run_name::RunName;
use agentprov_graph::attempts::attempts;
use agentprov_graph::versions::{FilePath, find_file, resolve_file};
use agentprov_graph::{GraphError, Selected, materialize};
use agentprov_model::OsBytes;
use agentprov_store::Reader;
use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

/// The causality graph: what led to what, with the evidence.
#[derive(Debug, Subcommand)]
pub(crate) enum Graph {
    /// Sections of rows about a run, an artifact, an attempt, a tool call or a process
    Trace(trace::Trace),
    /// Names for the things of a run, with the hashes that they stand for
    Refs(RunOnly),
    /// One line a fact
    Log(listing::Log),
    /// Content-addressed objects of a run
    Objects(listing::Objects),
    /// What changed, as a patch that `git apply` takes
    Diff(diff::Diff),
    /// Which process wrote each line of a file
    Blame(FileOf),
    /// Why something is as it is: causes, effects and evidence
    Explain(explain::Explain),
    /// Check that the evidence is what was signed
    Verify(RunDocument),
    /// Write the objects of a run as files named by their hash
    Materialize(Materialize),
}

#[derive(Args, Debug)]
pub(crate) struct RunOnly {
    #[command(flatten)]
    run: RunName,
}

#[derive(Args, Debug)]
pub(crate) struct RunDocument {
    #[command(flatten)]
    run: RunName,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct FileOf {
    /// The run [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// The file, below the workspace or absolute
    #[arg(long, value_name = "FILE")]
    file: OsString,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Materialize {
    #[command(flatten)]
    run: RunName,
    /// Facts beyond which they get no files of their own; the log's root covers them all
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    most_facts: u64,
}

impl Graph {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Self::Trace(command) => command.run(context),
            Self::Refs(command) => refs(context, &command),
            Self::Log(command) => command.run(context),
            Self::Objects(command) => command.run(context),
            Self::Diff(command) => command.run(context),
            Self::Blame(command) => blame_file(context, &command),
            Self::Explain(command) => command.run(context),
            Self::Verify(command) => verify_run(context, &command),
            Self::Materialize(command) => write_objects(context, &command),
        }
    }
}

fn refs(context: &Context, command: &RunOnly) -> CommandResult {
    let (reader, selected) = context.run(command.run.name())?;
    context.say_which(&selected);
    let mut out = std::io::stdout().lock();
    for row in agentprov_graph::refs::refs(&reader, &selected.run)? {
        writeln!(out, "{}", row.line())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn blame_file(context: &Context, command: &FileOf) -> CommandResult {
    if let Some(remote) = context.remote(command.json)? {
        let file = as_text(&command.file)?;
        let query = [("run", command.run.clone()), ("file", Some(file)), ("here", Some(here()?))];
        return remote.print("/v1/graph/blame", &query);
    }
    let (reader, selected) = context.run(command.run.as_deref())?;
    let file = file_of(&reader, &selected, &command.file)?;
    let document = agentprov_graph::blame::blame(&reader, &selected.run, &file, None)?;
    if command.json {
        render::json(&document)?;
    } else {
        context.say_which(&selected);
        blame::print_entries(&document)?;
        blame::print(context, &document, false)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn verify_run(context: &Context, command: &RunDocument) -> CommandResult {
    if let Some(remote) = context.remote(command.json)? {
        return remote.print_verdict("/v1/graph/verify", &[("run", command.run.name().map(str::to_owned))]);
    }
    let (reader, selected) = context.run(command.run.name())?;
    let report = verify::check(&reader, &selected.run, &[])?;
    let document = report.document();
    if command.json {
        render::json(&document)?;
    } else {
        context.say_which(&selected);
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "run={} status={} errors={} warnings={} issues={}",
            document.run_id, document.status, document.error_count, document.warning_count, document.issue_count
        )?;
        for issue in &document.issues {
            writeln!(out, "{} {} {} {}", issue.severity, issue.kind, issue.id, issue.message)?;
        }
    }
    Ok(ExitCode::from(report.verdict.exit_status()))
}

fn write_objects(context: &Context, command: &Materialize) -> CommandResult {
    let (reader, selected) = context.run(command.run.name())?;
    context.say_which(&selected);
    let report = materialize::materialize(&reader, &selected.run, command.most_facts)?;
    let mut out = std::io::stdout().lock();
    for line in report.lines() {
        writeln!(out, "{line}")?;
    }
    if report.damaged.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let count = render::count(report.damaged.len() as u64, "object file");
    Err(Failure::new(format!("{count} do not hold what their name says; they were left as they are"))
        .hint("move them away and materialize again; the store itself is checked by: agentprov fsck"))
}

/// The file that the user means, found below the workspace or from here.
fn file_of(reader: &Reader, selected: &Selected, name: &OsString) -> Result<FilePath, Failure> {
    let here = current_dir()?;
    let here = OsBytes::from(here.as_os_str().as_bytes());
    let name = OsBytes::from(name.clone().into_vec());
    let attempts = attempts(reader, &selected.run)?;
    let missing = match resolve_file(reader, &selected.run, &attempts, &name, Some(&here)) {
        Err(error @ GraphError::NotFound { .. }) if selected.latest => error,
        found => return Ok(found?),
    };
    // The latest run was meant, for want of a name: say which one has the file.
    for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none() && run.no != selected.run.no) {
        if find_file(reader, &run, &agentprov_graph::attempts::attempts(reader, &run)?, &name, Some(&here))?.is_some() {
            let missing = format!("{missing} in run '{}' (the latest)", selected.run.id);
            return Err(Failure::new(missing).hint(format!("run '{0}' changed it: --run {0}", run.id)));
        }
    }
    Err(missing.into())
}
