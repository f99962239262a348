//! What an agent says of itself: sessions, prompts, tool calls.
//!
//! Nothing here was observed by a kernel: these facts are `asserted`, whoever carried them. What they declare is
//! compared with what processes did by views.

mod anchor;
mod call;
mod session;
mod subject;
mod text;

pub use anchor::{Ancestor, FileIdentity, MAX_ANCESTORS, ProcessAnchor, TraceParent};
pub use call::{
    CallEnded, CallId, CallStarted, CallStatus, EditInput, IdOrigin, LineHash, PatchInput, PatchOp, PatchedFile,
    ShellInput, ToolClass, ToolInput, WriteInput,
};
pub use session::{PromptGiven, SessionEnded, SessionStarted, SubagentRef, TurnEnded};
pub use subject::Subject;
pub use text::{CommandDigest, CommandKey, RunningText, TextDigest};

use crate::ids::SessionId;
use crate::os_bytes::OsBytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// First argument under which the program is the launch wrapper: it runs the line that follows, unchanged.
pub const LAUNCH_WRAPPER: &str = "launch";

/// Name under which the program is the launch wrapper whatever its first argument is.
pub const LAUNCH_NAME: &str = "agentprov-launch";

/// First argument under which the program takes a message of an agent's hook; the agent's name follows.
pub const HOOK_ARGUMENT: &str = "hook";

/// The program that takes messages of hooks and does nothing else, so that it starts sooner.
pub const HOOK_NAME: &str = "agentprov-hook";

/// True for the name of a program file that takes messages of hooks.
#[must_use]
pub fn takes_hooks(name: &str) -> bool {
    matches!(name, "agentprov" | HOOK_NAME)
}

/// Field under which [`Declared::other`] holds the id of the span around the one that is told of.
pub const PARENT_SPAN: &str = "parent_span_id";

/// Which agent spoke.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Cursor.
    Cursor,
    /// Copilot.
    Copilot,
    /// One that is known from its telemetry alone.
    Other,
}

impl Agent {
    /// Every agent whose hooks are understood.
    pub const ALL: [Self; 5] = [Self::Claude, Self::Codex, Self::Gemini, Self::Cursor, Self::Copilot];

    /// The name as it stands in documents and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Cursor => "cursor",
            Self::Copilot => "copilot",
            Self::Other => "agent",
        }
    }

    /// The agent of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|agent| agent.name() == name)
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that an agent said of itself, by whatever way it came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Declared {
    /// Which agent.
    pub agent: Agent,
    /// Its session; absent where the message names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The turn in the session, as the agent names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// The subagent that it speaks of or for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent: Option<SubagentRef>,
    /// The event's name as the agent has it; empty where the message names none.
    pub event: String,
    /// Working folder at that time, as the agent says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<OsBytes>,
    /// The model, where named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it says.
    pub deed: Deed,
    /// Fields that have no place above, long texts in them as hash and length.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, Value>,
    /// The process that carried the message, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<ProcessAnchor>,
    /// Trace context in the carrier's environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

impl Declared {
    /// The call that it speaks of, where it speaks of one.
    pub fn call(&self) -> Option<&CallId> {
        match &self.deed {
            Deed::CallStarted(start) => Some(&start.call),
            Deed::CallEnded(end) => Some(&end.call),
            _ => None,
        }
    }
}

/// What an agent said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A session begins or goes on.
    SessionStarted(SessionStarted),
    /// A session ended.
    SessionEnded(SessionEnded),
    /// The user asked something.
    Prompt(PromptGiven),
    /// The agent has answered and waits.
    TurnEnded(TurnEnded),
    /// A tool call is about to run.
    CallStarted(CallStarted),
    /// A tool call ended, or was refused.
    CallEnded(CallEnded),
    /// The calls of one step, all ended.
    CallRoster(Vec<CallId>),
    /// A subagent began.
    SubagentStarted,
    /// A subagent ended.
    SubagentEnded,
    /// An event that says nothing of calls or sessions, or one that this version does not know.
    Other,
    /// The message could not be understood.
    Unreadable {
        /// Why.
        why: String,
        /// Its bytes, by hash.
        message: TextDigest,
    },
}
