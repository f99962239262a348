//! Copilot: the command line, whose messages name neither event nor call, and VS Code, which follows Claude Code.

use super::claude;
use super::events::{
    CallFields, Common, SNAKE, begin, call_ended, call_started, prompt, session_ended, session_started,
};
use super::fields::Fields;
use agentprov_model::declared::{Agent, CallStatus, Declared, Deed};
use serde_json::Value;

const COMMON: Common = Common { session: "sessionId", event: "hookEventName", turn: "turnId" };
const CALL: CallFields = CallFields { tool: "toolName", input: "toolArgs", id: "toolCallId" };

pub(super) fn declare(fields: &mut Fields<'_>) -> Declared {
    if fields.has("tool_name") || fields.has("hook_event_name") {
        let mut declared = begin(Agent::Copilot, &SNAKE, fields);
        declared.deed = claude::deed(&declared, fields);
        return declared;
    }
    let mut declared = begin(Agent::Copilot, &COMMON, fields);
    declared.deed = deed(&declared, fields);
    declared
}

/// Which event it is shows in the fields alone.
fn deed(declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    if fields.has("toolResult") {
        return ended(declared, fields);
    }
    if fields.has("toolName") {
        return call_started(&CALL, declared, fields);
    }
    if fields.has("prompt") {
        return prompt(fields);
    }
    if fields.has("source") {
        fields.digest("initialPrompt");
        return session_started(fields);
    }
    if fields.has("reason") {
        return session_ended(fields);
    }
    Deed::Other
}

fn ended(declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    let kind = fields.peek("toolResult").and_then(|result| result.get("resultType")).and_then(Value::as_str);
    let status = match kind {
        Some("failure") => CallStatus::Failed,
        Some("denied") => CallStatus::Denied,
        _ => CallStatus::Completed,
    };
    let Some(mut end) = call_ended(&CALL, status, declared, fields) else { return Deed::Other };
    end.result = fields.digest_value("toolResult");
    Deed::CallEnded(end)
}
