//! One declared call with its effects, and where it did other than it says.

use super::Absence;
use super::undeclared::{UndeclaredRow, deed};
use crate::processes::{Process, ProcessTable};
use crate::timeline::{command_line, tool_input};
use crate::tool_calls::{
    Binding, BindingState, Call, CallNo, CallWitnesses, ClosedBy, Contained, Contradiction, Deed, Effect, McpCall,
    Rung, ToolCalls,
};
use agentprov_model::declared::{CallId, CallStatus, IdOrigin, ToolClass, ToolInput};
use agentprov_model::mcp::McpOutcome;
use agentprov_model::network::SocketAddress;
use agentprov_model::{EventId, OsBytes, SessionId, Vantage};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Its effect was seen.
    Matched,
    /// Its effect is one of several calls'.
    Ambiguous,
    /// An effect is due, and none was seen.
    Unmatched,
    /// None was seen, and the recording does not allow to say that there was none.
    Undecided,
    /// None is due: it reads, asks or was refused.
    NotDue,
    /// Nothing was recorded that it could be compared with.
    DeclaredOnly,
}

impl CallState {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Ambiguous => "ambiguous",
            Self::Unmatched => "unmatched",
            Self::Undecided => "undecided",
            Self::NotDue => "not_due",
            Self::DeclaredOnly => "declared_only",
        }
    }
}

/// One call.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CallRow {
    /// Its name: the id, with an ordinal where a synthetic id names several.
    pub tool_call_id: String,
    /// Who gave the id: `agent` or `synthetic`.
    pub id_origin: IdOrigin,
    /// Which agent.
    pub agent: &'static str,
    /// Session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Subagent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subagent: Option<String>,
    /// Tool.
    pub tool: String,
    /// What such a tool does.
    pub class: ToolClass,
    /// What it was given, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// When it began; absent where its beginning is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// How, as the agent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<CallStatus>,
    /// What closed its window.
    pub closed_by: &'static str,
    /// Its end was never told.
    pub never_ended: bool,
    /// Where it stands.
    pub state: CallState,
    /// Where it did other than it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Its processes, in order of start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessLink>,
    /// Files that it wrote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileRow>,
    /// Addresses that it reached for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<NetworkRow>,
    /// Requests to MCP servers that it made, as a relay saw them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mcp: Vec<McpRow>,
    /// Containers that its client started or entered, as sensors saw them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerRow>,
    /// Vantages that tell of it; of calls whose id is synthetic it is not known which vantage means which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<&'static str>,
    /// The other run in which it is at home, where the hooks that tell of it came after its telemetry: it is counted there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_run_id: Option<String>,
    /// Facts that declare it.
    pub evidence: Vec<String>,
}

/// One way in which a call did other than it says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: &'static str,
    /// In words.
    pub what: String,
    /// Facts.
    pub evidence: Vec<String>,
}

/// Why something belongs to a call.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Link {
    /// State.
    pub state: BindingState,
    /// Rung.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rung: Option<Rung>,
    /// From 0 to 1.
    pub confidence: f64,
    /// Other calls that it may belong to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// Facts.
    pub evidence: Vec<String>,
}

/// A process of a call.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProcessLink {
    /// The process.
    pub process_id: String,
    /// Its parent is no process of the call.
    pub root: bool,
    /// What it ran first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// It began after the call had ended, or lived on.
    pub background: bool,
    /// Why it belongs to the call.
    #[serde(flatten)]
    pub link: Link,
}

/// A file of a call.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FileRow {
    /// Path, below the workspace where it lies there.
    pub path: OsBytes,
    /// In words.
    pub what: String,
    /// Fact.
    pub event_id: String,
    /// Why it belongs to the call.
    #[serde(flatten)]
    pub link: Link,
}

/// A connection of a call.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NetworkRow {
    /// The address.
    pub address: String,
    /// Fact.
    pub event_id: String,
    /// Why it belongs to the call.
    #[serde(flatten)]
    pub link: Link,
}

