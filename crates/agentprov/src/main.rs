//! agentprov: flight recorder and notary for coding agents.
//!
//! This crate is the command line: it parses arguments, calls the views and sessions of the other crates, and
//! renders what they give. It holds no logic that another surface would need.

mod arguments;
mod commands;
mod context;
mod failure;
mod render;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage(&error),
    };
    match commands::run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
