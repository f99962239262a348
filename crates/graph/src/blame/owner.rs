//! Who a line is owned by, with the evidence.

use crate::attempts::Attempt;
use crate::blame::lineage::{Earlier, Line, Origin};
use crate::blame::openers::Opener;
use crate::processes::ProcessTable;
use crate::timeline::command_line;
use crate::tool_calls::{Binding, BindingState, Call, CallNo, Rung, ToolCalls};
use crate::versions::{Version, cause_name};
use agentprov_model::{AttemptNo, Basis, EventId, EventTime, OsBytes, ProcessId};
use serde::Serialize;

/// A process that wrote, or may have written, a line.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Owner {
    /// Process.
    pub process_id: String,
    /// Its pid on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Arguments of the program that it ran at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<OsBytes>>,
    /// The same as a shell line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Which of its programs that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_generation: Option<u32>,
    /// The fact that says that it ran that program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_event_id: Option<String>,
    /// When the version was made.
    pub at: String,
    /// Ordinal of the attempt.
    pub attempt: AttemptNo,
    /// Attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<String>,
    /// Session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Tool call: the one that an agent declared where it is known, else the recording's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What an agent declared: which call, and on what ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<OwnerCall>,
    /// The fact that the owner stands on: the version, or the open for writing.
    pub event_id: String,
    /// Its leaf number.
    pub seq: u64,
    /// Name under which the line was written.
    pub path: OsBytes,
}

/// The declared tool call in which a line was written.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OwnerCall {
    /// `bound` or `ambiguous`.
    pub state: BindingState,
    /// The call; where it is ambiguous every candidate.
    pub tool_call_ids: Vec<String>,
    /// The tool.
    pub tool: String,
    /// Which agent.
    pub agent: &'static str,
    /// Rung of the ladder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rung: Option<Rung>,
    /// From 0 to 1.
    pub confidence: f64,
    /// Facts.
    pub evidence: Vec<String>,
}

/// What is known of who wrote a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineStatus {
    /// One process wrote it.
    Owned,
    /// One of several processes wrote it.
    Ambiguous,
    /// It stood there before the run.
    BeforeRun,
    /// Not known.
    Unknown,
}

/// A statement about who wrote a line.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Statement {
    /// What is known.
    pub status: LineStatus,
    /// The owner; absent unless there is exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Everyone who may have written it, where that is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Owner>,
    /// How the statement was found.
    pub method: &'static str,
    /// On what ground the fact beneath stands; the statement itself is derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// From 0 to 1; absent where no owner is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What ended the writing of the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// Why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A statement about a line that was overwritten.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EarlierStatement {
    /// Who wrote it.
    #[serde(flatten)]
    pub statement: Statement,
    /// `line`: it stood in exactly this place. `block`: it was one of several lines that were replaced by others.
    pub replaced: &'static str,
}

/// What makes a process an owner: that it made a version, or opened a file for writing.
#[derive(Clone, Copy)]
struct Deed<'d> {
    process: ProcessId,
    at: EventTime,
    attempt: AttemptNo,
    path: &'d OsBytes,
    event: EventId,
    seq: u64,
}

/// Turns origins into statements.
pub(super) struct Witness<'a> {
    pub(super) versions: &'a [Version],
    pub(super) processes: &'a ProcessTable,
    pub(super) attempts: &'a [Attempt],
    pub(super) tool_calls: &'a ToolCalls,
}