/// A request to an MCP server.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct McpRow {
    /// The server, by the name that it was wrapped under.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// How it was answered; absent where no answer passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<McpOutcome>,
    /// Fact.
    pub event_id: String,
    /// Why it belongs to the call.
    #[serde(flatten)]
    pub link: Link,
}

/// A container of a call.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ContainerRow {
    /// Its id, cut to what every sensor gives.
    pub container_id: String,
    /// How many events sensors told of it.
    pub events: usize,
    /// What was done in it, each once.
    pub deeds: Vec<String>,
    /// Fact that first told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Why it belongs to the call.
    #[serde(flatten)]
    pub link: Link,
}

pub(super) fn rows(
    tool_calls: &ToolCalls,
    processes: &ProcessTable,
    undeclared: &[UndeclaredRow],
    witnesses: &[CallWitnesses],
    absence: &Absence,
    recorded: bool,
) -> Vec<CallRow> {
    let witnesses = witnesses.iter().map(|told| ((told.session.as_ref(), &told.call), told)).collect();
    let desk = Desk { tool_calls, processes, undeclared, witnesses, absence, recorded };
    (0..tool_calls.calls.len()).map(|no| desk.row(no)).collect()
}

struct Desk<'d> {
    tool_calls: &'d ToolCalls,
    processes: &'d ProcessTable,
    undeclared: &'d [UndeclaredRow],
    witnesses: HashMap<(Option<&'d SessionId>, &'d CallId), &'d CallWitnesses>,
    absence: &'d Absence,
    recorded: bool,
}

