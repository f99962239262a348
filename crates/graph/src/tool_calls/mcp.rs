//! Requests to MCP servers, as a relay saw them, to the calls that declare them.

use super::binding::{Binding, CallNo, Rung};
use super::calls::Call;
use super::traces::Traces;
use super::{Tree, agents::Lookup};
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::declared::{CallStatus, ToolInput};
use agentprov_model::mcp::{ConnectionId, McpDeed, McpOutcome, McpSide};
use agentprov_model::{EventId, EventTime, EventType, Fact, ProcessId, What};
use agentprov_store::{Reader, RunRow};
use std::collections::HashMap;

/// The method that calls a tool.
const CALL: &str = "tools/call";

/// How a server answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct McpAnswer {
    /// How it went.
    pub outcome: McpOutcome,
    /// The fact of the answer.
    pub event: EventId,
    /// When.
    pub at: EventTime,
}

/// A tool of a server was called, as the relay between agent and server saw it.
#[derive(Clone, Debug)]
pub struct McpCall {
    /// When.
    pub at: EventTime,
    /// The fact of the request.
    pub event: EventId,
    /// The server, by the name that it was wrapped under.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// How it was answered; absent where no answer passed.
    pub answer: Option<McpAnswer>,
    /// The relay; the server is its child.
    pub relay: Option<ProcessId>,
    /// To which declared call it belongs.
    pub binding: Binding,
}

impl McpCall {
    /// The answer says other than the agent does of how the call went.
    pub fn contradicts(&self, status: CallStatus) -> bool {
        self.answer.is_some_and(|answer| (answer.outcome == McpOutcome::Completed) != (status == CallStatus::Completed))
    }
}

/// What is known of calls when requests are bound.
pub(super) struct Switchboard<'s> {
    pub(super) calls: &'s [Call],
    pub(super) traces: &'s Traces,
    pub(super) tree: &'s Tree<'s>,
}

/// A request and the calls that it can be, strongest ground first.
struct Request {
    call: McpCall,
    rung: Rung,
    candidates: Vec<CallNo>,
    evidence: Vec<EventId>,
}

impl Switchboard<'_> {
    /// Every call of a tool that agents sent through a relay, in order of the log.
    pub(super) fn bind(&self, reader: &Reader, run: &RunRow) -> Result<Vec<McpCall>, GraphError> {
        let facts = facts_of_type(reader, run, EventType::McpRequest)?;
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let answers = answers(reader, run)?;
        let lookup = Lookup::new(self.tree.processes);
        let mut requests: Vec<Request> =
            facts.into_iter().filter_map(|(_, fact)| self.request(&fact, &answers, &lookup)).collect();
        let named = requests.iter().filter(|request| request.rung == Rung::TraceContext);
        let taken: Vec<CallNo> = named.flat_map(|request| request.candidates.iter().copied()).collect();
        for request in requests.iter_mut().filter(|request| request.rung != Rung::TraceContext) {
            request.candidates.retain(|call| !taken.contains(call));
        }
        let mut wanted: HashMap<CallNo, u32> = HashMap::new();
        for call in requests.iter().flat_map(|request| &request.candidates) {
            *wanted.entry(*call).or_default() += 1;
        }
        Ok(requests.into_iter().map(|request| self.bound(request, &wanted)).collect())
    }

    fn request(&self, fact: &Fact, answers: &Answers, lookup: &Lookup<'_>) -> Option<Request> {
        let What::Mcp(said) = &fact.what else { return None };
        let McpDeed::Request(asked) = &said.deed else { return None };
        if asked.from != McpSide::Agent || asked.method != CALL {
            return None;
        }
        let relay = said.anchor.as_ref().map(|anchor| lookup.id(anchor, &anchor.carrier)).or(fact.process);
        let tool = asked.target.clone()?;
        let call = McpCall {
            at: fact.at,
            event: fact.id,
            server: said.server.clone(),
            tool,
            answer: answers.get(&(said.connection.clone(), asked.id.clone())).copied(),
            relay,
            binding: Binding::unattributed(vec![fact.id], "no call declares it"),
        };
        if let Some(named) = asked.trace.as_ref().and_then(|trace| self.traces.named(trace)) {
            let candidates = named.calls.into_iter().collect();
            return Some(Request { call, rung: Rung::TraceContext, candidates, evidence: named.told });
        }
        let mut candidates = self.declared(&call, relay, true);
        let mut rung = Rung::SameTool;
        if candidates.is_empty() {
            candidates = self.declared(&call, relay, false);
            rung = Rung::ToolWindow;
        }
        Some(Request { call, rung, candidates, evidence: Vec::new() })
    }

    /// Calls of that tool which were open when the request passed, of the agent above the relay.
    fn declared(&self, asked: &McpCall, relay: Option<ProcessId>, same_server: bool) -> Vec<CallNo> {
        let relay = relay.and_then(|relay| self.tree.processes.find(&relay));
        let above: Option<Vec<ProcessId>> = relay.map(|relay| self.tree.ancestors(relay).collect());
        let fits = |call: &Call| {
            let ToolInput::Mcp { server, tool } = &call.input else { return false };
            let of_agent = match (&above, call.agent_process) {
                (Some(above), Some(agent)) => above.contains(&agent),
                _ => true,
            };
            of_agent
                && call.window.holds(asked.at)
                && plain(tool) == plain(&asked.tool)
                && (!same_server || plain(server) == plain(&asked.server))
        };
        self.calls.iter().enumerate().filter(|(_, call)| fits(call)).map(|(no, _)| no).collect()
    }

    fn bound(&self, request: Request, wanted: &HashMap<CallNo, u32>) -> McpCall {
        let Request { mut call, rung, candidates, evidence: told } = request;
        let declared = candidates.iter().filter_map(|no| self.calls[*no].started.or(self.calls[*no].ended));
        let mut evidence = vec![call.event];
        evidence.extend(declared.map(|told| told.event));
        evidence.extend(told);
        let why = match rung {
            Rung::TraceContext => "the trace context in the request is the call's span",
            Rung::SameTool => "it asks for the call's tool of the call's server, in the call's window",
            _ => {
                "it asks for a tool of that name in the call's window, of a server that was wrapped under another name"
            }
        };
        match candidates.as_slice() {
            [] => {}
            [only] if rung == Rung::TraceContext || wanted.get(only) == Some(&1) => {
                call.binding = Binding::bound(rung, *only, evidence, why);
            }
            _ => {
                let why = "several requests for that tool passed while calls of it were open";
                call.binding = Binding::ambiguous(rung, candidates, evidence, why);
            }
        }
        call
    }
}

/// By connection and id of the request.
type Answers = HashMap<(ConnectionId, String), McpAnswer>;

fn answers(reader: &Reader, run: &RunRow) -> Result<Answers, GraphError> {
    let facts = facts_of_type(reader, run, EventType::McpResponse)?;
    let answers = facts.into_iter().filter_map(|(_, fact)| {
        let What::Mcp(said) = fact.what else { return None };
        let McpDeed::Response(answer) = said.deed else { return None };
        (answer.to == McpSide::Agent).then_some((
            (said.connection, answer.id),
            McpAnswer { outcome: answer.outcome, event: fact.id, at: fact.at },
        ))
    });
    Ok(answers.collect())
}

/// Agents put `_` for what the names of their tools must not hold.
fn plain(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' }).collect()
}
