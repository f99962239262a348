//! To which call a deed belongs, on what ground.

use agentprov_model::EventId;
use serde::Serialize;

/// Place of a call in the list of a run's calls.
pub type CallNo = usize;

/// The three states of an attribution, and two for what no call is needed for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingState {
    /// One call fits.
    Bound,
    /// Several fit, or one may fit; all are listed.
    Ambiguous,
    /// None fits.
    Unattributed,
    /// The agent's own doing, by a row of the visible table.
    Scaffolding,
    /// The agent itself.
    Agent,
}

/// A rung of the ladder, strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// The launch wrapper ran the call's line.
    LaunchWrapper,
    /// The process got the trace context of the call's span in its environment.
    TraceContext,
    /// The only process in the call's window whose command is the call's, below the agent that made the call.
    UniqueCommand,
    /// The agent wrote the path that the call names, in the call's window, and the content is the declared one.
    SameContent,
    /// The only MCP request for the call's tool of the call's server, in the call's window.
    SameTool,
    /// The agent wrote the path that the call names, in the call's window.
    SamePath,
    /// A process of the call made it, or it is a process of the call's process.
    Lineage,
    /// The call's client names the container, or whoever tied the container to the run named the call.
    Container,
    /// The only MCP request for a tool of that name, in the call's window, of a server under another name.
    ToolWindow,
    /// An MCP server did it, or started it, between the call's request and the answer, with no other request open.
    RequestWindow,
    /// The call's client was the only one that ran when the container first showed itself.
    ContainerWindow,
    /// The only open call of a kind that starts programs, when the agent started one.
    ProcessWindow,
}

impl Rung {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LaunchWrapper => "launch_wrapper",
            Self::TraceContext => "trace_context",
            Self::UniqueCommand => "unique_command",
            Self::SameContent => "same_content",
            Self::SameTool => "same_tool",
            Self::SamePath => "same_path",
            Self::Lineage => "lineage",
            Self::Container => "container",
            Self::ToolWindow => "tool_window",
            Self::RequestWindow => "request_window",
            Self::ContainerWindow => "container_window",
            Self::ProcessWindow => "process_window",
        }
    }

    /// How sure a link on this rung is, in thousandths. Exact rungs stand at the top; a window alone is capped.
    pub const fn confidence(self) -> u16 {
        match self {
            Self::LaunchWrapper | Self::TraceContext | Self::UniqueCommand | Self::SameContent => 1_000,
            Self::SameTool | Self::SamePath | Self::Lineage => 950,
            Self::Container => 900,
            Self::ToolWindow | Self::RequestWindow => 700,
            Self::ContainerWindow => 600,
            Self::ProcessWindow => 500,
        }
    }
}

/// To which call a process or deed belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// State.
    pub state: BindingState,
    /// The rung on which it stands; absent where nothing fits.
    pub rung: Option<Rung>,
    /// Thousandths.
    pub confidence: u16,
    /// The call; where it is ambiguous every candidate.
    pub calls: Vec<CallNo>,
    /// Facts that it rests on.
    pub evidence: Vec<EventId>,
    /// Name of the row of the table, for scaffolding.
    pub rule: Option<&'static str>,
    /// Among the processes that share these candidates at least one was declared by nobody.
    pub surplus: bool,
    /// Why, for people.
    pub why: String,
}

impl Binding {
    pub(super) fn bound(rung: Rung, call: CallNo, evidence: Vec<EventId>, why: impl Into<String>) -> Self {
        Self {
            state: BindingState::Bound,
            rung: Some(rung),
            confidence: rung.confidence(),
            calls: vec![call],
            evidence,
            rule: None,
            surplus: false,
            why: why.into(),
        }
    }

    pub(super) fn ambiguous(rung: Rung, calls: Vec<CallNo>, evidence: Vec<EventId>, why: impl Into<String>) -> Self {
        // Each candidate is as likely as the others, and none of them may be right.
        let confidence = rung.confidence() / u16::try_from(calls.len() + 1).unwrap_or(u16::MAX);
        Self {
            state: BindingState::Ambiguous,
            rung: Some(rung),
            confidence,
            calls,
            evidence,
            rule: None,
            surplus: false,
            why: why.into(),
        }
    }

    pub(super) fn unattributed(evidence: Vec<EventId>, why: impl Into<String>) -> Self {
        Self {
            state: BindingState::Unattributed,
            rung: None,
            confidence: 0,
            calls: Vec::new(),
            evidence,
            rule: None,
            surplus: false,
            why: why.into(),
        }
    }

    pub(super) fn scaffolding(rule: super::scaffolding::Rule, evidence: Vec<EventId>) -> Self {
        Self { state: BindingState::Scaffolding, rule: Some(rule.id), ..Self::unattributed(evidence, rule.about) }
    }

    pub(super) fn agent(evidence: Vec<EventId>) -> Self {
        Self { state: BindingState::Agent, ..Self::unattributed(evidence, "the agent's own process") }
    }

    /// The same for something that came of it.
    pub(super) fn inherited(&self, evidence: EventId) -> Self {
        let rung = self.rung.map(|_| Rung::Lineage);
        let confidence = match self.state {
            BindingState::Bound => self.confidence.min(Rung::Lineage.confidence()),
            _ => self.confidence,
        };
        Self { rung, confidence, evidence: vec![evidence], surplus: false, why: inherited_why(self), ..self.clone() }
    }

    /// True where it names a call.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }
}

fn inherited_why(from: &Binding) -> String {
    match from.state {
        BindingState::Bound | BindingState::Ambiguous => "a process of the call did it or made it".to_owned(),
        _ => from.why.clone(),
    }
}
