//! `agentprov import`.

mod transcript;

use crate::context::Context;
use crate::failure::CommandResult;
use clap::Subcommand;

/// Take in what other programs wrote down.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Take in session files of agents: a second witness of their tool calls
    Transcript(transcript::Transcript),
}

impl Import {
    pub(crate) fn run(&self, context: &Context) -> CommandResult {
        match self {
            Self::Transcript(command) => command.run(context),
        }
    }
}
