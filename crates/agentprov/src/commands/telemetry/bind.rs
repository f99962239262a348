//! `agentprov telemetry bind`.

use super::scope::time;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::telemetry::{BindError, bind};
use agentprov_model::telemetry::Authority;
use agentprov_model::{
    AttemptId, BindingId, Confidence, LogicalProcessId, RunId, ScopeBinding, ScopeIds, SessionId, ToolCallId,
};
use clap::Args;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::process::ExitCode;

/// Source of bindings that an agent makes about itself.
const ASSERTED: &str = "ai_asserted";
/// What a window that lasts gets as its end.
const OPEN: &str = "open";

/// Ties a scope to runtime identities, so that what sensors report of them finds its run. Events that came before are
/// resolved again.
#[derive(Args, Debug)]
pub(crate) struct Bind {
    /// The run; it need not exist
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
    /// The container, its id whole or cut
    #[arg(long, value_name = "ID")]
    container_id: Option<String>,
    /// The cgroup, by id or path
    #[arg(long, value_name = "ID")]
    cgroup_id: Option<String>,
    /// Pid of the first process of the scope
    #[arg(long, value_name = "PID")]
    root_pid: Option<u32>,
    /// Pid of the process
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// When the scope began [default: now]
    #[arg(long, value_name = "TIME")]
    started_at: Option<String>,
    /// When it ended [default: it lasts]
    #[arg(long, value_name = "TIME")]
    ended_at: Option<String>,
    /// Who says so; a claim of an agent about itself is ai_asserted
    #[arg(long, value_name = "NAME", default_value = "harness_tool_call_scope")]
    source: String,
    /// How sure that is, from 0 to 1; a claim of an agent counts 0.5 at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    confidence: f64,
}

impl Bind {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let now = wall_clock();
        let mut binding = self.binding(now)?;
        binding.id = id_of(&binding)?;
        let store = context.store_or_new()?;
        let bound = bind(&store, binding, now).map_err(|error| match error {
            BindError::NoIdentity => Failure::usage(error.to_string())
                .hint("add --process, --container-id, --cgroup-id, --pid or --root-pid"),
            BindError::Backwards { .. } => Failure::usage(error.to_string()),
            BindError::Store(error) => error.into(),
        })?;
        let ended = bound.binding.ended.map_or_else(|| OPEN.to_owned(), |ended| ended.to_rfc3339());
        writeln!(
            anstream::stdout(),
            "binding_id={} run={} tool_call={} source={} confidence={} started_at={} ended_at={ended} resolved={}",
            bound.binding.id,
            bound.binding.run,
            self.tool_call,
            bound.binding.source,
            bound.binding.confidence,
            bound.binding.started.to_rfc3339(),
            bound.resolved,
        )?;
        Ok(ExitCode::SUCCESS)
    }

    fn binding(&self, now: agentprov_model::EventTime) -> Result<ScopeBinding, Failure> {
        let confidence = Confidence::from_fraction(self.confidence)
            .ok_or_else(|| Failure::usage(format!("--confidence {} is not between 0 and 1", self.confidence)))?;
        let source = agentprov_model::SourceName::new(&*self.source)
            .map_err(|error| Failure::usage(format!("--source '{}': {error}", self.source)))?;
        let at = |flag, text: &Option<String>| text.as_deref().map(|text| time(flag, text)).transpose();
        let authority = if self.source == ASSERTED { Authority::Asserted } else { Authority::Harness };
        Ok(ScopeBinding {
            id: BindingId::new("bind-new").map_err(|error| Failure::new(error.to_string()))?,
            run: self.run.clone(),
            scope: ScopeIds {
                session: self.session.clone(),
                attempt: self.attempt.clone(),
                tool_call: Some(self.tool_call.clone()),
                process: self.process.clone(),
                ..ScopeIds::default()
            },
            container: some_text("--container-id", &self.container_id)?,
            cgroup: some_text("--cgroup-id", &self.cgroup_id)?,
            root_pid: self.root_pid,
            pid: self.pid,
            boot: None,
            start_ticks: None,
            started: at("--started-at", &self.started_at)?.unwrap_or(now),
            ended: at("--ended-at", &self.ended_at)?,
            source: source.as_str().into(),
            authority,
            confidence,
        })
    }
}

/// An empty identity would match whatever names none.
fn some_text(flag: &str, text: &Option<String>) -> Result<Option<String>, Failure> {
    match text.as_deref().map(str::trim) {
        Some("") => Err(Failure::usage(format!("{flag} is empty"))),
        other => Ok(other.map(str::to_owned)),
    }
}

/// The same binding has the same id, so that making it twice makes it once.
fn id_of(binding: &ScopeBinding) -> Result<BindingId, Failure> {
    let bytes = serde_json::to_vec(binding)?;
    let hex = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)[..8]);
    BindingId::new(format!("bind-{hex}")).map_err(|error| Failure::new(error.to_string()))
}