impl Desk<'_> {
    fn row(&self, no: CallNo) -> CallRow {
        let call = &self.tool_calls.calls[no];
        let processes: Vec<ProcessLink> =
            self.tool_calls.processes_of(no, self.processes).map(|(process, b)| self.process(no, process, b)).collect();
        let effects: Vec<&Effect> = self.tool_calls.effects_of(no).collect();
        let state = self.state(no, &processes, &effects);
        let told = call.started.iter().chain(&call.ended);
        CallRow {
            tool_call_id: call.name(),
            id_origin: call.id.origin,
            agent: call.agent.name(),
            session_id: call.session.as_ref().map(ToString::to_string),
            subagent: call.subagent.clone(),
            tool: call.tool.clone(),
            class: call.class,
            input: tool_input(&call.input),
            started_at: call.started.map(|told| told.at.to_rfc3339()),
            ended_at: call.ended.map(|told| told.at.to_rfc3339()),
            status: call.status,
            closed_by: call.window.closed_by.name(),
            never_ended: call.window.closed_by != ClosedBy::End,
            state,
            differences: self.differences(no, state, &effects),
            files: effects.iter().filter_map(|effect| self.file(no, effect)).collect(),
            network: effects.iter().filter_map(|effect| self.connection(no, effect)).collect(),
            processes,
            mcp: self.tool_calls.mcp_of(no).map(|asked| self.asked(no, asked)).collect(),
            containers: self.tool_calls.containers_of(no).map(|contained| self.contained(no, contained)).collect(),
            witnesses: self.vantages(no, call).into_iter().map(Vantage::name).collect(),
            home_run_id: self.witnesses(call).and_then(|told| told.home.as_ref()).map(ToString::to_string),
            evidence: told.map(|told| told.event.to_string()).collect(),
        }
    }

    /// A relay witnesses the calls that its requests are bound to.
    fn vantages(&self, no: CallNo, call: &Call) -> BTreeSet<Vantage> {
        let told = self.witnesses(call).into_iter().flat_map(|told| &told.vantages).copied();
        told.chain(self.bound_mcp(no).map(|_| Vantage::Proxy)).collect()
    }

    fn bound_mcp(&self, no: CallNo) -> impl Iterator<Item = &McpCall> {
        self.tool_calls.mcp_of(no).filter(|asked| asked.binding.state == BindingState::Bound)
    }

    fn witnesses(&self, call: &Call) -> Option<&CallWitnesses> {
        self.witnesses.get(&(call.session.as_ref(), &call.id)).copied()
    }

    fn state(&self, no: CallNo, processes: &[ProcessLink], effects: &[&Effect]) -> CallState {
        if !self.recorded {
            return CallState::DeclaredOnly;
        }
        let call = &self.tool_calls.calls[no];
        let of_processes = processes.iter().map(|row| row.link.state);
        let of_effects = effects.iter().filter_map(|effect| effect.binding.as_ref().map(|binding| binding.state));
        let states: Vec<BindingState> = match call.class {
            // Files may be written by several; whose command it is stands with the process.
            ToolClass::Shell => of_processes.collect(),
            _ => of_processes.chain(of_effects).collect(),
        };
        if states.contains(&BindingState::Bound)
            || self.tool_calls.unchanged(no).is_some()
            || self.bound_mcp(no).next().is_some()
        {
            return CallState::Matched;
        }
        if states.contains(&BindingState::Ambiguous) {
            return CallState::Ambiguous;
        }
        let due = matches!(call.class, ToolClass::Shell | ToolClass::Edit) && call.status != Some(CallStatus::Denied);
        // Of an agent whose process is not known nobody can say what it did not do.
        let known = call.agent_process.is_some_and(|agent| self.processes.find(&agent).is_some());
        match (due, known && self.absence.effects_claimable) {
            (false, _) => CallState::NotDue,
            (true, true) => CallState::Unmatched,
            (true, false) => CallState::Undecided,
        }
    }

    // --- links ---

    fn link(&self, no: CallNo, binding: &Binding) -> Link {
        let others = binding.calls.iter().filter(|other| **other != no);
        Link {
            state: binding.state,
            rung: binding.rung,
            confidence: f64::from(binding.confidence) / 1000.0,
            alternatives: others.map(|other| self.tool_calls.calls[*other].name()).collect(),
            evidence: texts(&binding.evidence),
        }
    }

    fn process(&self, no: CallNo, process: &Process, binding: &Binding) -> ProcessLink {
        let of_call = |id| self.tool_calls.of_process(&id).is_some_and(|parent| parent.calls.contains(&no));
        let end = self.tool_calls.calls[no].window.to;
        let lives_on = end.is_some_and(|end| process.outlived || process.ended_at.is_none_or(|ended| ended > end));
        ProcessLink {
            process_id: process.id.to_string(),
            root: !process.started.parent.is_some_and(of_call),
            command: process.execs.first().map(|exec| command_line(&exec.exec.argv)),
            background: lives_on,
            link: self.link(no, binding),
        }
    }

    fn file(&self, no: CallNo, effect: &Effect) -> Option<FileRow> {
        let Deed::File { path, workspace_path, .. } = &effect.deed else { return None };
        Some(FileRow {
            path: workspace_path.as_ref().unwrap_or(path).clone(),
            what: deed(effect),
            event_id: effect.event.to_string(),
            link: self.link(no, effect.binding.as_ref()?),
        })
    }

    fn connection(&self, no: CallNo, effect: &Effect) -> Option<NetworkRow> {
        let Deed::Connection { address } = &effect.deed else { return None };
        Some(NetworkRow {
            address: address.to_string(),
            event_id: effect.event.to_string(),
            link: self.link(no, effect.binding.as_ref()?),
        })
    }

    fn asked(&self, no: CallNo, asked: &McpCall) -> McpRow {
        McpRow {
            server: asked.server.clone(),
            tool: asked.tool.clone(),
            outcome: asked.answer.map(|answer| answer.outcome),
            event_id: asked.event.to_string(),
            link: self.link(no, &asked.binding),
        }
    }

    fn contained(&self, no: CallNo, contained: &Contained) -> ContainerRow {
        ContainerRow {
            container_id: contained.container.clone(),
            events: contained.events.len(),
            deeds: contained.deeds.clone(),
            event_id: contained.events.first().map(ToString::to_string),
            link: self.link(no, &contained.binding),
        }
    }

    // --- differences ---

    fn differences(&self, no: CallNo, state: CallState, effects: &[&Effect]) -> Vec<Difference> {
        let call = &self.tool_calls.calls[no];
        let bound: Vec<&Effect> = effects
            .iter()
            .copied()
            .filter(|effect| effect.binding.as_ref().is_some_and(|binding| binding.state == BindingState::Bound))
            .collect();
        let mut found = Vec::new();
        if call.status == Some(CallStatus::Denied) && state == CallState::Matched {
            found.push(difference("ran_although_denied", "it was refused, and ran all the same", &bound));
        }
        found.extend(other_content(call, &bound));
        found.extend(other_kind(call, &bound));
        found.extend(self.other_outcome(no, call));
        found.extend(self.other_command(no, call));
        found.extend(self.witnesses(call).iter().flat_map(|told| &told.contradictions).map(contradiction));
        found.extend(self.bound_mcp(no).filter_map(|asked| other_answer(call, asked)));
        if state == CallState::Unmatched {
            found.extend(self.instead(call));
        }
        found
    }

    /// The agent told of an exit status that its process did not have.
    fn other_outcome(&self, no: CallNo, call: &Call) -> Option<Difference> {
        let told = call.exit_status?;
        let mut roots = self.tool_calls.processes_of(no, self.processes).filter(|(process, binding)| {
            let parent = process.started.parent.and_then(|parent| self.tool_calls.of_process(&parent));
            binding.state == BindingState::Bound && !parent.is_some_and(|parent| parent.calls.contains(&no))
        });
        let (process, _) = roots.next()?;
        let seen = process.outcome.as_ref()?.shell_status();
        (seen != told).then(|| Difference {
            kind: "other_outcome",
            what: format!("the agent tells of exit status {told}, its process ended with {seen}"),
            evidence: texts(&[process.started_event]),
        })
    }

    /// The call's trace context went to a process, and neither that nor any other of the call's runs its command.
    fn other_command(&self, no: CallNo, call: &Call) -> Option<Difference> {
        let ToolInput::Shell(shell) = &call.input else { return None };
        let of_call = self.tool_calls.processes_of(no, self.processes);
        let bound: Vec<_> = of_call.filter(|(_, binding)| binding.state == BindingState::Bound).collect();
        let (process, binding) = bound.iter().find(|(_, binding)| binding.rung == Some(Rung::TraceContext))?;
        let runs_it = |process: &Process| {
            process.execs.iter().any(|exec| exec.exec.argv_cut.is_some() || exec.exec.commands.contains(&shell.digest))
        };
        let command = process.execs.first().map(|exec| command_line(&exec.exec.argv)).unwrap_or_default();
        (!bound.iter().any(|(process, _)| runs_it(process))).then(|| Difference {
            kind: "other_command",
            what: format!("another command got its trace context: {command}"),
            evidence: texts(&binding.evidence),
        })
    }

    /// What the agent did in the call's window instead, where exactly one thing of that kind has no call, or one of
    /// several left a trace: hooks of others run in the window, too.
    fn instead(&self, call: &Call) -> Option<Difference> {
        let (row_kind, kind, words) = match call.class {
            ToolClass::Shell => ("process", "other_command", "another command ran in its window"),
            ToolClass::Edit => ("file", "other_path", "another file was written in its window"),
            _ => return None,
        };
        let agent = call.agent_process?.to_string();
        let fits = |row: &&UndeclaredRow| {
            row.kind == row_kind && call.window.holds(row.at) && row.agent_process.as_deref() == Some(agent.as_str())
        };
        let rows = without_drafts(self.undeclared.iter().filter(fits).collect());
        let acting: Vec<&UndeclaredRow> = rows.iter().copied().filter(|row| !row.effects.is_empty()).collect();
        let (([row], _) | (_, [row])) = (rows.as_slice(), acting.as_slice()) else { return None };
        Some(Difference { kind, what: format!("{words}: {}", row.what), evidence: row.evidence.clone() })
    }
}

