//! `agentprov telemetry ingest`: one event.

use super::scope::{ScopeFlags, host_name, now, parse_time};
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render;
use agentprov_ingest::Unjudged;
use agentprov_ingest::receivers::{DetectedFormat, Format};
use agentprov_ingest::telemetry::{IngestRequest, RowResult, RowStatus, ingest};
use agentprov_model::{ClassTable, EventTime, SourceName, Vantage};
use clap::Args;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Takes in one event with the context that the flags name. No rules judge it.
#[derive(Args, Debug)]
pub(crate) struct Ingest {
    /// Event type, such as execve or network_connect
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    #[command(flatten)]
    scope: ScopeFlags,
    /// The id that the source gave it
    #[arg(long, value_name = "ID")]
    raw_event: Option<String>,
    /// Container
    #[arg(long, value_name = "ID")]
    container_id: Option<String>,
    /// Cgroup
    #[arg(long, value_name = "ID")]
    cgroup_id: Option<String>,
    /// Process
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Thread group
    #[arg(long, value_name = "PID")]
    tgid: Option<u32>,
    /// Parent
    #[arg(long, value_name = "PID")]
    ppid: Option<u32>,
    /// When it happened [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timestamp: Option<EventTime>,
    /// Who saw it
    #[arg(long, value_name = "NAME", default_value = "filtered_telemetry", value_parser = parse_source)]
    source: SourceName,
    /// What it says: a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    payload: String,
    /// Print a document
    #[arg(long)]
    json: bool,
}

fn parse_source(text: &str) -> Result<SourceName, String> {
    SourceName::new(text).map_err(|error| error.to_string())
}

/// Whose sight the name of a source stands for.
fn vantage(source: &SourceName) -> Vantage {
    let known = [
        (SourceName::NATIVE, Vantage::Ebpf),
        (SourceName::FALCO, Vantage::Falco),
        (SourceName::TETRAGON, Vantage::Tetragon),
        (SourceName::LOONGCOLLECTOR, Vantage::Loongcollector),
        (SourceName::AUDITD, Vantage::Auditd),
    ];
    known.into_iter().find(|(name, _)| name == source).map_or(Vantage::Sdk, |(_, vantage)| vantage)
}

impl Ingest {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let store = context.store_or_new()?;
        let row = self.row()?;
        let request = IngestRequest {
            format: Format::Fixed(DetectedFormat::Native),
            path: "-".to_owned(),
            provided: self.scope.provided(),
            strict: true,
            drop_uncorrelated: false,
            keep_raw: false,
            label: Some((self.source.clone(), vantage(&self.source))),
            manifest: false,
            live: false,
            host: host_name()?,
            table: Arc::new(ClassTable::default()),
        };
        let mut result: Option<RowResult> = None;
        ingest(&store, row.as_slice(), &request, Box::new(Unjudged), &now, &mut |row| result = Some(row.clone()))
            .map_err(|error| Failure::new(error.to_string()))?;
        let result = result.ok_or_else(|| Failure::new("the event came to nothing"))?;
        let Some(id) = result.event_id.filter(|_| result.status == RowStatus::Ingested) else {
            let why = result.error.unwrap_or_else(|| result.status.name().to_owned());
            return Err(Failure::new(format!("the event was not taken in: {why}"))
                .hint("types and what they must say: agentprov telemetry ingest --help, docs/telemetry.md"));
        };
        let kind = result.event_type.map_or(self.kind.as_str(), |kind| kind.name());
        let log = result.log.as_ref().map(ToString::to_string).unwrap_or_default();
        let method = result.correlation_method.unwrap_or_default();
        if self.json {
            render::json(&json!({
                "event_id": id.to_string(), "type": kind, "source": self.source.as_str(), "run_id": log,
                "correlation_method": method, "identity_keys": result.identity_keys,
            }))?;
        } else {
            writeln!(anstream::stdout(), "event_id={id} type={kind} source={} run={log}", self.source.as_str())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The event as a row of our sensor's format.
    fn row(&self) -> Result<Vec<u8>, Failure> {
        let no_object = |why: String| {
            Failure::usage(format!("--payload {why}")).hint("give a JSON object, such as '{\"argv\":[\"ls\"]}'")
        };
        let payload = if self.payload.trim().is_empty() { "{}" } else { &self.payload };
        let mut row: Map<String, Value> =
            serde_json::from_str(payload).map_err(|error| no_object(format!("is no JSON object: {error}")))?;
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                row.insert(key.to_owned(), value);
            }
        };
        put("source", Some(SourceName::NATIVE.as_str().into()));
        put("event_type", Some(self.kind.clone().into()));
        put("id", self.raw_event.clone().map(Into::into));
        put("container_id", self.container_id.clone().map(Into::into));
        put("cgroup_id", self.cgroup_id.clone().map(Into::into));
        put("pid", self.pid.map(Into::into));
        put("tgid", self.tgid.map(Into::into));
        put("ppid", self.ppid.map(Into::into));
        put("timestamp", Some(self.timestamp.unwrap_or_else(now).to_rfc3339().into()));
        let mut line = serde_json::to_vec(&row).map_err(|error| no_object(error.to_string()))?;
        line.push(b'\n');
        Ok(line)
    }
}
