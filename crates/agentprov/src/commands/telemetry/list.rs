//! `agentprov telemetry list`, `batches`, `bindings` and `correlations`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns};
use agentprov_graph::telemetry::{BindingFilter, EventFilter, batches, bindings, correlations, events};
use agentprov_model::EventId;
use agentprov_store::Reader;
use clap::Args;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;

/// Lists events of a run, oldest first.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The run [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only events of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only events of this tool call
    #[arg(long, value_name = "ID")]
    tool_call: Option<String>,
    /// Rows on a page, at most 1000; negative for all
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true)]
    limit: i64,
    /// Where the page before ended, as it printed
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Print a document
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, selected) = context.run(self.run.as_deref())?;
        context.say_which(&selected);
        let filter = EventFilter {
            run: selected.run.id.to_string(),
            session: self.session.unwrap_or_default(),
            kind: self.kind.unwrap_or_default(),
            tool_call: self.tool_call.unwrap_or_default(),
        };
        let document = events(&reader, &selected.run, filter, self.limit, self.cursor)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
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
                format!("{:.2}", event.correlation_confidence),
                event.source.clone(),
                event.event_type.to_owned(),
                clock.show_text(&event.created_at),
            ]);
        }
        let mut out = anstream::stdout().lock();
        columns.write(&mut out)?;
        if let Some(next) = &document.next_cursor {
            writeln!(out, "next_cursor={next}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Lists what was taken in together, with the hash of the exact input.
#[derive(Args, Debug)]
pub(crate) struct Batches {
    /// The run [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Print a document
    #[arg(long)]
    json: bool,
}

impl Batches {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, selected) = context.run(self.run.as_deref())?;
        context.say_which(&selected);
        let document = batches(&reader, &selected.run)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let clock = context.clock();
        let mut columns = Columns::new(&[
            "ID",
            "RUN",
            "FORMAT",
            "READ",
            "INGESTED",
            "SKIPPED",
            "FAILED",
            "PATH",
            "FILE_SHA256",
            "CREATED_AT",
        ]);
        for batch in &document.batches {
            columns.row(vec![
                batch.id.clone(),
                batch.run_id.clone(),
                batch.format.clone(),
                batch.read.to_string(),
                batch.ingested.to_string(),
                batch.skipped.to_string(),
                batch.failed.to_string(),
                batch.path.clone(),
                batch.file_sha256.clone(),
                clock.show_text(&batch.created_at),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Lists which runtime identities were said to belong to what.
#[derive(Args, Debug)]
pub(crate) struct Bindings {
    /// Only of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only of this attempt
    #[arg(long, value_name = "ID")]
    attempt: Option<String>,
    /// Only of this tool call
    #[arg(long, value_name = "ID")]
    tool_call: Option<String>,
    /// Only of this process
    #[arg(long, value_name = "ID")]
    process: Option<String>,
    /// Print a list of objects
    #[arg(long)]
    json: bool,
}

impl Bindings {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let reader = context.store()?.reader()?;
        let filter = BindingFilter {
            run: self.run,
            session: self.session,
            attempt: self.attempt,
            tool_call: self.tool_call,
            process: self.process,
        };
        let rows = bindings(&reader, &filter)?;
        if self.json {
            render::json(&rows)?;
            return Ok(ExitCode::SUCCESS);
        }
        let clock = context.clock();
        let mut columns = Columns::new(&[
            "ID",
            "RUN",
            "SESSION",
            "ATTEMPT",
            "TOOL_CALL",
            "PROCESS",
            "CONTAINER",
            "CGROUP",
            "ROOT_PID",
            "PID",
            "SOURCE",
            "CONFIDENCE",
            "STARTED_AT",
            "ENDED_AT",
        ]);
        for row in rows {
            let ended = if row.ended_at.is_empty() { String::new() } else { clock.show_text(&row.ended_at) };
            columns.row(vec![
                row.id,
                row.run_id,
                row.session_id,
                row.attempt_id,
                row.tool_call_id,
                row.process_id,
                row.container_id,
                row.cgroup_id,
                row.root_pid.to_string(),
                row.pid.to_string(),
                row.binding_source,
                format!("{:.2}", row.confidence),
                clock.show_text(&row.started_at),
                ended,
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Lists how events were tied to their scopes, with what else would have fitted.
#[derive(Args, Debug)]
pub(crate) struct Correlations {
    /// The run [default: the latest, or that of the event]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only this event
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Print a document
    #[arg(long)]
    json: bool,
}

impl Correlations {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (reader, run) = match (&self.run, &self.event) {
            (None, Some(event)) => {
                let reader: Reader = context.store()?.reader()?;
                let found = reader.find_event(event)?;
                let (run, _) = found.ok_or_else(|| {
                    Failure::new(format!("no event '{event}'")).hint("list events with: agentprov telemetry list")
                })?;
                (reader, run)
            }
            (run, _) => {
                let (reader, selected) = context.run(run.as_deref())?;
                context.say_which(&selected);
                (reader, selected.run)
            }
        };
        let document = correlations(&reader, &run, self.event)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let mut columns = Columns::new(&[
            "EVENT",
            "TYPE",
            "SOURCE",
            "STATUS",
            "METHOD",
            "CONFIDENCE",
            "BINDING",
            "TOOL_CALL",
            "REASON",
        ]);
        for row in &document.correlations {
            columns.row(vec![
                text(&row.event, "id"),
                text(&row.event, "type"),
                text(&row.event, "source"),
                text(&row.matched, "status"),
                text(&row.matched, "method"),
                row.matched["confidence"].as_f64().map(|number| format!("{number:.2}")).unwrap_or_default(),
                text(&row.matched, "binding_id"),
                text(&row.resolved_context, "tool_call_id"),
                text(&row.matched, "reason"),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}
