//! `agentprov generate`: files of the project that are made from the program, so that they can't lie about it.

use crate::arguments::Arguments;
use crate::failure::{CommandResult, Failure};
use clap::{CommandFactory, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// What to generate.
#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// The command reference, as Markdown on standard output
    CliReference,
    /// The description of the review API, as JSON
    Openapi {
        /// File to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<std::path::PathBuf>,
    },
}

impl Generate {
    pub(crate) fn run(self) -> CommandResult {
        match self {
            Self::CliReference => cli_reference(),
            Self::Openapi { output } => openapi(output),
        }
    }
}

fn openapi(output: Option<std::path::PathBuf>) -> CommandResult {
    let text = agentprov_server::openapi::text(&agentprov_server::Prefix::default());
    match output {
        Some(path) => std::fs::write(&path, text)
            .map_err(|error| Failure::new(format!("can't write {}: {error}", path.display())))?,
        None => std::io::stdout().write_all(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn cli_reference() -> CommandResult {
    let mut text = String::from(
        "# Command reference\n\nMade by `agentprov generate cli-reference`; `cargo xtask test` compares it with the program.\n",
    );
    let mut root = Arguments::command().term_width(100);
    root.build();
    describe(&root, "agentprov", &mut text);
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn describe(command: &clap::Command, name: &str, text: &mut String) {
    let help = command.clone().bin_name(name).term_width(100).render_long_help().to_string();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", trimmed(&help)));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        describe(inner, &format!("{name} {}", inner.get_name()), text);
    }
}

fn trimmed(help: &str) -> String {
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}
