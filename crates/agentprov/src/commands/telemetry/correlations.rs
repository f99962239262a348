//! `agentprov telemetry correlations`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns};
use agentprov_graph::telemetry::{Correlations as Document, correlations};
use agentprov_model::EventId;
use agentprov_store::{Reader, RunRow};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// Says how each event came to its scope, by which binding, and how sure that is.
#[derive(Args, Debug)]
pub(crate) struct Correlations {
    /// The run [default: that of the event, else the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only this event
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Correlations {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if let Some(remote) = context.remote(self.json)? {
            let event = self.event.map(|event| event.to_string());
            return remote.print("/v1/telemetry/correlations", &[("run", self.run), ("event", event)]);
        }
        let (reader, run) = self.place(context)?;
        let document = correlations(&reader, &run, self.event)?;
        if self.json {
            render::json(&document)?;
        } else {
            columns(&document).write(&mut anstream::stdout().lock())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn place(&self, context: &Context) -> Result<(Reader, RunRow), Failure> {
        if let (None, Some(id)) = (&self.run, &self.event) {
            let reader = context.store()?.reader()?;
            let found = reader.find_event(id)?;
            let (run, _) = found.ok_or_else(|| {
                Failure::new(format!("no event '{id}'")).hint("list them with: agentprov telemetry list --run RUN")
            })?;
            return Ok((reader, run));
        }
        let (reader, selected) = context.run(self.run.as_deref())?;
        if !self.json {
            context.say_which(&selected);
        }
        Ok((reader, selected.run))
    }
}

fn columns(document: &Document) -> Columns {
    let mut columns =
        Columns::new(&["EVENT", "TYPE", "SOURCE", "STATUS", "METHOD", "CONFIDENCE", "TOOL_CALL", "BINDING", "REASON"]);
    let text = |value: &Value| match value {
        Value::String(text) => agentprov_graph::timeline::visible_text(text),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    for row in &document.correlations {
        let (event, matched) = (&row.event, &row.matched);
        columns.row(vec![
            text(&event["id"]),
            text(&event["type"]),
            text(&event["source"]),
            text(&matched["status"]),
            text(&matched["method"]),
            text(&matched["confidence"]),
            text(&row.resolved_context["tool_call_id"]),
            text(&matched["binding_id"]),
            text(&matched["reason"]),
        ]);
    }
    columns
}