/// Witnesses of one call that say different things.
fn contradiction(found: &Contradiction) -> Difference {
    let said = found.said.iter().map(|(vantage, value, _)| format!("{} says '{value}'", vantage.name()));
    let said: Vec<String> = said.collect();
    let events: Vec<EventId> = found.said.iter().map(|(_, _, event)| *event).collect();
    Difference {
        kind: "contradiction",
        what: format!("its witnesses differ in {}: {}", found.about.name(), said.join(", ")),
        evidence: texts(&events),
    }
}

/// The agent and the relay tell differently of how the call went.
fn other_answer(call: &Call, asked: &McpCall) -> Option<Difference> {
    let status = call.status.filter(|status| asked.contradicts(*status))?;
    let answer = asked.answer?;
    let seen = match answer.outcome {
        McpOutcome::Completed => "completed".to_owned(),
        McpOutcome::ToolFailed => "failed".to_owned(),
        McpOutcome::Error(code) => format!("error {code}"),
    };
    let told = call.ended.map(|ended| ended.event);
    let events: Vec<EventId> = told.into_iter().chain([answer.event]).collect();
    let what = format!("its witnesses differ in status: the agent says '{}', proxy says '{seen}'", status.name());
    Some(Difference { kind: "contradiction", what, evidence: texts(&events) })
}

