//! `agentprov import`.

mod transcript;

use crate::context::Context;
use crate::failure::CommandResult;
use clap::Subcommand;

/// Take in what other programs wrote down.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Session files of agents
    Transcript(transcript::Transcript),
}

impl Import {
    pub(crate) fn run(&self, context: &Context) -> CommandResult {
        match self {
            Self::Transcript(command) => command.run(context),
        }
    }
}
