//! `agentprov init`.

use crate::context::Context;
use crate::failure::CommandResult;
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

/// Makes the store where recording would make it.
#[derive(Args, Debug)]
pub(crate) struct Init {}

impl Init {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let store = context.store_or_new()?;
        let dir = store.dir().canonicalize().unwrap_or_else(|_| store.dir().to_owned());
        writeln!(std::io::stdout(), "initialized {}", dir.display())?;
        Ok(ExitCode::SUCCESS)
    }
}
