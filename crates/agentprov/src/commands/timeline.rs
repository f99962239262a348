//! `agentprov timeline`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Clock, Columns};
use crate::run_name::RunName;
use agentprov_graph::timeline::TimelineRow;
use agentprov_graph::{Timeline as Document, TimelineQuery, TimelineView, timeline};
use clap::{Args, ValueEnum};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Prints the facts of a run in order of event time.
#[derive(Args, Debug)]
pub(crate) struct Timeline {
    #[command(flatten)]
    run: RunName,
    /// Only facts of this tool call
    #[arg(long, value_name = "ID")]
    tool_call: Option<String>,
    /// Only facts of this process
    #[arg(long, value_name = "ID")]
    process: Option<String>,
    /// Only facts of this event type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// How to show the rows
    #[arg(long, value_enum, default_value_t = View::Table)]
    view: View,
    /// Rows on a page; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,
    /// Where the page before ended, as it printed
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum View {
    /// One line a fact
    Table,
    /// With lanes, and the command that looks closer
    Causality,
}

impl Timeline {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(remote) = context.remote(self.json)? {
            let view = matches!(self.view, View::Causality).then(|| "causality".to_owned());
            return remote.print(
                "/v1/timeline",
                &[
                    ("run", self.run.name().map(str::to_owned)),
                    ("tool_call", self.tool_call),
                    ("process", self.process),
                    ("type", self.kind),
                    ("limit", Some(self.limit.to_string())),
                    ("cursor", self.cursor),
                    ("view", view),
                ],
            );
        }
        let (reader, selected) = context.run(self.run.name())?;
        let query = TimelineQuery {
            tool_call: self.tool_call,
            process: self.process,
            kind: self.kind,
            view: match self.view {
                View::Table => TimelineView::Table,
                View::Causality => TimelineView::Causality,
            },
            limit: self.limit,
            cursor: self.cursor,
        };
        let document = timeline(&reader, &selected.run, &query)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        context.say_which(&selected);
        print(context, &document, self.view)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(context: &Context, document: &Document, view: View) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let people = std::io::stdout().is_terminal();
    if !people {
        let next = document.next_cursor.as_deref().unwrap_or_default();
        writeln!(
            out,
            "run={} schema={} events={} total={} has_more={} next_cursor={next}",
            document.run_id, document.schema_version, document.event_count, document.total_count, document.has_more,
        )?;
    }
    let clock = context.clock();
    let columns = match view {
        View::Table if people => short(document, clock),
        View::Table => table(document, clock),
        View::Causality => causality(document, clock),
    };
    columns.write(&mut out)?;
    if people && document.has_more {
        let next = document.next_cursor.as_deref().unwrap_or_default();
        writeln!(out, "{} of {} facts; the next page: --cursor {next}", document.event_count, document.total_count)?;
    }
    Ok(())
}

/// What a terminal has room for: the run has one session in nearly all cases, and ids are there with `--json`.
fn short(document: &Document, clock: Clock) -> Columns {
    let mut columns = Columns::new(&["TIME", "TYPE", "PROCESS", "SUMMARY"]);
    for row in &document.events {
        let process = row.context.process_id.clone().unwrap_or_default();
        columns.row(vec![clock.time_of_day_text(&row.time), row.kind.to_owned(), process, row.summary.clone()]);
    }
    columns
}

fn table(document: &Document, clock: Clock) -> Columns {
    let mut columns =
        Columns::new(&["TIME", "TYPE", "SOURCE", "ID", "SESSION", "ATTEMPT", "TOOL_CALL", "PROCESS", "SUMMARY"]);
    for row in &document.events {
        let context = &row.context;
        let or_none = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
        columns.row(vec![
            clock.show_text(&row.time),
            row.kind.to_owned(),
            row.source.to_owned(),
            row.id.clone(),
            or_none(&context.session_id),
            or_none(&context.attempt_id),
            or_none(&context.tool_call_id),
            or_none(&context.process_id),
            row.summary.clone(),
        ]);
    }
    columns
}

fn causality(document: &Document, clock: Clock) -> Columns {
    let mut columns = Columns::new(&["TIME", "LANE", "TYPE", "TOOL_CALL", "PROCESS", "STATUS", "SUMMARY", "DRILLDOWN"]);
    for row in &document.events {
        columns.row(vec![
            clock.show_text(&row.time),
            row.lane.to_owned(),
            row.kind.to_owned(),
            row.context.tool_call_id.clone().unwrap_or_default(),
            row.context.process_id.clone().unwrap_or_default(),
            status(row).to_owned(),
            row.summary.clone(),
            row.drilldowns.first().cloned().unwrap_or_default(),
        ]);
    }
    columns
}

fn status(row: &TimelineRow) -> &'static str {
    row.correlation_status.map_or("", agentprov_graph::scope_context::Status::name)
}
