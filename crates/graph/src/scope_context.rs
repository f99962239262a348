//! Which application context a fact belongs to, and on what ground.
//!
//! This is the one place that resolves facts to scopes: views never look at attempts to fill in ids themselves.

use crate::attempts::{Attempt, AttemptState, attempts, facts_of_type};
use crate::error::GraphError;
use agentprov_model::{
    AttemptNo, Bound, Declared, EventId, EventType, Fact, Lane, Method, Outcome, ProcessId, ResolutionState, RunId,
    TelemetryEvent, What,
};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;

/// Where a fact stands: ids, and how they were found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Context {
    /// The session, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The attempt, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<String>,
    /// The tool call, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The process, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// The snapshot. Our recorder takes none: contents belong to versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
}

/// How a fact was tied to its scope.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Correlation {
    /// The contract's name of the method.
    pub method: &'static str,
    /// From 0 to 1.
    pub confidence: f64,
    /// `self_observed`: our own recorder saw it inside a scope that it made.
    pub class: &'static str,
    /// `full`, `partial` or `gap`.
    pub status: Status,
}

/// How much of the context is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Run, session, tool call and process.
    Full,
    /// Some of them.
    Partial,
    /// Only the run.
    Gap,
}

impl Status {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Gap => "gap",
        }
    }

    /// The same as explain and telemetry rows call it.
    pub const fn match_status(self) -> &'static str {
        match self {
            Self::Full | Self::Partial => "resolved",
            Self::Gap => "unresolved",
        }
    }
}

/// One attempt with the evidence that ties its root process to it.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The attempt.
    pub attempt: Attempt,
    /// The binding of its root process, once made.
    pub bound: Option<Bound>,
}

impl Scope {
    /// Pid of the root, where it was bound.
    pub fn root_pid(&self) -> Option<u32> {
        self.bound.as_ref().map(|bound| bound.root.pid)
    }

    /// Id of the root, where it was bound.
    pub fn root(&self) -> Option<ProcessId> {
        self.bound.as_ref().map(|bound| bound.root.id())
    }

    /// Inode of the scope's own cgroup as the contract prints it; empty where there is none.
    pub fn cgroup_id(&self) -> String {
        self.bound.as_ref().and_then(|bound| bound.cgroup_id).map(|inode| inode.to_string()).unwrap_or_default()
    }

    /// The label under which outside sensors may name this scope.
    pub fn container_id(&self) -> String {
        format!("agentprov-record-{}", self.attempt.started.attempt_id)
    }

    /// The contract's status word, and our finer one.
    pub fn status(&self) -> (&'static str, &'static str) {
        match &self.attempt.state {
            AttemptState::Open => ("running", "open"),
            AttemptState::Interrupted { .. } => ("failed", "interrupted"),
            AttemptState::Ended { ended, .. } => match &ended.outcome {
                outcome if outcome.passed() => ("passed", "passed"),
                Outcome::Exited(_) => ("failed", "failed"),
                Outcome::Signaled { .. } => ("failed", "signaled"),
                Outcome::NotStarted { .. } => ("failed", "not_started"),
            },
        }
    }
}

/// The scopes of a run.
#[derive(Clone, Debug)]
pub struct Scopes {
    run: RunId,
    list: Vec<Scope>,
}

impl Scopes {
    /// Reads the scopes of a run. Cost follows the number of attempts.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(reader: &Reader, run: &RunRow) -> Result<Self, GraphError> {
        let mut list: Vec<Scope> =
            attempts(reader, run)?.into_iter().map(|attempt| Scope { attempt, bound: None }).collect();
        for (_, fact) in facts_of_type(reader, run, EventType::ProcessStart)? {
            let What::Bound(bound) = fact.what else { continue };
            if let Some(scope) = list.iter_mut().find(|scope| scope.attempt.no == fact.attempt) {
                scope.bound = Some(bound);
            }
        }
        Ok(Self { run: run.id.clone(), list })
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Every scope, in order of attempts.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.list.iter()
    }

    /// The scope of an attempt.
    pub fn of(&self, attempt: AttemptNo) -> Option<&Scope> {
        self.list.iter().find(|scope| scope.attempt.no == attempt)
    }

    /// The scope of a tool call.
    pub fn of_tool_call(&self, id: &str) -> Option<&Scope> {
        self.list.iter().find(|scope| scope.attempt.started.tool_call_id.as_str() == id)
    }

    /// The scope of an attempt id.
    pub fn of_attempt_id(&self, id: &str) -> Option<&Scope> {
        self.list.iter().find(|scope| scope.attempt.started.attempt_id.as_str() == id)
    }

    /// Resolves a fact: its scope and its acting process.
    pub fn resolve(&self, fact: &Fact) -> (Context, Correlation) {
        if let What::Telemetry(event) = &fact.what {
            return (told_context(event), told_correlation(event));
        }
        if let What::Declared(declared) = &fact.what {
            return self.declared(fact, declared);
        }
        let scope = self.of(fact.attempt);
        // The scope's own rows speak of its root process even where the fact names none.
        let root = || scope.filter(|_| fact.lane() == Lane::RuntimeProcess).and_then(Scope::root);
        let process = fact.process.or_else(root);
        (context_of(scope, process), correlation_of(scope, fact, process))
    }

    /// Resolves a fact, and what was judged outside all attempts by way of the event that the judgement is about: there the
    /// event alone knows its scope.
    ///
    /// # Errors
    /// What the store says.
    pub fn resolve_judged(
        &self,
        reader: &Reader,
        run: &RunRow,
        fact: &Fact,
    ) -> Result<(Context, Correlation), GraphError> {
        if fact.attempt == AttemptNo(0)
            && let Some(event) = judged_event(reader, run, fact)?
            && let Some(row) = reader.event(run.no, &event)?
        {
            return Ok(self.resolve(&reader.fact(run.no, row.position.seq)?));
        }
        Ok(self.resolve(fact))
    }

    /// An agent names its session and call itself; the process is the carrier's ancestor that the fact names.
    fn declared(&self, fact: &Fact, declared: &Declared) -> (Context, Correlation) {
        let scope = self.of(fact.attempt);
        let context = Context {
            session_id: declared.session.as_ref().map(ToString::to_string),
            tool_call_id: declared.call().map(|call| call.id.to_string()),
            ..context_of(scope, fact.process)
        };
        let status = if declared.session.is_some() { Status::Partial } else { Status::Gap };
        (context, Correlation { method: "provided_context", confidence: 0.5, class: "context_asserted", status })
    }

    /// Sequence ranges `[from, to]` in which facts of an attempt can lie. A fact of an attempt is never
    /// appended before its start nor after its end.
    pub fn ranges(&self, size: u64) -> Vec<(AttemptNo, Seq, Seq)> {
        let last = size.saturating_sub(1);
        let end = |attempt: &Attempt| match &attempt.state {
            AttemptState::Ended { seq, .. } => (*seq).min(last),
            AttemptState::Interrupted { .. } | AttemptState::Open => last,
        };
        self.list
            .iter()
            .filter(|scope| scope.attempt.started_seq < size)
            .map(|scope| (scope.attempt.no, scope.attempt.started_seq, end(&scope.attempt)))
            .collect()
    }
}

