//! `agentprov telemetry windows`.

use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns};
use agentprov_graph::telemetry::{WindowFilter, windows};
use agentprov_model::window::WINDOW_SECONDS;
use clap::Args;
use std::process::ExitCode;

/// Counts events in windows of 10 and 60 seconds of event time.
#[derive(Args, Debug)]
pub(crate) struct Windows {
    /// Only windows of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only windows of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only windows of this tool call
    #[arg(long, value_name = "ID")]
    tool_call: Option<String>,
    /// Only windows of this event type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only windows of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Length in seconds, 10 or 60; 0 for both
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    window: u32,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

impl Windows {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if self.window != 0 && !WINDOW_SECONDS.contains(&self.window) {
            return Err(Failure::usage(format!("--window {}: windows are 10 or 60 seconds long", self.window)));
        }
        if let Some(remote) = context.remote(self.json)? {
            return remote.print(
                "/v1/telemetry/windows",
                &[
                    ("run", self.run),
                    ("session", self.session),
                    ("tool_call", self.tool_call),
                    ("type", self.kind),
                    ("source", self.source),
                    ("window", Some(self.window.to_string())),
                ],
            );
        }
        let (reader, runs) = match &self.run {
            Some(name) => {
                let (reader, selected) = context.run(Some(name))?;
                (reader, vec![selected.run])
            }
            None => {
                let reader = context.store_or_new()?.reader()?;
                let runs = reader.runs()?.into_iter().filter(|run| run.removed.is_none()).collect();
                (reader, runs)
            }
        };
        let filter = WindowFilter {
            run: self.run,
            session: self.session,
            tool_call: self.tool_call,
            kind: self.kind,
            source: self.source,
            window_seconds: (self.window != 0).then_some(self.window),
        };
        let document = windows(&reader, &runs, filter)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let clock = context.clock();
        let mut columns = Columns::new(&[
            "RUN",
            "SESSION",
            "TOOL_CALL",
            "SOURCE",
            "TYPE",
            "SECONDS",
            "START",
            "EVENTS",
            "RESOLVED",
            "UNRESOLVED",
            "HIGH_RISK",
        ]);
        for row in document.windows {
            columns.row(vec![
                row.run_id,
                row.session_id.unwrap_or_default(),
                row.tool_call_id.unwrap_or_default(),
                row.source,
                row.event_type,
                row.window_seconds.to_string(),
                clock.show_text(&row.window_start),
                row.event_count.to_string(),
                row.resolved_count.to_string(),
                row.unresolved_count.to_string(),
                row.high_risk_count.to_string(),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}
