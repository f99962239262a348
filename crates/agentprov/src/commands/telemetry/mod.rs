//! `agentprov telemetry`: what sensors and harnesses report, taken in and looked at.

mod batches;
mod bind;
mod bindings;
mod correlations;
mod event;
mod input;
mod jsonl;
mod list;
mod prune;
mod scope;
mod spool;
mod windows;

use crate::context::Context;
use crate::failure::CommandResult;
use clap::Subcommand;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Telemetry {
    /// Tie a scope to a process, container or cgroup
    Bind(bind::Bind),
    /// List what ties scopes to processes, containers and cgroups
    Bindings(bindings::Bindings),
    /// Take one event in
    Ingest(event::Ingest),
    /// Take the rows of a file or of standard input in
    IngestJsonl(jsonl::IngestJsonl),
    /// Take Falco's JSON output in
    IngestFalco(jsonl::IngestFalco),
    /// List the events of a run, oldest first
    List(list::List),
    /// Say how events came to their scope
    Correlations(correlations::Correlations),
    /// List the manifests of what was taken in
    Batches(batches::Batches),
    /// Count events in windows of 10 and 60 seconds
    Windows(windows::Windows),
    /// Remove the bodies of old events that nothing refers to
    Prune(prune::Prune),
    /// Queue inputs durably and take them in later
    Spool(spool::SpoolCommand),
}

impl Telemetry {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Self::Bind(command) => command.run(context),
            Self::Bindings(command) => command.run(context),
            Self::Ingest(command) => command.run(context),
            Self::IngestJsonl(command) => command.run(context),
            Self::IngestFalco(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Correlations(command) => command.run(context),
            Self::Batches(command) => command.run(context),
            Self::Windows(command) => command.run(context),
            Self::Prune(command) => command.run(context),
            Self::Spool(command) => command.run(context),
        }
    }
}
