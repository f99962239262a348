//! `agentprov telemetry`.

mod bind;
mod ingest;
mod input;
mod jsonl;
mod list;
mod scope;
mod windows;

use crate::context::Context;
use crate::failure::CommandResult;
use clap::Subcommand;

/// What sensors saw: take it in, tie it to runs, look at it.
#[derive(Debug, Subcommand)]
pub(crate) enum Telemetry {
    /// Say which processes belong to a tool call, and while when
    Bind(bind::Bind),
    /// Take in one event
    Ingest(ingest::Ingest),
    /// Take in rows of a sensor's JSON lines
    IngestJsonl(jsonl::IngestJsonl),
    /// Take in alerts of Falco
    IngestFalco(jsonl::IngestFalco),
    /// Events of a run, oldest first
    List(list::List),
    /// What was taken in together
    Batches(list::Batches),
    /// Which processes were said to belong to what
    Bindings(list::Bindings),
    /// How events were tied to their scopes
    Correlations(list::Correlations),
    /// Counts of events by windows of time
    Windows(windows::Windows),
}

impl Telemetry {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Self::Bind(command) => command.run(context),
            Self::Ingest(command) => command.run(context),
            Self::IngestJsonl(command) => command.run(context),
            Self::IngestFalco(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Batches(command) => command.run(context),
            Self::Bindings(command) => command.run(context),
            Self::Correlations(command) => command.run(context),
            Self::Windows(command) => command.run(context),
        }
    }
}
