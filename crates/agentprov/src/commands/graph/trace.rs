//! `agentprov graph trace`.

use super::explain::TargetName;
use crate::context::Context;
use crate::failure::CommandResult;
use agentprov_graph::trace::{render, trace, trace_run};
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

/// Prints headed sections of key=value rows about one thing.
#[derive(Args, Debug)]
pub(crate) struct Trace {
    /// The run; with another flag, the run in which to look [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    target: TargetName,
}

impl Trace {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let sections = match self.target.target() {
            None => {
                let (reader, selected) = context.run(self.run.as_deref())?;
                context.say_which(&selected);
                trace_run(&reader, &selected.run)?
            }
            Some(target) => {
                let (reader, run) = super::explain::run_of(context, self.run.as_deref(), &target)?;
                trace(&reader, &run, &target)?
            }
        };
        let mut out = std::io::stdout().lock();
        for line in render(&sections) {
            writeln!(out, "{line}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
