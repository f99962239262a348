//! What the messages of all agents have in common.

use super::fields::Fields;
use super::tools;
use agentprov_model::declared::{
    Agent, CallEnded, CallId, CallStarted, CallStatus, Declared, Deed, IdOrigin, PromptGiven, SessionEnded,
    SessionStarted, SubagentRef, TurnEnded,
};
use agentprov_model::{OsBytes, SessionId, ToolCallId};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Where an agent's messages keep what all of them say.
pub(super) struct Common {
    pub(super) session: &'static str,
    pub(super) event: &'static str,
    pub(super) turn: &'static str,
}

/// How Claude Code, Codex and Gemini CLI name the fields.
pub(super) const SNAKE: Common = Common { session: "session_id", event: "hook_event_name", turn: "prompt_id" };

/// Takes what every message says; the deed is still to come.
pub(super) fn begin(agent: Agent, common: &Common, fields: &mut Fields<'_>) -> Declared {
    let subagent = fields.word("agent_id").map(|id| SubagentRef { id, kind: fields.word("agent_type") });
    Declared {
        agent,
        session: fields.word(common.session).map(|id| session_id(&id)),
        turn: fields.word(common.turn),
        subagent,
        event: fields.word(common.event).unwrap_or_default(),
        cwd: fields.text("cwd").filter(|cwd| !cwd.is_empty()).map(OsBytes::from),
        model: fields.word("model"),
        deed: Deed::Other,
        other: Default::default(),
        anchor: None,
        trace: None,
    }
}

/// A text as an id; one that no id may be is named by its hash.
fn session_id(text: &str) -> SessionId {
    SessionId::new(text).unwrap_or_else(|_| {
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..12]);
        SessionId::new(format!("x-{hash}")).expect("hex makes an id")
    })
}

/// The id that the agent gave, else one that equal calls share.
pub(super) fn call_id(
    given: Option<&str>,
    session: Option<&SessionId>,
    tool: &str,
    input: &Map<String, Value>,
    fields: &Fields<'_>,
) -> CallId {
    if let Some(id) = given.and_then(|text| ToolCallId::new(text).ok()) {
        return CallId { id, origin: IdOrigin::Agent };
    }
    let session = session.map_or("", SessionId::as_str);
    let input = serde_json::to_string(input).unwrap_or_default();
    let digest = fields.key().text(format!("{session}\0{tool}\0{}\0{input}", given.unwrap_or_default()).as_bytes());
    let hex = data_encoding::HEXLOWER.encode(&digest.keyed.as_bytes()[..12]);
    let id = ToolCallId::new(format!("synthetic-{hex}")).expect("hex makes an id");
    CallId { id, origin: IdOrigin::Synthetic }
}

/// The names under which a message tells of a call.
pub(super) struct CallFields {
    pub(super) tool: &'static str,
    pub(super) input: &'static str,
    pub(super) id: &'static str,
}

/// As most agents name them.
pub(super) const CALL: CallFields = CallFields { tool: "tool_name", input: "tool_input", id: "tool_use_id" };

/// Tool, input and id of a call.
struct CallParts {
    tool: String,
    input: Map<String, Value>,
    call: CallId,
}

fn parts(names: &CallFields, declared: &Declared, fields: &mut Fields<'_>) -> Option<CallParts> {
    let tool = fields.word(names.tool)?;
    let input = fields.object(names.input).unwrap_or_default();
    let given = fields.text(names.id);
    let call = call_id(given.as_deref(), declared.session.as_ref(), &tool, &input, fields);
    Some(CallParts { tool, input, call })
}

/// A call that is about to run.
pub(super) fn call_started(names: &CallFields, declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    let Some(CallParts { tool, input, call }) = parts(names, declared, fields) else { return Deed::Other };
    let class = tools::class_of(declared.agent, &tool);
    let mut left = Fields::of(input, fields.key());
    let input = tools::input(declared.agent, &tool, class, &mut left, declared.cwd.as_ref());
    fields.put_back(names.input, left);
    Deed::CallStarted(CallStarted { call, tool, class, input })
}

/// A call that ended in this way. Result, error and duration are for the caller to add.
pub(super) fn call_ended(
    names: &CallFields,
    status: CallStatus,
    declared: &Declared,
    fields: &mut Fields<'_>,
) -> Option<CallEnded> {
    let (tool, call, input) = match parts(names, declared, fields) {
        Some(CallParts { tool, input, call }) => {
            let class = tools::class_of(declared.agent, &tool);
            let mut left = Fields::of(input, fields.key());
            let input = tools::input(declared.agent, &tool, class, &mut left, declared.cwd.as_ref());
            (tool, call, Some(input))
        }
        // Some ends name the call alone.
        None => {
            let id = fields.text(names.id).and_then(|text| ToolCallId::new(text).ok())?;
            (String::new(), CallId { id, origin: IdOrigin::Agent }, None)
        }
    };
    Some(CallEnded { call, tool, status, exit_status: None, duration_ms: None, result: None, error: None, input })
}

pub(super) fn session_started(fields: &mut Fields<'_>) -> Deed {
    let transcript = fields.text("transcript_path").map(OsBytes::from);
    Deed::SessionStarted(SessionStarted { source: fields.word("source"), transcript })
}

pub(super) fn session_ended(fields: &mut Fields<'_>) -> Deed {
    Deed::SessionEnded(SessionEnded { reason: fields.word("reason") })
}

pub(super) fn prompt(fields: &mut Fields<'_>) -> Deed {
    Deed::Prompt(PromptGiven { prompt: fields.digest("prompt") })
}

pub(super) fn turn_ended(answer: &str, broken_off: bool, fields: &mut Fields<'_>) -> Deed {
    Deed::TurnEnded(TurnEnded { answer: fields.digest(answer), broken_off })
}