/// A file that was made and is gone again came to be another one: agents write beside a file and rename.
fn without_drafts(rows: Vec<&UndeclaredRow>) -> Vec<&UndeclaredRow> {
    let paths = |verb: &str| -> HashSet<&str> { rows.iter().filter_map(|row| row.what.strip_prefix(verb)).collect() };
    let (wrote, removed) = (paths("wrote "), paths("removed "));
    let drafts: HashSet<&str> = wrote.intersection(&removed).copied().collect();
    let is_draft = |row: &&UndeclaredRow| row.what.split_once(' ').is_some_and(|(_, path)| drafts.contains(path));
    rows.iter().copied().filter(|row| row.kind != "file" || !is_draft(row)).collect()
}

fn texts(events: &[EventId]) -> Vec<String> {
    events.iter().map(ToString::to_string).collect()
}

fn difference(kind: &'static str, what: impl Into<String>, effects: &[&Effect]) -> Difference {
    Difference { kind, what: what.into(), evidence: effects.iter().map(|effect| effect.event.to_string()).collect() }
}

/// A declared content that none of the versions of its file has.
fn other_content(call: &Call, effects: &[&Effect]) -> Option<Difference> {
    let ToolInput::Write(write) = &call.input else { return None };
    let declared = write.content?;
    let contents = |effect: &&&Effect| matches!(&effect.deed, Deed::File { content: Some(_), .. });
    let known: Vec<&Effect> = effects.iter().filter(contents).copied().collect();
    let equal = |effect: &&Effect| matches!(&effect.deed, Deed::File { content: Some(id), .. } if *id == declared);
    (!known.is_empty() && !known.iter().any(equal))
        .then(|| difference("other_content", "the file holds another content than the call declares", &known))
}

/// Deeds of another kind than the tool's.
fn other_kind(call: &Call, effects: &[&Effect]) -> Option<Difference> {
    let reads = matches!(call.class, ToolClass::Read | ToolClass::Search);
    let edits = call.class == ToolClass::Edit;
    let is_file = |effect: &Effect| matches!(&effect.deed, Deed::File { workspace_path: Some(_), .. });
    let is_network = |effect: &Effect| matches!(&effect.deed, Deed::Connection { address: SocketAddress::Ip { .. } });
    let odd: Vec<&Effect> = effects
        .iter()
        .copied()
        .filter(|effect| reads && is_file(effect) || (reads || edits) && is_network(effect))
        .collect();
    let first = odd.first()?;
    let verb = if reads { "reads" } else { "edits" };
    Some(difference("other_kind", format!("a tool that only {verb} {}", deed(first)), &odd))
}
