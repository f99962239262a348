//! Cursor. One shell call fires tool events and shell events; only the tool events carry an id and become calls.

use super::events::{
    CALL, Common, begin, call_ended, call_started, prompt, session_ended, session_started, turn_ended,
};
use super::fields::Fields;
use agentprov_model::declared::{Agent, CallEnded, CallStatus, Declared, Deed};
use serde_json::Value;

const COMMON: Common = Common { session: "conversation_id", event: "hook_event_name", turn: "generation_id" };

pub(super) fn declare(fields: &mut Fields<'_>) -> Declared {
    let mut declared = begin(Agent::Cursor, &COMMON, fields);
    declared.deed = match declared.event.as_str() {
        "sessionStart" => session_started(fields),
        "sessionEnd" => session_ended(fields),
        "beforeSubmitPrompt" => prompt(fields),
        "preToolUse" => call_started(&CALL, &declared, fields),
        "postToolUse" => ended(CallStatus::Completed, &declared, fields),
        "postToolUseFailure" => ended(failure(fields), &declared, fields),
        "subagentStart" => Deed::SubagentStarted,
        "subagentStop" => Deed::SubagentEnded,
        "stop" => turn_ended("text", false, fields),
        _ => {
            contents(fields);
            Deed::Other
        }
    };
    declared
}

fn failure(fields: &mut Fields<'_>) -> CallStatus {
    match fields.word("failure_type").as_deref() {
        Some("permission_denied") => CallStatus::Denied,
        _ if fields.flag("is_interrupt") => CallStatus::Interrupted,
        _ => CallStatus::Failed,
    }
}

fn ended(status: CallStatus, declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    let Some(end) = call_ended(&CALL, status, declared, fields) else { return Deed::Other };
    let duration_ms = fields.number("duration");
    let exit_status = fields.peek("tool_output").and_then(exit_status);
    let (result, error) = (fields.digest_value("tool_output"), fields.digest("error_message"));
    Deed::CallEnded(CallEnded { duration_ms, exit_status, result, error, ..end })
}

/// Newer versions give the output as JSON in a text.
fn exit_status(output: &Value) -> Option<i32> {
    let parsed = output.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let number = parsed.as_ref().unwrap_or(output).get("exitCode")?.as_i64()?;
    i32::try_from(number).ok()
}

/// Contents of files and outputs in events that are no calls.
fn contents(fields: &mut Fields<'_>) {
    for name in ["content", "output", "result_json", "edits", "text", "attachments", "agent_message"] {
        fields.digest_value(name);
    }
}
