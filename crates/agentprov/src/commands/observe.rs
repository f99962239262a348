//! `agentprov observe`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render;
use crate::run_name::RunName;
use agentprov_graph::Selected;
use agentprov_graph::observe::{
    observe_coverage, observe_event, observe_flow, observe_process, observe_scopes, observe_summary,
};
use agentprov_store::Reader;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::process::ExitCode;

/// Counts, coverage and context of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum Observe {
    /// What a run did, in numbers
    Summary(Summary),
    /// What was seen, what was not, and why
    Coverage(Coverage),
    /// One fact and its context
    Event(Event),
    /// One process and its context
    Process(Process),
    /// Tool calls, with what happened in each
    Scopes(Listing),
    /// What happened, beside the tool call that it belongs to
    Flow(Listing),
}

/// The run, and the form of the answer.
#[derive(Args, Debug)]
struct About {
    #[command(flatten)]
    run: RunName,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Summary {
    #[command(flatten)]
    about: About,
    /// Pieces of evidence that are listed
    #[arg(long, value_name = "N", default_value_t = 8)]
    top: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Coverage {
    #[command(flatten)]
    about: About,
    /// Gaps that are listed
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Event {
    #[command(flatten)]
    about: About,
    /// The fact, evt-...
    #[arg(long, value_name = "ID")]
    event: String,
}

#[derive(Args, Debug)]
pub(crate) struct Process {
    #[command(flatten)]
    about: About,
    /// The process, proc-...
    #[arg(long, value_name = "ID")]
    process: String,
}

#[derive(Args, Debug)]
pub(crate) struct Listing {
    #[command(flatten)]
    about: About,
    /// Rows that are listed; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
}

impl Observe {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Self::Summary(command) => {
                if let Some(remote) = context.remote(command.about.json)? {
                    let run = command.about.run.name().map(str::to_owned);
                    return remote
                        .print("/v1/observe/summary", &[("run", run), ("top", Some(command.top.to_string()))]);
                }
                let (reader, selected) = command.about.open(context)?;
                command.about.print(&observe_summary(&reader, &selected.run, command.top)?)
            }
            Self::Coverage(command) => {
                let (reader, selected) = command.about.open(context)?;
                command.about.print(&observe_coverage(&reader, &selected.run, command.limit)?)
            }
            Self::Event(command) => {
                let (reader, selected) = command.about.open(context)?;
                command.about.print(&observe_event(&reader, &selected.run, &command.event)?)
            }
            Self::Process(command) => {
                let (reader, selected) = command.about.open(context)?;
                command.about.print(&observe_process(&reader, &selected.run, &command.process)?)
            }
            Self::Scopes(command) => {
                let (reader, selected) = command.about.open(context)?;
                command.about.print(&observe_scopes(&reader, &selected.run, command.limit)?)
            }
            Self::Flow(command) => {
                let (reader, selected) = command.about.open(context)?;
                command.about.print(&observe_flow(&reader, &selected.run, command.limit)?)
            }
        }
    }
}

impl About {
    fn open(&self, context: &Context) -> Result<(Reader, Selected), Failure> {
        let (reader, selected) = context.run(self.run.name())?;
        if !self.json {
            context.say_which(&selected);
        }
        Ok((reader, selected))
    }

    fn print(&self, document: &impl Serialize) -> CommandResult {
        if self.json {
            render::json(document)?;
        } else {
            render::outline(&mut anstream::stdout().lock(), document)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
