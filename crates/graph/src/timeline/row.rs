//! One row of a timeline.

use super::evidence::{Evidence, evidence_of};
use super::lifetime::{Lifetime, Lifetimes};
use super::sentence::{command_line, sentence, shell_word};
use crate::error::GraphError;
use crate::scope_context::{Context, Correlation, Scopes, Status, has_status};
use agentprov_model::{Basis, EventType, Fact, ProcessId, What};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;
use serde_json::json;

/// A row.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TimelineRow {
    /// Event time, RFC 3339 with nine fraction digits.
    pub time: String,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who reported it.
    pub source: String,
    /// Lane.
    pub lane: &'static str,
    /// How much of its context is known, on runtime lanes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_status: Option<Status>,
    /// Id of the fact.
    pub id: String,
    /// Run.
    pub run_id: String,
    /// Where it stands.
    #[serde(flatten)]
    pub context: Context,
    /// `<kind>/<id>` of what it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<String>,
    /// One line for people.
    pub summary: String,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Commands that look closer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drilldowns: Vec<String>,
    /// Event time in nanoseconds since the epoch.
    pub event_time_ns: i64,
    /// When it was appended.
    pub recorded_at: String,
    /// Leaf in the run's log.
    pub seq: Seq,
    /// Who saw it.
    pub vantage: &'static str,
    /// On what ground it stands.
    pub basis: Basis,
}

/// Makes rows of the facts below a tree size.
pub struct RowBuilder<'a> {
    reader: &'a Reader,
    run: &'a RunRow,
    scopes: &'a Scopes,
    lives: Lifetimes<'a>,
}

impl<'a> RowBuilder<'a> {
    /// For the facts of a run below `size`.
    pub fn new(reader: &'a Reader, run: &'a RunRow, scopes: &'a Scopes, size: u64) -> Self {
        Self { reader, run, scopes, lives: Lifetimes::new(reader, run, size) }
    }

    /// The row of a fact.
    ///
    /// # Errors
    /// What the store says.
    pub fn row(&mut self, seq: Seq, fact: &Fact) -> Result<TimelineRow, GraphError> {
        let (context, correlation) = self.correlation(fact)?;
        let evidence = self.evidence(fact)?;
        Ok(TimelineRow {
            time: fact.at.to_rfc3339(),
            kind: fact.event_type().name(),
            source: fact.source().to_owned(),
            lane: fact.lane().name(),
            correlation_status: has_status(fact.lane()).then_some(correlation.status),
            id: fact.id.to_string(),
            run_id: self.run.id.to_string(),
            object_ref: object_ref(fact, &context),
            context,
            summary: sentence(fact),
            evidence: (!evidence.is_empty()).then_some(evidence),
            drilldowns: event_drilldowns(self.run.id.as_str(), fact),
            event_time_ns: fact.at.as_nanos(),
            recorded_at: fact.recorded.to_rfc3339(),
            seq,
            vantage: fact.vantage.name(),
            basis: fact.basis,
        })
    }

    /// How a fact is tied to its scope.
    ///
    /// # Errors
    /// What the store says.
    pub fn correlation(&self, fact: &Fact) -> Result<(Context, Correlation), GraphError> {
        self.scopes.resolve_judged(self.reader, self.run, fact)
    }

    /// The life of a process.
    ///
    /// # Errors
    /// What the store says.
    pub fn lifetime(&mut self, process: &ProcessId) -> Result<Lifetime, GraphError> {
        self.lives.of(process)
    }

    /// What a fact says; of a process that was observed, its whole life.
    ///
    /// # Errors
    /// What the store says.
    pub fn evidence(&mut self, fact: &Fact) -> Result<Evidence, GraphError> {
        let mut evidence = evidence_of(fact);
        let tells_life = matches!(fact.what, What::ProcessStarted(_) | What::ProcessOutlived);
        if let (true, Some(process)) = (tells_life, fact.process) {
            let life = self.lives.of(&process)?;
            let scope = self.scopes.of(fact.attempt);
            let seen = |at: Option<agentprov_model::EventTime>| at.map(|at| at.to_rfc3339());
            let mut put = |key: &str, value: serde_json::Value| {
                evidence.entry(key).or_insert(value);
            };
            put("pid", json!(life.started.as_ref().map(|started| started.pid)));
            put("ppid", json!(life.started.as_ref().map(|started| started.ppid)));
            put("root_pid", json!(scope.and_then(|scope| scope.root_pid())));
            put("command", command_line(&life.argv).into());
            put("argv", json!(life.argv));
            put("first_seen", json!(seen(life.first_seen)));
            put("last_seen", json!(seen(life.last_seen)));
            put("outlived_root", life.outlived.into());
            put("scope_boundary", SCOPE_BOUNDARY.into());
            put("cwd", json!(scope.map(|scope| scope.attempt.started.workdir.lossy().into_owned())));
        }
        Ok(evidence)
    }
}

/// What makes a process part of a scope, as the contract words it.
pub(crate) const SCOPE_BOUNDARY: &str = "root_pid_descendants+cwd+time_window";

fn object_ref(fact: &Fact, context: &Context) -> Option<String> {
    let (kind, id) = match fact.event_type() {
        EventType::ToolCallStart | EventType::ToolCallEnd => ("tool_call", context.tool_call_id.clone()?),
        EventType::ProcessStart | EventType::ProcessEnd => ("process", context.process_id.clone()?),
        EventType::CoverageGap | EventType::Output | EventType::Interrupted => ("evidence", fact.id.to_string()),
        EventType::PolicyRules | EventType::PolicyDecision | EventType::RiskSignal | EventType::ResponseAction => {
            (fact.event_type().name(), fact.id.to_string())
        }
        _ => ("event", fact.id.to_string()),
    };
    Some(format!("{kind}/{id}"))
}

/// Commands that look closer at a fact.
pub fn event_drilldowns(run: &str, fact: &Fact) -> Vec<String> {
    let mut commands = vec![
        format!("observe event --run {run} --event {} --json", fact.id),
        format!("graph explain --event {} --json", fact.id),
    ];
    if let Some(process) = &fact.process {
        commands.push(format!("graph explain --process {process} --json"));
    }
    if let What::FileVersion(version) = &fact.what
        && let Some(path) = version.workspace_path.as_ref().and_then(|path| path.as_str())
    {
        commands.push(format!("graph explain --run {run} --file {} --json", shell_word(path)));
    }
    commands
}
