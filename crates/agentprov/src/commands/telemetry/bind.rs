//! `agentprov telemetry bind`.

use super::scope::{now, parse_time};
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render;
use agentprov_ingest::telemetry::{BindError, bind};
use agentprov_model::telemetry::Authority;
use agentprov_model::{
    AttemptId, BindingId, Confidence, EventTime, LogicalProcessId, RunId, ScopeBinding, ScopeIds, SessionId, ToolCallId,
};
use clap::Args;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::process::ExitCode;

/// The contract's name for bindings of a harness.
const DEFAULT_SOURCE: &str = "harness_tool_call_scope";

/// Says which runtime identities belong to a tool call while a window lasts. What was seen before is resolved again.
#[derive(Args, Debug)]
pub(crate) struct Bind {
    /// The run
    #[arg(long, value_name = "RUN")]
    run: RunId,
    /// The tool call
    #[arg(long, value_name = "ID")]
    tool_call: ToolCallId,
    /// The session
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// The attempt
    #[arg(long, value_name = "ID")]
    attempt: Option<AttemptId>,
    /// The process, by the application's name for it
    #[arg(long, value_name = "ID")]
    process: Option<LogicalProcessId>,
    /// Container, cut or whole
    #[arg(long, value_name = "ID")]
    container_id: Option<String>,
    /// Cgroup
    #[arg(long, value_name = "ID")]
    cgroup_id: Option<String>,
    /// First process of the tree
    #[arg(long, value_name = "PID")]
    root_pid: Option<u32>,
    /// Process
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Begin of the window [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    started_at: Option<EventTime>,
    /// End of the window [default: open]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    ended_at: Option<EventTime>,
    /// Who says so
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SOURCE)]
    source: String,
    /// How sure that is, from 0 to 1
    #[arg(long, value_name = "NUMBER", default_value = "1.0", value_parser = parse_confidence)]
    confidence: Confidence,
    /// Print a document
    #[arg(long)]
    json: bool,
}

fn parse_confidence(text: &str) -> Result<Confidence, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => {
            Ok(Confidence::from_thousandths((number * 1000.0).round() as u16))
        }
        _ => Err(format!("'{text}' is no number from 0 to 1")),
    }
}

impl Bind {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let json = self.json;
        let store = context.store_or_new()?;
        let now = now();
        let bound = bind(&store, self.binding(now)?, now).map_err(|error| match error {
            BindError::NoIdentity => Failure::usage(error.to_string())
                .hint("give one of --process --container-id --cgroup-id --root-pid --pid"),
            BindError::Backwards { .. } => Failure::usage(error.to_string()),
            BindError::Store(error) => error.into(),
        })?;
        let row = agentprov_graph::telemetry::BindingRow::of(&bound.binding);
        if json {
            render::json(&serde_json::json!({ "binding": row, "resolved": bound.resolved }))?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(
            anstream::stdout(),
            "binding={} run={} tool_call={} confidence={} resolved={}",
            row.id,
            row.run_id,
            row.tool_call_id,
            row.confidence,
            bound.resolved,
        )?;
        Ok(ExitCode::SUCCESS)
    }

    fn binding(self, now: EventTime) -> Result<ScopeBinding, Failure> {
        // An agent that speaks for itself is believed less, whatever number it gives.
        let authority = match self.source.as_str() {
            "agent" | "sdk" | "zero_sdk" => Authority::Asserted,
            _ => Authority::Harness,
        };
        let mut binding = ScopeBinding {
            id: BindingId::new("bind-0").map_err(|error| Failure::new(error.to_string()))?,
            run: self.run,
            scope: ScopeIds {
                rollout: None,
                session: self.session,
                attempt: self.attempt,
                tool_call: Some(self.tool_call),
                process: self.process,
                snapshot: None,
            },
            container: self.container_id,
            cgroup: self.cgroup_id,
            root_pid: self.root_pid,
            pid: self.pid,
            boot: None,
            start_ticks: None,
            started: self.started_at.unwrap_or(now),
            ended: self.ended_at,
            source: self.source,
            authority,
            confidence: self.confidence,
        };
        // The same words again name the same binding.
        let text = serde_json::to_vec(&binding).map_err(|error| Failure::new(error.to_string()))?;
        let hex: String = Sha256::digest(&text)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        binding.id = BindingId::new(format!("bind-{hex}")).map_err(|error| Failure::new(error.to_string()))?;
        Ok(binding)
    }
}