impl Witness<'_> {
    pub(super) fn line(&self, line: &Line) -> (Statement, Vec<EarlierStatement>) {
        let earlier = line.earlier.iter().map(|earlier| self.earlier(earlier)).collect();
        (self.statement(&line.origin), earlier)
    }

    fn earlier(&self, earlier: &Earlier) -> EarlierStatement {
        let replaced = if earlier.same_line { "line" } else { "block" };
        EarlierStatement { statement: self.statement(&earlier.origin), replaced }
    }

    fn statement(&self, origin: &Origin) -> Statement {
        match origin {
            Origin::BeforeRun => Statement { method: "pre_image", ..bare(LineStatus::BeforeRun) },
            Origin::Unknown(why) => Statement { reason: Some(why.to_string()), ..bare(LineStatus::Unknown) },
            Origin::Written(place) => {
                let version = &self.versions[*place];
                let owners = version.writers.iter().map(|writer| self.of_version(version, *writer)).collect();
                let cause = Some(cause_name(&version.cause));
                // The content is exact; that nobody else wrote it rests on the fact.
                let statement =
                    Statement { method: "version_diff", basis: Some(version.basis), cause, ..bare(LineStatus::Owned) };
                named(statement, owners, 1.0)
            }
            Origin::Opened(place, openers) => {
                let version = &self.versions[*place];
                let owners = openers.iter().map(|opener| self.of_opener(version, opener)).collect();
                let cause = Some(cause_name(&version.cause));
                let statement = Statement {
                    method: "opened_for_writing",
                    basis: Some(version.basis),
                    cause,
                    ..bare(LineStatus::Owned)
                };
                // A child may have written through an inherited descriptor.
                named(statement, owners, 0.9)
            }
        }
    }

    fn of_version(&self, version: &Version, writer: ProcessId) -> Owner {
        let deed = Deed {
            process: writer,
            at: version.at,
            attempt: version.attempt,
            path: &version.path,
            event: version.event,
            seq: version.seq,
        };
        self.owner(&deed, self.tool_calls.of_fact(version.seq))
    }

    /// An open is bound to no call; the renaming of what was written then may be. It speaks for the open where the same
    /// process did both in the window of one call.
    fn of_opener(&self, version: &Version, opener: &Opener) -> Owner {
        let in_window = |call: &CallNo| self.tool_calls.calls[*call].window.holds(opener.at);
        let renaming = self.tool_calls.of_fact(version.seq).filter(|binding| {
            version.writers == [opener.process] && binding.has_calls() && binding.calls.iter().all(in_window)
        });
        let deed = Deed {
            process: opener.process,
            at: opener.at,
            attempt: opener.attempt,
            path: version.source().unwrap_or(&version.path),
            event: opener.event,
            seq: opener.seq,
        };
        self.owner(&deed, renaming)
    }

    /// The owner, by the binding of what it did or, where that has none, of the process.
    fn owner(&self, deed: &Deed<'_>, binding: Option<&Binding>) -> Owner {
        let Deed { process, at, attempt: no, path, event, seq } = *deed;
        let known = self.processes.find(&process);
        let exec = known.and_then(|known| known.exec_at(at));
        let argv = exec.map(|exec| exec.exec.argv.clone());
        let started = self.attempts.iter().find(|attempt| attempt.no == no).map(|attempt| &attempt.started);
        let binding = binding.or_else(|| self.tool_calls.of_process(&process));
        let binding = binding.filter(|binding| binding.has_calls());
        let calls =
            binding.map(|binding| binding.calls.iter().map(|no| &self.tool_calls.calls[*no]).collect::<Vec<_>>());
        let call = calls.as_ref().filter(|calls| calls.len() == 1).and_then(|calls| calls.first().copied());
        let call = call.filter(|_| binding.is_some_and(|binding| binding.state == BindingState::Bound));
        let session = call.and_then(|call| call.session.as_ref()).map(ToString::to_string);
        Owner {
            declared: binding.zip(calls).and_then(|(binding, calls)| owner_call(binding, &calls)),
            process_id: process.to_string(),
            pid: known.map(|known| known.started.pid),
            command: argv.as_deref().map(command_line),
            argv,
            exec_generation: exec.map(|exec| exec.exec.generation),
            exec_event_id: exec.map(|exec| exec.event.to_string()),
            at: at.to_rfc3339(),
            attempt: no,
            attempt_id: started.map(|started| started.attempt_id.to_string()),
            session_id: session.or_else(|| started.map(|started| started.session_id.to_string())),
            tool_call_id: call.map(Call::name).or_else(|| started.map(|started| started.tool_call_id.to_string())),
            event_id: event.to_string(),
            seq,
            path: path.clone(),
        }
    }
}

fn owner_call(binding: &Binding, calls: &[&Call]) -> Option<OwnerCall> {
    let first = calls.first()?;
    Some(OwnerCall {
        state: binding.state,
        tool_call_ids: calls.iter().map(|call| call.name()).collect(),
        tool: first.tool.clone(),
        agent: first.agent.name(),
        rung: binding.rung,
        confidence: f64::from(binding.confidence) / 1000.0,
        evidence: binding.evidence.iter().map(ToString::to_string).collect(),
    })
}

fn bare(status: LineStatus) -> Statement {
    Statement {
        status,
        owner: None,
        candidates: Vec::new(),
        method: "none",
        basis: None,
        confidence: None,
        cause: None,
        reason: None,
    }
}

fn named(statement: Statement, mut owners: Vec<Owner>, confidence: f64) -> Statement {
    if owners.len() == 1 {
        return Statement { owner: owners.pop(), confidence: Some(confidence), ..statement };
    }
    let reason = Some("several processes had it open for writing".to_owned());
    Statement { status: LineStatus::Ambiguous, candidates: owners, reason, ..statement }
}
