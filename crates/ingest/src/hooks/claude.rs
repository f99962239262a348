//! Claude Code.

use super::events::{
    CALL, SNAKE, begin, call_ended, call_id, call_started, prompt, session_ended, session_started, turn_ended,
};
use super::fields::Fields;
use agentprov_model::declared::{Agent, CallEnded, CallId, CallStatus, Declared, Deed};
use serde_json::Value;

pub(super) fn declare(fields: &mut Fields<'_>) -> Declared {
    declare_for(Agent::Claude, fields)
}

/// The same form, told of another agent.
pub(super) fn declare_for(agent: Agent, fields: &mut Fields<'_>) -> Declared {
    let mut declared = begin(agent, &SNAKE, fields);
    declared.deed = deed(&declared, fields);
    declared
}

pub(super) fn deed(declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    match declared.event.as_str() {
        "SessionStart" => session_started(fields),
        "SessionEnd" => session_ended(fields),
        "UserPromptSubmit" => prompt(fields),
        "PreToolUse" => call_started(&CALL, declared, fields),
        "PostToolUse" => ended(CallStatus::Completed, declared, fields),
        "PostToolUseFailure" => ended(CallStatus::Failed, declared, fields),
        "PermissionDenied" => ended(CallStatus::Denied, declared, fields),
        "PostToolBatch" => roster(declared, fields),
        "SubagentStart" => Deed::SubagentStarted,
        "SubagentStop" => {
            fields.digest("last_assistant_message");
            Deed::SubagentEnded
        }
        "Stop" => turn_ended("last_assistant_message", false, fields),
        "StopFailure" => turn_ended("last_assistant_message", true, fields),
        _ => Deed::Other,
    }
}

fn ended(status: CallStatus, declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    let Some(mut end) = call_ended(&CALL, status, declared, fields) else { return Deed::Other };
    result(&mut end, fields);
    Deed::CallEnded(end)
}

fn result(end: &mut CallEnded, fields: &mut Fields<'_>) {
    let told = |value: &Value| value.get("interrupted").and_then(Value::as_bool).unwrap_or(false);
    let interrupted = fields.flag("is_interrupt") || fields.peek("tool_response").is_some_and(told);
    if interrupted {
        end.status = CallStatus::Interrupted;
    }
    end.exit_status = fields.peek("tool_response").and_then(exit_status);
    end.duration_ms = fields.number("duration_ms");
    end.result = fields.digest_value("tool_response");
    end.error = fields.digest("error");
}

fn exit_status(response: &Value) -> Option<i32> {
    let number = ["exit_code", "exitCode"].iter().find_map(|name| response.get(name)?.as_i64());
    number.and_then(|number| i32::try_from(number).ok())
}

/// The calls of a step, complete even where single hooks were lost.
fn roster(declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    let calls = fields.list("tool_calls").unwrap_or_default();
    let id = |call: &Value| -> Option<CallId> {
        let tool = call.get("tool_name")?.as_str()?;
        let input = call.get("tool_input").and_then(Value::as_object).cloned().unwrap_or_default();
        let given = call.get("tool_use_id").and_then(Value::as_str);
        Some(call_id(given, declared.session.as_ref(), tool, &input, fields))
    };
    Deed::CallRoster(calls.iter().filter_map(id).collect())
}
