//! What is to be explained, and in which run it is.

use super::judged::Judged;
use crate::attempts::attempts;
use crate::error::GraphError;
use crate::observe::find_event;
use crate::scope_context::Scopes;
use crate::selection::nearest;
use crate::timeline::known_process;
use crate::versions::{FilePath, Version, resolve_file};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{AttemptNo, ContentId, EventId, EventType, Fact, OsBytes, ProcessId};
use agentprov_store::{Reader, RunRow, Seq};

/// What the user named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A file that the run changed.
    File(OsBytes),
    /// A content by its SHA-256, or a file by its path.
    Artifact(String),
    /// An attempt.
    Attempt(String),
    /// A tool call.
    ToolCall(String),
    /// A process.
    Process(String),
    /// A fact.
    Event(String),
    /// A policy decision, or the risk signal or response that followed from it.
    Risk(String),
}

impl Target {
    /// The contract's word for the kind, and the name that was given.
    pub fn parts(&self) -> (&'static str, String) {
        match self {
            Self::File(path) => ("file", path.lossy().into_owned()),
            Self::Artifact(id) => ("artifact", id.clone()),
            Self::Attempt(id) => ("attempt", id.clone()),
            Self::ToolCall(id) => ("tool_call", id.clone()),
            Self::Process(id) => ("process", id.clone()),
            Self::Event(id) => ("event", id.clone()),
            Self::Risk(id) => ("risk", id.clone()),
        }
    }

    /// The newest run that knows the target.
    ///
    /// # Errors
    /// [`GraphError::NotFound`] where none does, or what the store says.
    pub fn newest_run(&self, reader: &Reader) -> Result<RunRow, GraphError> {
        let mut missing = None;
        for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none()) {
            match Found::look_up(reader, &run, self) {
                Ok(_) => return Ok(run),
                Err(error @ GraphError::NotFound { .. }) => missing = missing.or(Some(error)),
                Err(other) => return Err(other),
            }
        }
        let (kind, name) = self.parts();
        Err(missing.unwrap_or(GraphError::NotFound { kind: spoken(kind), name, suggestion: None, run: None }))
    }

    /// The run that the target is in: the only one that knows it.
    ///
    /// # Errors
    /// [`GraphError::NotFound`], or [`GraphError::Argument`] where several runs know it.
    pub fn find_run(&self, reader: &Reader) -> Result<RunRow, GraphError> {
        let mut found = Vec::new();
        let mut nearest_miss = None;
        for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none()) {
            match Found::look_up(reader, &run, self) {
                Ok(_) => found.push(run),
                Err(GraphError::NotFound { suggestion, .. }) => nearest_miss = nearest_miss.or(suggestion),
                Err(other) => return Err(other),
            }
        }
        let (kind, name) = self.parts();
        match found.len() {
            0 => Err(GraphError::NotFound { kind: spoken(kind), name, suggestion: nearest_miss, run: None }),
            1 => Ok(found.remove(0)),
            _ => {
                let runs: Vec<&str> = found.iter().map(|run| run.id.as_str()).collect();
                Err(GraphError::Argument(format!(
                    "the runs {} all know {kind} '{name}'; name one with --run",
                    runs.join(", ")
                )))
            }
        }
    }
}

fn spoken(kind: &'static str) -> &'static str {
    if kind == "tool_call" { "tool call" } else { kind }
}

/// A target that exists.
pub(super) enum Found {
    File(FilePath),
    Versions(Vec<Version>),
    Attempt(AttemptNo),
    ToolCall(AttemptNo),
    /// One that an agent declared, by its name in the run.
    DeclaredCall(String),
    Process(ProcessId),
    Event(Seq, Box<Fact>),
    Judged(Box<Judged>),
}

impl Found {
    pub(super) fn look_up(reader: &Reader, run: &RunRow, target: &Target) -> Result<Self, GraphError> {
        match target {
            Target::File(path) => file(reader, run, path),
            Target::Artifact(id) => artifact(reader, run, id),
            Target::Attempt(id) => {
                let scopes = Scopes::load(reader, run)?;
                let found = scopes.of_attempt_id(id).map(|scope| Self::Attempt(scope.attempt.no));
                found.ok_or_else(|| {
                    let names = scopes.iter().map(|scope| scope.attempt.started.attempt_id.as_str());
                    GraphError::not_in(run, "attempt", id).but_near(nearest(id, names))
                })
            }
            Target::ToolCall(id) if is_declared(reader, run, id)? => Ok(Self::DeclaredCall(id.clone())),
            Target::ToolCall(id) => {
                let scopes = Scopes::load(reader, run)?;
                let found = scopes.of_tool_call(id).map(|scope| Self::ToolCall(scope.attempt.no));
                found.ok_or_else(|| {
                    let names = scopes.iter().map(|scope| scope.attempt.started.tool_call_id.as_str());
                    GraphError::not_in(run, "tool call", id).but_near(nearest(id, names))
                })
            }
            Target::Process(id) => known_process(reader, run, id).map(Self::Process),
            Target::Event(id) => {
                // Node ids of the graph are accepted as they are printed.
                let id = id.strip_prefix("runtime_event/").unwrap_or(id);
                let (seq, fact) = find_event(reader, run, id)?;
                Ok(Self::Event(seq, Box::new(fact)))
            }
            Target::Risk(id) => Judged::look_up(reader, run, id).map(|judged| Self::Judged(Box::new(judged))),
        }
    }
}

/// True where an agent declared a call of that name; `#2` and so on name further calls under one synthetic id.
fn is_declared(reader: &Reader, run: &RunRow, name: &str) -> Result<bool, GraphError> {
    let id = name.split_once('#').map_or(name, |(id, _)| id);
    let key = IndexKey { kind: KeyKind::DeclaredCall, value: id.as_bytes() };
    let declares = |fact: &Fact| matches!(fact.event_type(), EventType::DeclaredCallStart | EventType::DeclaredCallEnd);
    Ok(reader.facts_by_key(run.no, key)?.iter().any(|(_, fact)| declares(fact)))
}

fn file(reader: &Reader, run: &RunRow, path: &OsBytes) -> Result<Found, GraphError> {
    let known = attempts(reader, run)?;
    Ok(Found::File(resolve_file(reader, run, &known, path, None)?))
}

fn artifact(reader: &Reader, run: &RunRow, id: &str) -> Result<Found, GraphError> {
    let Ok(content) = id.strip_prefix("sha256:").unwrap_or(id).parse::<ContentId>() else {
        let path = id.strip_prefix("workspace_file/").unwrap_or(id);
        return file(reader, run, &path.into()).map_err(|error| match error {
            GraphError::NotFound { name, suggestion, .. } => {
                GraphError::not_in(run, "artifact", name).but_near(suggestion)
            }
            other => other,
        });
    };
    let key = IndexKey { kind: KeyKind::Content, value: content.as_bytes() };
    let facts = reader.facts_by_key(run.no, key)?;
    let versions: Vec<Version> = facts.into_iter().filter_map(|(seq, fact)| Version::from_fact(seq, fact)).collect();
    if versions.is_empty() {
        return Err(GraphError::not_in(run, "artifact", id));
    }
    Ok(Found::Versions(versions))
}

/// Id of a fact as text, for look-ups that begin with a typed id.
pub(super) fn event_node(id: &EventId) -> String {
    format!("runtime_event/{id}")
}
