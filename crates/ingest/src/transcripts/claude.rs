//! Claude Code: `~/.claude/projects/FOLDER/SESSION.jsonl`; subagents in files of their own.
//!
//! A line is a message. Calls are `tool_use` blocks of an assistant's message, their ends `tool_result` blocks of the
//! user's message that answers it.

use super::{Told, text, time};
use crate::hooks::declare;
use agentprov_model::EventTime;
use agentprov_model::declared::{Agent, CallStatus, CommandKey, Declared, Deed};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Calls whose end may still come.
const MOST_OPEN: usize = 4_096;

#[derive(Default)]
pub(super) struct Claude {
    session: Option<String>,
    last: Option<EventTime>,
    /// Tool and input, by call.
    open: HashMap<String, (String, Value)>,
}

impl Claude {
    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    pub(super) fn take(&mut self, line: &Value, number: u64, key: &CommandKey, told: &mut Vec<Told>) {
        if self.session.is_none() {
            self.session = text(line, "sessionId").map(str::to_owned);
        }
        self.last = time(line).or(self.last);
        let Some(message) = line.get("message") else { return };
        let blocks = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for block in blocks {
            let declared = match (text(line, "type"), text(block, "type")) {
                (Some("assistant"), Some("tool_use")) => self.begun(line, message, block, key),
                (Some("user"), Some("tool_result")) => self.ended(line, block, key),
                _ => continue,
            };
            let Some(declared) = declared else { continue };
            let at = self.last.unwrap_or(EventTime::from_nanos(0));
            told.push(Told { line: number, at, declared });
        }
    }

    fn begun(&mut self, line: &Value, message: &Value, block: &Value, key: &CommandKey) -> Option<Declared> {
        let (id, tool) = (text(block, "id")?, text(block, "name")?);
        let input = block.get("input").cloned().unwrap_or_else(|| json!({}));
        if self.open.len() < MOST_OPEN {
            self.open.insert(id.to_owned(), (tool.to_owned(), input.clone()));
        }
        let mut told = self.as_hook("PreToolUse", line, id, tool, &input);
        told["model"] = message.get("model").cloned().unwrap_or_default();
        Some(named("tool_use", &told, key))
    }

    fn ended(&mut self, line: &Value, block: &Value, key: &CommandKey) -> Option<Declared> {
        let id = text(block, "tool_use_id")?;
        let (tool, input) = self.open.remove(id)?;
        let result = line.get("toolUseResult");
        let content = content_text(block.get("content"));
        let failed = block.get("is_error").and_then(Value::as_bool).unwrap_or(false);
        let refused = failed && result.and_then(Value::as_str).is_some_and(was_refused);
        let mut told = self.as_hook("PostToolUse", line, id, &tool, &input);
        told["tool_response"] = result.or(block.get("content")).cloned().unwrap_or_default();
        let mut declared = named("tool_result", &told, key);
        if let Deed::CallEnded(end) = &mut declared.deed {
            if refused {
                end.status = CallStatus::Denied;
            } else if failed && end.status == CallStatus::Completed {
                end.status = CallStatus::Failed;
            }
            end.exit_status = end.exit_status.or_else(|| exit_code(&content));
            if failed {
                end.error = Some(key.text(content.as_bytes()));
            }
        }
        Some(declared)
    }

    /// The message that the hook would have got.
    fn as_hook(&self, event: &str, line: &Value, id: &str, tool: &str, input: &Value) -> Value {
        let mut told = json!({
            "hook_event_name": event, "session_id": line.get("sessionId"), "cwd": line.get("cwd"),
            "tool_name": tool, "tool_input": input, "tool_use_id": id,
        });
        let sidechain = line.get("isSidechain").and_then(Value::as_bool).unwrap_or(false);
        if let (true, Some(agent)) = (sidechain, line.get("agentId")) {
            told["agent_id"] = agent.clone();
        }
        told
    }
}

/// True where the tool did not run because somebody or some rule did not allow it.
fn was_refused(result: &str) -> bool {
    const WORDS: [&str; 3] = ["rejected tool use", "requires approval", "haven't granted"];
    WORDS.iter().any(|words| result.contains(words))
}

/// Understood as the hook's message, under the name that the file has for it.
fn named(event: &str, told: &Value, key: &CommandKey) -> Declared {
    let mut declared = declare(Agent::Claude, told.to_string().as_bytes(), key);
    event.clone_into(&mut declared.event);
    declared
}

/// The text of a result, which stands alone or in blocks.
fn content_text(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            blocks.iter().filter_map(|block| text(block, "text")).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// Of `Exit code 3` and what follows the number.
fn exit_code(text: &str) -> Option<i32> {
    let rest = text.trim_start_matches("Error: ").strip_prefix("Exit code ")?;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}
