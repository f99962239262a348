//! `agentprov blame`.

use crate::context::{Context, current_dir};
use crate::failure::{CommandResult, Failure};
use crate::render::{self, QUIET, UNSURE, styled};
use agentprov_graph::attempts::attempts;
use agentprov_graph::blame::{Blame as Document, BlameLine, LineNo, LineStatus, Owner, OwnerCall, Statement, blame};
use agentprov_graph::tool_calls::BindingState;
use agentprov_graph::versions::{FilePath, find_file, resolve_file};
use agentprov_graph::{GraphError, Selected, select_run};
use agentprov_model::OsBytes;
use agentprov_store::Reader;
use clap::Args;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

/// Says which process wrote each line of a file, through every version that the run made, and what stood there before.
#[derive(Args, Debug)]
pub(crate) struct Blame {
    /// The file, or FILE:LINE
    #[arg(value_name = "FILE[:LINE]")]
    place: OsString,
    /// The run [default: the latest run that wrote the file]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Blame the file at this commit, across all runs and commits
    #[arg(long, value_name = "REV", conflicts_with = "run")]
    rev: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Blame {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (name, line) = split_place(&self.place);
        if let Some(revision) = &self.rev {
            return crate::commands::blame_revision::run(context, &name, line, revision, self.json);
        }
        let reader = context.store()?.reader()?;
        let (selected, file, line) = self.find(&reader, &name, line)?;
        let document = blame(&reader, &selected.run, &file, line)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        context.say_which(&selected);
        print(context, &document, line.is_some())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A trailing `:N` is a line.
fn split_place(place: &OsString) -> (OsBytes, Option<LineNo>) {
    let bytes = place.as_bytes();
    let split = bytes.iter().rposition(|byte| *byte == b':').and_then(|colon| {
        let number: u64 = std::str::from_utf8(&bytes[colon + 1..]).ok()?.parse().ok()?;
        Some((colon, LineNo::new(number)?))
    });
    match split {
        Some((colon, line)) => (OsBytes::from(&bytes[..colon]), Some(line)),
        None => (OsBytes::from(place.clone().into_vec()), None),
    }
}

impl Blame {
    /// The file and the line. Where no file has the name without its `:N`, one may be named so.
    fn find(
        &self,
        reader: &Reader,
        name: &OsBytes,
        line: Option<LineNo>,
    ) -> Result<(Selected, FilePath, Option<LineNo>), Failure> {
        let missing = match find(reader, self.run.as_deref(), name) {
            Ok((selected, file)) => return Ok((selected, file, line)),
            Err(failure) => failure,
        };
        if line.is_some()
            && let Ok((selected, file)) = find(reader, self.run.as_deref(), &self.place.clone().into_vec().into())
        {
            return Ok((selected, file, None));
        }
        Err(if name.lossy().ends_with(":0") { missing.hint("lines are counted from 1") } else { missing })
    }
}

/// The file in the named run, else in the newest run that has a version of it.
fn find(reader: &Reader, run: Option<&str>, name: &OsBytes) -> Result<(Selected, FilePath), Failure> {
    let here = current_dir()?;
    let here = OsBytes::from(here.as_os_str().as_bytes());
    let first = select_run(reader, run)?;
    let missing = match resolve_file(reader, &first.run, &attempts(reader, &first.run)?, name, Some(&here)) {
        Ok(file) => return Ok((first, file)),
        Err(error @ GraphError::NotFound { .. }) if run.is_none() => error,
        Err(error) => return Err(error.into()),
    };
    for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none() && run.no != first.run.no) {
        let file = find_file(reader, &run, &attempts(reader, &run)?, name, Some(&here))?;
        if let Some(file) = file {
            return Ok((Selected { run, latest: true }, file));
        }
    }
    Err(missing.into())
}

/// Prints what became of the file in each attempt.
pub(crate) fn print_entries(document: &Document) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    for entry in &document.entries {
        writeln!(
            out,
            "attempt={} tool_call={} reason={} sha256={}",
            entry.attempt.attempt_id, entry.attempt.tool_call_id, entry.reason, entry.sha256
        )?;
    }
    Ok(())
}

