//! agentprov: flight recorder and notary for coding agents.
//!
//! This crate is the command line: it parses arguments, calls the views and sessions of the other crates, and
//! renders what they give. It holds no logic that another surface would need.

mod age;
mod arguments;
mod commands;
mod context;
mod failure;
mod global;
mod hook_message;
mod remote;
mod render;
mod run_name;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = commands::launch::by_name() {
        return code;
    }
    // A hook stands between an agent and its work: it does without the whole command tree.
    if let Some(code) = commands::hook::short_way() {
        return code;
    }
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        // An agent takes some statuses of its hook as an order: a hook that is set up wrongly must not give one.
        Err(error) if error.use_stderr() && std::env::args_os().nth(1).is_some_and(|first| first == "hook") => {
            return ExitCode::SUCCESS;
        }
        Err(error) => return failure::usage(&error),
    };
    match commands::run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
