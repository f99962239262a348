//! `agentprov telemetry ingest`.

use super::input::{Intake, Rows, Rules};
use super::scope::{Scope, time};
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::receivers::{DetectedFormat, Format, caller};
use agentprov_ingest::telemetry::{RowResult, RowStatus};
use agentprov_model::SourceName;
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// Takes one event in. Its payload must say what its type needs, and must not name runs, sessions or tool calls: those
/// are named by flags.
#[derive(Args, Debug)]
pub(crate) struct Ingest {
    /// What happened
    #[arg(long = "type", value_name = "TYPE", value_parser = PossibleValuesParser::new(caller::types()))]
    kind: String,
    #[command(flatten)]
    scope: Scope,
    /// The id that the source gave the event
    #[arg(long, value_name = "ID", help_heading = "Event")]
    raw_event: Option<String>,
    /// The container that it happened in
    #[arg(long, value_name = "ID", help_heading = "Event")]
    container_id: Option<String>,
    /// The cgroup that it happened in
    #[arg(long, value_name = "ID", help_heading = "Event")]
    cgroup_id: Option<String>,
    /// The process that did it
    #[arg(long, value_name = "PID", help_heading = "Event")]
    pid: Option<u32>,
    /// Its thread group
    #[arg(long, value_name = "PID", help_heading = "Event")]
    tgid: Option<u32>,
    /// Its parent
    #[arg(long, value_name = "PID", help_heading = "Event")]
    ppid: Option<u32>,
    /// When it happened [default: now]
    #[arg(long, value_name = "TIME", help_heading = "Event")]
    timestamp: Option<String>,
    /// Who reported it
    #[arg(long, value_name = "NAME", default_value = "filtered_telemetry", help_heading = "Event")]
    source: String,
    /// What there is to say of it, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}", help_heading = "Event")]
    payload: String,
    #[command(flatten)]
    rules: Rules,
}

impl Ingest {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let row = self.row()?;
        let rows = Rows { strict: true, ..Rows::default() };
        let format = Format::Fixed(DetectedFormat::Normalized);
        let intake = Intake::new(context, &self.rules, &self.scope, &rows, format, "-".to_owned())?;
        let mut result: Option<RowResult> = None;
        intake.take(row.as_bytes(), &mut |row| result = Some(row.clone()))?;
        let result = result.ok_or_else(|| Failure::new("the event gave no result"))?;
        let (RowStatus::Ingested, Some(id), Some(kind)) = (result.status, result.event_id, result.event_type) else {
            return Err(Failure::new(result.error.unwrap_or_else(|| "the event was not taken in".to_owned())));
        };
        let source = result.source.as_ref().map(ToString::to_string).unwrap_or_default();
        writeln!(anstream::stdout(), "event_id={id} type={} source={source}", kind.name())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The event as the one row of an input.
    fn row(&self) -> Result<String, Failure> {
        SourceName::new(&*self.source)
            .map_err(|error| Failure::usage(format!("--source '{}': {error}", self.source)))?;
        let payload: Value = serde_json::from_str(&self.payload)
            .map_err(|error| Failure::usage(format!("--payload is no JSON: {error}")))?;
        if !payload.is_object() {
            return Err(
                Failure::usage("--payload is no JSON object").hint("write it like --payload '{\"argv\":[\"ls\"]}'")
            );
        }
        let at = match &self.timestamp {
            Some(text) => time("--timestamp", text)?,
            None => wall_clock(),
        };
        // The payload goes in as it was written: a key that stands twice in it is a mistake, not the last one's word.
        let mut row = json!({
            "event_type": self.kind, "source": self.source, "timestamp": at.to_rfc3339(), "id": self.raw_event,
            "container_id": self.container_id, "cgroup_id": self.cgroup_id,
            "pid": self.pid, "tgid": self.tgid, "ppid": self.ppid,
        });
        if let Value::Object(members) = &mut row {
            members.retain(|_, value| !value.is_null());
        }
        let head = row.to_string();
        let head = head.strip_suffix('}').unwrap_or(&head);
        let payload: String = self.payload.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }).collect();
        Ok(format!("{head},\"payload\":{payload}}}\n"))
    }
}