/// Prints the lines, each with its owner.
pub(crate) fn print(context: &Context, document: &Document, one_line: bool) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    if let Some(why) = &document.no_lines {
        writeln!(out, "{}: no lines: {why}", render::visible(&document.file))?;
        return Ok(());
    }
    let width = document.lines.last().map_or(1, |line| line.line.to_string().len());
    for line in &document.lines {
        let who = headline(&line.statement);
        writeln!(out, "{:>width$}  {}  {}", line.line, styled(QUIET, format!("{who:<52}")), visible_line(&line.text))?;
        if one_line || line.statement.status == LineStatus::Ambiguous {
            details(&mut out, context, line)?;
        }
    }
    Ok(())
}

fn visible_line(text: &str) -> String {
    agentprov_graph::timeline::visible_text(text)
}

fn headline(statement: &Statement) -> String {
    match statement.status {
        LineStatus::Owned => statement.owner.as_ref().map_or_else(String::new, |owner| {
            // A declared call says more than the process that ran in it.
            let call = owner.tool_call_id.as_ref().filter(|_| is_bound(owner));
            render::cut(&format!("{} {}", call.unwrap_or(&owner.process_id), short_command(owner)), 52)
        }),
        LineStatus::Ambiguous => format!("one of {} processes", statement.candidates.len()),
        LineStatus::BeforeRun => "before the run".to_owned(),
        LineStatus::Unknown => "unknown".to_owned(),
    }
}

fn command(owner: &Owner) -> String {
    owner.command.clone().unwrap_or_else(|| "(program not known)".to_owned())
}

/// The command without the folders of its program, which would leave no room for what tells it from others.
fn short_command(owner: &Owner) -> String {
    let command = command(owner);
    let end = command.find(' ').unwrap_or(command.len());
    match command[..end].rfind('/') {
        Some(slash) if command.starts_with('/') && slash + 1 < end => command[slash + 1..].to_owned(),
        _ => command,
    }
}

fn is_bound(owner: &Owner) -> bool {
    owner.declared.as_ref().is_some_and(|call| call.state == BindingState::Bound)
}

/// The declared call, and on what ground it is named.
fn tool_call(call: &OwnerCall) -> String {
    let (rung, tool) = (call.rung.map_or("", |rung| rung.name()), render::visible(&call.tool.as_str().into()));
    match call.state {
        BindingState::Ambiguous => format!("one of {} ({} {tool}, {rung})", call.tool_call_ids.join(", "), call.agent),
        _ => {
            format!("{} ({} {tool}, {rung}, confidence {})", call.tool_call_ids.join(", "), call.agent, call.confidence)
        }
    }
}

fn details(out: &mut impl Write, context: &Context, line: &BlameLine) -> std::io::Result<()> {
    statement(out, context, "written by", &line.statement)?;
    for earlier in &line.earlier {
        let label = if earlier.replaced == "line" { "over a line by" } else { "over lines by" };
        statement(out, context, label, &earlier.statement)?;
    }
    Ok(())
}

fn statement(out: &mut impl Write, context: &Context, label: &str, statement: &Statement) -> std::io::Result<()> {
    let clock = context.clock();
    for owner in statement.owner.iter().chain(&statement.candidates) {
        let confidence = statement.confidence.map(|value| format!(" (confidence {value})")).unwrap_or_default();
        writeln!(out, "    {label} {}{confidence}", owner.process_id)?;
        writeln!(out, "      command    {}", command(owner))?;
        writeln!(out, "      at         {}", clock.show_text(&owner.at))?;
        match (&owner.declared, &owner.tool_call_id) {
            (Some(call), _) => writeln!(out, "      tool call  {}", tool_call(call))?,
            (None, Some(id)) => writeln!(out, "      tool call  {id}")?,
            (None, None) => {}
        }
        writeln!(out, "      evidence   {} (fact {})", owner.event_id, owner.seq)?;
    }
    match statement.status {
        LineStatus::BeforeRun => writeln!(out, "    {label} somebody before the run"),
        LineStatus::Unknown => {
            let why = statement.reason.as_deref().unwrap_or("no evidence");
            writeln!(out, "    {label} {}", styled(UNSURE, format!("unknown: {why}")))
        }
        LineStatus::Owned | LineStatus::Ambiguous => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::split_place;

    #[test]
    fn a_trailing_number_is_a_line_and_anything_else_is_part_of_the_name() {
        let parse = |text: &str| {
            let (name, line) = split_place(&text.into());
            (name.lossy().into_owned(), line.map(agentprov_graph::blame::LineNo::number))
        };
        assert_eq!(parse("app.py:12"), ("app.py".into(), Some(12)));
        for whole in ["app.py", "a:b", "app.py:0", "app.py:"] {
            assert_eq!(parse(whole), (whole.into(), None));
        }
    }
}
