//! `agentprov policy`.

use crate::commands::record_rules::{Mode, load};
use crate::commands::security::say_judging;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns};
use crate::run_name::RunName;
use agentprov_graph::security::policy_decisions;
use agentprov_policy::diagnostic::Level;
use agentprov_policy::trial::{self, TrialRow};
use clap::{Args, Subcommand};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rules: try them, check them, see what they decided.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Judge the events of a JSONL file and print what rules say; nothing is stored or done
    Test(Test),
    /// Check a rule file
    Lint(Lint),
    /// What rules decided
    Decisions(Decisions),
}

#[derive(Args, Debug)]
pub(crate) struct Test {
    /// The events, one JSON object a line; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The rules [default: the built-in ones]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Judge as a recording in this mode would
    #[arg(long, value_enum, default_value_t = Mode::Enforce)]
    mode: Mode,
}

#[derive(Args, Debug)]
pub(crate) struct Lint {
    /// The rule file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Decisions {
    /// The run [default: all runs]
    #[command(flatten)]
    run: RunName,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Policy {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Self::Test(command) => command.run(),
            Self::Lint(command) => command.run(),
            Self::Decisions(command) => command.run(context),
        }
    }
}

impl Test {
    fn run(&self) -> CommandResult {
        let rules = load(self.rules.as_deref())?;
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let mut refused = 0u64;
        trial::test(open(&self.file)?, &rules, self.mode.into(), |row| {
            refused += u64::from(matches!(row, TrialRow::Refused { .. }));
            serde_json::to_writer(&mut out, &row)?;
            out.write_all(b"\n")
        })?;
        out.flush()?;
        if refused > 0 {
            let lines = render::count(refused, "line");
            return Err(Failure::new(format!("{lines} could not be judged; each has a row with its error")));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = std::fs::File::open(path).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display())).hint("name a file of events, or - for standard input")
    })?;
    Ok(Box::new(BufReader::new(file)))
}

impl Lint {
    fn run(&self) -> CommandResult {
        let diagnostics = agentprov_policy::lint(&self.file).map_err(|error| {
            Failure::new(error.to_string()).hint("name a file of rules; the built-in rules (default) are no file")
        })?;
        if self.json {
            render::json(&diagnostics)?;
        } else {
            let mut out = anstream::stdout().lock();
            for diagnostic in &diagnostics {
                writeln!(out, "{diagnostic}")?;
            }
            if diagnostics.is_empty() {
                writeln!(out, "{}: no mistakes", self.file.display())?;
            }
        }
        let wrong = diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
        Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

impl Decisions {
    fn run(&self, context: &Context) -> CommandResult {
        let (reader, run) = match self.run.name() {
            Some(name) => {
                let (reader, selected) = context.run(Some(name))?;
                (reader, Some(selected.run))
            }
            None => (context.store()?.reader()?, None),
        };
        let document = policy_decisions(&reader, run.as_ref())?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let clock = context.clock();
        let mut columns = Columns::new(&["ID", "RUN", "SESSION", "RULE", "DECISION", "REASON", "CREATED_AT"]);
        for row in &document.body.decisions {
            let wanted = if row.intended > row.decision { format!(" (not {})", row.intended) } else { String::new() };
            columns.row(vec![
                row.id.clone(),
                row.run_id.clone(),
                row.session_id.clone(),
                row.rule_id.clone(),
                format!("{}{wanted}", row.decision),
                render::cut(&row.reason, 60),
                clock.show_text(&row.created_at),
            ]);
        }
        let mut out = anstream::stdout().lock();
        if document.body.count > 0 {
            columns.write(&mut out)?;
        }
        say_judging(&mut out, document.body.count, "decisions", &document.judging)?;
        Ok(ExitCode::SUCCESS)
    }
}
