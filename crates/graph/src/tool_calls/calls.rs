//! The calls that agents declared, beginning and end put together.

use super::agents::Lookup;
use super::early;
use crate::error::GraphError;
use crate::processes::ProcessTable;
use agentprov_model::declared::{
    Agent, CallEnded, CallId, CallStarted, CallStatus, Declared, Deed, IdOrigin, ToolClass, ToolInput,
};
use agentprov_model::{EventId, EventTime, Fact, ProcessId, SessionId, What};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::HashMap;

/// One thing that an agent said, with the fact that holds it.
#[derive(Clone, Debug)]
pub struct Saying {
    /// When the agent said it: the start of the process that carried it where a recorder saw that, else what the carrier says.
    pub at: EventTime,
    /// Leaf of the fact; absent where it stands in the log of another run, because it came too early for this one.
    pub seq: Option<Seq>,
    /// Id of the fact.
    pub event: EventId,
    /// The process that carried it.
    pub carrier: Option<ProcessId>,
    /// It was read from a session file or exported afterwards, not told while it happened.
    pub afterwards: bool,
    /// What it says.
    pub declared: Declared,
}

/// Everything that agents said in a run, in order of time.
///
/// # Errors
/// What the store says.
pub(super) fn sayings(reader: &Reader, run: &RunRow, processes: &ProcessTable) -> Result<Vec<Saying>, GraphError> {
    let facts = early::heard(reader, run)?;
    let lookup = Lookup::new(processes);
    let mut sayings: Vec<Saying> =
        facts.into_iter().filter_map(|(seq, fact)| saying(seq, fact, processes, &lookup)).collect();
    sayings.sort_by_key(|saying| (saying.at, saying.seq.unwrap_or(Seq::MAX)));
    Ok(sayings)
}

fn saying(seq: Option<Seq>, fact: Fact, processes: &ProcessTable, lookup: &Lookup<'_>) -> Option<Saying> {
    let What::Declared(declared) = fact.what else { return None };
    let carrier = declared.anchor.as_ref().map(|anchor| lookup.id(anchor, &anchor.carrier)).or(fact.process);
    // The recorder's clock: a step of the wall clock between the two must not move a call.
    let seen = carrier.and_then(|carrier| processes.find(&carrier)).map(|process| process.started_at);
    let afterwards = fact.vantage.is_afterwards();
    let at = seen.unwrap_or(fact.at);
    Some(Saying { at, seq, event: fact.id, carrier, afterwards, declared: *declared })
}

/// One declared call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The id and who gave it.
    pub id: CallId,
    /// Which of the calls that share a synthetic id, from 1.
    pub ordinal: u32,
    /// Which agent.
    pub agent: Agent,
    /// Its session.
    pub session: Option<SessionId>,
    /// The subagent that made it.
    pub subagent: Option<String>,
    /// The tool.
    pub tool: String,
    /// What such a tool does.
    pub class: ToolClass,
    /// What it was given.
    pub input: ToolInput,
    /// Where its beginning is told.
    pub started: Option<Told>,
    /// Where its end is told.
    pub ended: Option<Told>,
    /// How it ended, as the agent says.
    pub status: Option<CallStatus>,
    /// Exit status of its command, as the agent says.
    pub exit_status: Option<i32>,
    /// When it can have done something.
    pub window: CallWindow,
    /// The process of the agent that made it, as far as that is known.
    pub agent_process: Option<ProcessId>,
}

/// A place where something is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// When.
    pub at: EventTime,
    /// Leaf of the fact; absent where it stands in the log of another run.
    pub seq: Option<Seq>,
    /// Id of the fact.
    pub event: EventId,
}

/// The time in which a call can have done something; background work goes on after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallWindow {
    /// From here.
    pub from: EventTime,
    /// To here; open where nothing closed it.
    pub to: Option<EventTime>,
    /// What closed it.
    pub closed_by: ClosedBy,
}

