//! `agentprov telemetry list`.

use crate::context::Context;
use crate::failure::CommandResult;
use crate::render::{self, Columns};
use crate::run_name::RunName;
use agentprov_graph::telemetry::{EventFilter, TelemetryEvents, events};
use clap::Args;
use std::io::Write;
use std::process::ExitCode;

/// Lists the events of a run, oldest first.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    run: RunName,
    /// Only events of this session
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    session: String,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE", default_value = "", hide_default_value = true)]
    kind: String,
    /// Only events of this tool call
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    tool_call: String,
    /// Rows on a page; below 0 for all
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true)]
    limit: i64,
    /// Where the page before ended, as it printed
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(remote) = context.remote(self.json)? {
            return remote.print(
                "/v1/telemetry/events",
                &[
                    ("run", self.run.name().map(str::to_owned)),
                    ("session", Some(self.session)),
                    ("type", Some(self.kind)),
                    ("tool_call", Some(self.tool_call)),
                    ("limit", Some(self.limit.to_string())),
                    ("cursor", self.cursor),
                ],
            );
        }
        let (reader, selected) = context.run(self.run.name())?;
        let filter = EventFilter {
            run: selected.run.id.to_string(),
            session: self.session,
            kind: self.kind,
            tool_call: self.tool_call,
        };
        let document = events(&reader, &selected.run, filter, self.limit, self.cursor)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        context.say_which(&selected);
        let mut out = anstream::stdout().lock();
        columns(context, &document).write(&mut out)?;
        if let Some(next) = &document.next_cursor {
            writeln!(out, "next_cursor={next}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn columns(context: &Context, document: &TelemetryEvents) -> Columns {
    let clock = context.clock();
    let mut columns = Columns::new(&[
        "ID",
        "RUN",
        "SESSION",
        "TOOL_CALL",
        "PROCESS",
        "SNAPSHOT",
        "CORRELATION",
        "CONFIDENCE",
        "SOURCE",
        "TYPE",
        "CREATED_AT",
    ]);
    for event in &document.events {
        columns.row(vec![
            event.id.clone(),
            event.run_id.clone(),
            event.session_id.clone(),
            event.tool_call_id.clone(),
            event.process_id.clone(),
            event.snapshot_id.clone(),
            event.correlation_method.to_owned(),
            event.correlation_confidence.to_string(),
            event.source.clone(),
            event.event_type.to_owned(),
            clock.show_text(&event.created_at),
        ]);
    }
    columns
}
