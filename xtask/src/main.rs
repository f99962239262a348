//! The workspace's own commands: `cargo xtask test`, `tidy`, `bench` and `generate`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a build tool talks to whoever runs it")]

mod bench;
mod generate;
mod logged_command;
mod process_tree;
mod scratch;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

/// Errors are sentences for the person at the terminal: what failed, and what to do next.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--full] [--only STEP,...] [-- FILTER...]
      install what the tests need, then check and test the workspace
  tidy
      check the rules of the source tree
  bench [--filter TEXT] [--runs N] [--json FILE] [--program FILE] [--list]
      measure the release binary against named rivals
  generate [--check]
      rewrite the committed files that are generated
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let (command, rest) = match arguments.get(1..) {
        Some([command, rest @ ..]) => (command.as_str(), rest),
        _ => ("", &[] as &[String]),
    };
    let asks_for_help = rest.iter().any(|word| matches!(word.as_str(), "--help" | "-h"));
    let done = match command {
        _ if asks_for_help => {
            print!("{USAGE}");
            Ok(true)
        }
        "test" => test::run(rest),
        "tidy" => tidy::run(rest),
        "bench" => bench::run(rest),
        "generate" => generate::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        "" => Err(format!("no command given\n\n{USAGE}")),
        unknown => Err(format!("unknown command `{unknown}`\n\n{USAGE}")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
