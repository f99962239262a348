//! Gemini CLI. It gives calls no id.

use super::events::{CALL, SNAKE, begin, call_ended, call_started, prompt, session_ended, session_started, turn_ended};
use super::fields::Fields;
use agentprov_model::declared::{Agent, CallStatus, Declared, Deed};
use serde_json::Value;

pub(super) fn declare(fields: &mut Fields<'_>) -> Declared {
    let mut declared = begin(Agent::Gemini, &SNAKE, fields);
    declared.deed = match declared.event.as_str() {
        "SessionStart" => session_started(fields),
        "SessionEnd" => session_ended(fields),
        "BeforeAgent" => prompt(fields),
        "AfterAgent" => {
            // The prompt is told again; it was declared when it was given.
            fields.digest("prompt");
            turn_ended("prompt_response", false, fields)
        }
        "BeforeTool" => call_started(&CALL, &declared, fields),
        "AfterTool" => after_tool(&declared, fields),
        "BeforeModel" | "AfterModel" | "BeforeToolSelection" => {
            // Requests and answers of the model hold the whole conversation.
            fields.digest_value("llm_request");
            fields.digest_value("llm_response");
            Deed::Other
        }
        _ => Deed::Other,
    };
    declared
}

fn after_tool(declared: &Declared, fields: &mut Fields<'_>) -> Deed {
    let failed = fields.peek("tool_response").and_then(|response| response.get("error")).is_some_and(|e| !e.is_null());
    let status = if failed { CallStatus::Failed } else { CallStatus::Completed };
    let Some(mut end) = call_ended(&CALL, status, declared, fields) else { return Deed::Other };
    let error = fields.peek("tool_response").and_then(|response| response.get("error")).filter(|e| !e.is_null());
    end.error = error.map(|error| match error {
        Value::String(text) => fields.key().text(text.as_bytes()),
        other => fields.key().text(other.to_string().as_bytes()),
    });
    end.result = fields.digest_value("tool_response");
    Deed::CallEnded(end)
}