impl CallWindow {
    /// True where the instant lies in it.
    pub fn holds(&self, at: EventTime) -> bool {
        self.from <= at && self.to.is_none_or(|to| at <= to)
    }
}

/// What closed a call's window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClosedBy {
    /// The agent told of the end.
    End,
    /// The agent told that the step was over.
    Roster,
    /// The turn ended, or the next prompt came: a cancelled call has no end of its own.
    Turn,
    /// The session ended.
    Session,
    /// The agent's process ended.
    AgentExit,
    /// Nothing.
    Nothing,
}

impl ClosedBy {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Roster => "roster",
            Self::Turn => "turn",
            Self::Session => "session",
            Self::AgentExit => "agent_exit",
            Self::Nothing => "nothing",
        }
    }
}

impl Call {
    /// The id, with the ordinal where several calls share it.
    pub fn name(&self) -> String {
        if self.ordinal > 1 { format!("{}#{}", self.id.id, self.ordinal) } else { self.id.id.to_string() }
    }

    fn is_open(&self) -> bool {
        self.ended.is_none() && self.window.closed_by == ClosedBy::Nothing
    }

    fn close(&mut self, at: EventTime, by: ClosedBy) {
        self.window.to = Some(at);
        self.window.closed_by = by;
    }
}

/// Puts the calls together. `agent_of` names the agent's process for each saying, by its place.
pub(super) fn calls(sayings: &[Saying], agent_of: &[Option<ProcessId>], processes: &ProcessTable) -> Vec<Call> {
    let mut builder = Builder { calls: Vec::new(), by_id: HashMap::new() };
    // Session files and telemetry add what was not told while it happened; their times must not move a window.
    for afterwards in [false, true] {
        for (saying, agent) in sayings.iter().zip(agent_of).filter(|(saying, _)| saying.afterwards == afterwards) {
            builder.take(saying, *agent);
        }
    }
    let mut calls = builder.calls;
    for call in calls.iter_mut().filter(|call| call.is_open()) {
        let agent = call.agent_process.and_then(|agent| processes.find(&agent));
        if let Some(ended) = agent.filter(|agent| !agent.outlived).and_then(|agent| agent.ended_at) {
            call.close(ended, ClosedBy::AgentExit);
        }
    }
    calls.sort_by_key(|call| (call.window.from, call.started.and_then(|told| told.seq).unwrap_or(Seq::MAX)));
    calls
}

/// Calls of one session by id; a synthetic id may name several.
type CallKey = (Option<SessionId>, CallId);

struct Builder {
    calls: Vec<Call>,
    by_id: HashMap<CallKey, Vec<usize>>,
}

impl Builder {
    fn take(&mut self, saying: &Saying, agent: Option<ProcessId>) {
        match &saying.declared.deed {
            Deed::CallStarted(start) => self.start(saying, start, agent),
            Deed::CallEnded(end) => self.end(saying, end, agent),
            Deed::CallRoster(ids) => self.roster(saying, ids),
            Deed::TurnEnded(_) | Deed::Prompt(_) if saying.declared.subagent.is_none() => {
                self.close_session(saying, ClosedBy::Turn);
            }
            Deed::SessionEnded(_) => self.close_session(saying, ClosedBy::Session),
            _ => {}
        }
    }

    fn places(&mut self, saying: &Saying, id: &CallId) -> &mut Vec<usize> {
        self.by_id.entry((saying.declared.session.clone(), id.clone())).or_default()
    }

    fn start(&mut self, saying: &Saying, start: &CallStarted, agent: Option<ProcessId>) {
        let place = self.calls.len();
        let known = self.places(saying, &start.call);
        // An agent's own id names one call: a second beginning is the same one told again.
        if let (IdOrigin::Agent, Some(first)) = (start.call.origin, known.first().copied()) {
            let call = &mut self.calls[first];
            if call.started.is_none() {
                call.started = Some(told(saying));
                call.window.from = call.window.from.min(saying.at);
            }
            return;
        }
        known.push(place);
        let ordinal = u32::try_from(known.len()).unwrap_or(u32::MAX);
        self.calls.push(Call {
            id: start.call.clone(),
            ordinal,
            tool: start.tool.clone(),
            class: start.class,
            input: start.input.clone(),
            started: Some(told(saying)),
            window: CallWindow { from: saying.at, to: None, closed_by: ClosedBy::Nothing },
            ..blank(saying, start.call.clone(), agent)
        });
    }