/// The event that a judgement is about.
pub(crate) fn judged_event(reader: &Reader, run: &RunRow, fact: &Fact) -> Result<Option<EventId>, GraphError> {
    Ok(match &fact.what {
        What::Decision(decision) => Some(decision.event),
        What::RiskSignal(risk) => Some(risk.event),
        What::ResponseAction(response) => match reader.event(run.no, &response.decision)? {
            Some(row) => match reader.fact(run.no, row.position.seq)?.what {
                What::Decision(decision) => Some(decision.event),
                _ => None,
            },
            None => None,
        },
        _ => None,
    })
}

/// The ids of a scope and a process.
pub fn context_of(scope: Option<&Scope>, process: Option<ProcessId>) -> Context {
    let started = scope.map(|scope| &scope.attempt.started);
    Context {
        session_id: started.map(|started| started.session_id.to_string()),
        attempt_id: started.map(|started| started.attempt_id.to_string()),
        tool_call_id: started.map(|started| started.tool_call_id.to_string()),
        process_id: process.map(|process| process.to_string()),
        snapshot_id: None,
    }
}

/// Telemetry carries the context that it was resolved to.
fn told_context(event: &TelemetryEvent) -> Context {
    let scope = &event.scope;
    Context {
        session_id: scope.session.as_ref().map(ToString::to_string),
        attempt_id: scope.attempt.as_ref().map(ToString::to_string),
        tool_call_id: scope.tool_call.as_ref().map(ToString::to_string),
        process_id: scope.process.as_ref().map(ToString::to_string),
        snapshot_id: scope.snapshot.as_ref().map(ToString::to_string),
    }
}

fn told_correlation(event: &TelemetryEvent) -> Correlation {
    let scope = &event.scope;
    let class = match (event.correlation.state, event.correlation.method) {
        (ResolutionState::Bound, Method::ProvidedContext) => "context_asserted",
        (ResolutionState::Bound, _) => "kernel_correlated",
        _ => "uncorrelated",
    };
    let status = match (&scope.session, &scope.tool_call, &scope.process) {
        (Some(_), Some(_), Some(_)) => Status::Full,
        (None, None, None) => Status::Gap,
        _ => Status::Partial,
    };
    let confidence = event.correlation.confidence.fraction();
    Correlation { method: event.correlation.method_name(), confidence, class, status }
}

/// True for lanes on which the contract gives a `correlation_status`.
pub const fn has_status(lane: Lane) -> bool {
    matches!(lane, Lane::RuntimeTelemetry | Lane::RuntimeProcess)
}

/// Every fact of our recorder is made inside the scope that it belongs to: the tracer knows the process by its
/// key, the sampler by its place in the tree of the root.
fn correlation_of(scope: Option<&Scope>, fact: &Fact, process: Option<ProcessId>) -> Correlation {
    if scope.is_none() {
        return Correlation { method: "unresolved", confidence: 0.0, class: "uncorrelated", status: Status::Gap };
    }
    let sampled = fact.vantage == agentprov_model::Vantage::Procfs;
    let (method, confidence) = match fact.event_type() {
        EventType::ProcessObserved | EventType::AbnormalProcessTree if sampled => ("zero_sdk_process_tree", 0.9),
        EventType::ProcessObserved | EventType::AbnormalProcessTree => ("zero_sdk_process_tree", 1.0),
        _ if process.is_some() => ("process_id:run_id+process_id", 1.0),
        _ => ("provided_context", 1.0),
    };
    let status = if process.is_some() { Status::Full } else { Status::Partial };
    Correlation { method, confidence, class: "self_observed", status }
}