    fn end(&mut self, saying: &Saying, end: &CallEnded, agent: Option<ProcessId>) {
        let places = self.places(saying, &end.call).clone();
        // Of equal calls the one that began first ends first: that is what equal inputs allow to say.
        let open = places.iter().copied().find(|place| self.calls[*place].ended.is_none());
        match (open, places.is_empty()) {
            (Some(place), _) => {
                let call = &mut self.calls[place];
                call.ended = Some(told(saying));
                call.status = Some(end.status);
                call.exit_status = end.exit_status;
                call.agent_process = call.agent_process.or(agent);
                call.close(saying.at, ClosedBy::End);
            }
            (None, true) => self.end_alone(saying, end, agent),
            (None, false) => {}
        }
    }

    /// An end whose beginning was lost.
    fn end_alone(&mut self, saying: &Saying, end: &CallEnded, agent: Option<ProcessId>) {
        let place = self.calls.len();
        self.places(saying, &end.call).push(place);
        let lasted = end.duration_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0).saturating_mul(1_000_000);
        let from = EventTime::from_nanos(saying.at.as_nanos().saturating_sub(lasted));
        let input = end.input.clone().unwrap_or(ToolInput::Other);
        self.calls.push(Call {
            tool: end.tool.clone(),
            class: class_of(&input),
            input,
            ended: Some(told(saying)),
            status: Some(end.status),
            exit_status: end.exit_status,
            window: CallWindow { from, to: Some(saying.at), closed_by: ClosedBy::End },
            ..blank(saying, end.call.clone(), agent)
        });
    }

    fn roster(&mut self, saying: &Saying, ids: &[CallId]) {
        for id in ids {
            let places = self.places(saying, id).clone();
            for place in places {
                if self.calls[place].is_open() && self.calls[place].window.from <= saying.at {
                    self.calls[place].close(saying.at, ClosedBy::Roster);
                }
            }
        }
    }

    fn close_session(&mut self, saying: &Saying, by: ClosedBy) {
        let session = &saying.declared.session;
        let open = |call: &&mut Call| call.is_open() && call.session == *session && call.window.from <= saying.at;
        for call in self.calls.iter_mut().filter(open) {
            call.close(saying.at, by);
        }
    }
}

fn told(saying: &Saying) -> Told {
    Told { at: saying.at, seq: saying.seq, event: saying.event }
}

fn blank(saying: &Saying, id: CallId, agent_process: Option<ProcessId>) -> Call {
    let declared = &saying.declared;
    Call {
        id,
        ordinal: 1,
        agent: declared.agent,
        session: declared.session.clone(),
        subagent: declared.subagent.as_ref().map(|subagent| subagent.id.clone()),
        tool: String::new(),
        class: ToolClass::Other,
        input: ToolInput::Other,
        started: None,
        ended: None,
        status: None,
        exit_status: None,
        window: CallWindow { from: saying.at, to: None, closed_by: ClosedBy::Nothing },
        agent_process,
    }
}

/// What the input says of the tool.
const fn class_of(input: &ToolInput) -> ToolClass {
    match input {
        ToolInput::Shell(_) => ToolClass::Shell,
        ToolInput::Write(_) | ToolInput::Edit(_) | ToolInput::Patch(_) => ToolClass::Edit,
        ToolInput::Paths(_) => ToolClass::Read,
        ToolInput::Address(_) => ToolClass::Fetch,
        ToolInput::Mcp { .. } => ToolClass::Mcp,
        ToolInput::Other => ToolClass::Other,
    }
}
