//! Codex: `~/.codex/sessions/YEAR/MONTH/DAY/rollout-TIME-SESSION.jsonl`.
//!
//! A line is `{timestamp, type, payload}`. Calls are items of a response: `function_call`, `custom_tool_call` and
//! `local_shell_call`, their ends the outputs of the same `call_id`.

use super::{Told, text, time};
use crate::hooks::declare;
use agentprov_model::EventTime;
use agentprov_model::declared::{Agent, CommandKey, Declared, Deed};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Calls whose end may still come.
const MOST_OPEN: usize = 4_096;

#[derive(Default)]
pub(super) struct Codex {
    session: Option<String>,
    last: Option<EventTime>,
    cwd: Option<String>,
    model: Option<String>,
    turn: Option<String>,
    /// Tool and input, by call.
    open: HashMap<String, (String, Value)>,
}

impl Codex {
    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    pub(super) fn take(&mut self, line: &Value, number: u64, key: &CommandKey, told: &mut Vec<Told>) {
        self.last = time(line).or(self.last);
        let Some(payload) = line.get("payload") else { return };
        let declared = match text(line, "type") {
            Some("session_meta") => {
                self.meta(payload);
                return;
            }
            Some("turn_context") => {
                self.turn(payload);
                return;
            }
            Some("response_item") => self.item(payload, key),
            _ => return,
        };
        let Some(declared) = declared else { return };
        let at = self.last.unwrap_or(EventTime::from_nanos(0));
        told.push(Told { line: number, at, declared });
    }

    fn meta(&mut self, payload: &Value) {
        // A forked session repeats the lines of the older one: the first is the file's own.
        if self.session.is_none() {
            self.session = text(payload, "session_id").or(text(payload, "id")).map(str::to_owned);
            self.cwd = text(payload, "cwd").map(str::to_owned);
        }
    }

    fn turn(&mut self, payload: &Value) {
        let take = |name: &str, old: &mut Option<String>| {
            if let Some(new) = text(payload, name) {
                *old = Some(new.to_owned());
            }
        };
        take("cwd", &mut self.cwd);
        take("model", &mut self.model);
        take("turn_id", &mut self.turn);
    }

    fn item(&mut self, item: &Value, key: &CommandKey) -> Option<Declared> {
        let kind = text(item, "type")?;
        let id = text(item, "call_id")?;
        match kind {
            "function_call" | "custom_tool_call" | "local_shell_call" => {
                let (tool, input) = as_hook(kind, item)?;
                if self.open.len() < MOST_OPEN {
                    self.open.insert(id.to_owned(), (tool.clone(), input.clone()));
                }
                Some(self.named(kind, &self.message("PreToolUse", id, &tool, &input), key))
            }
            "function_call_output" | "custom_tool_call_output" => {
                let (tool, input) = self.open.remove(id)?;
                let output = output_text(item.get("output"));
                let mut message = self.message("PostToolUse", id, &tool, &input);
                message["tool_response"] = Value::String(output.clone());
                let mut declared = self.named(kind, &message, key);
                if let Deed::CallEnded(end) = &mut declared.deed {
                    end.exit_status = exit_code(&output);
                }
                Some(declared)
            }
            _ => None,
        }
    }

    fn message(&self, event: &str, id: &str, tool: &str, input: &Value) -> Value {
        json!({
            "hook_event_name": event, "session_id": self.session, "turn_id": self.turn, "cwd": self.cwd,
            "model": self.model, "tool_name": tool, "tool_input": input, "tool_use_id": id,
        })
    }

    fn named(&self, event: &str, message: &Value, key: &CommandKey) -> Declared {
        let mut declared = declare(Agent::Codex, message.to_string().as_bytes(), key);
        event.clone_into(&mut declared.event);
        declared
    }
}

/// Tool and input under the names that hooks have for them.
fn as_hook(kind: &str, item: &Value) -> Option<(String, Value)> {
    if kind == "local_shell_call" {
        let command = item.pointer("/action/command")?;
        return Some(("Bash".to_owned(), json!({"command": shell_text(command)?})));
    }
    let name = text(item, "name")?;
    if kind == "custom_tool_call" {
        return Some((name.to_owned(), json!({"command": text(item, "input")?})));
    }
    let arguments: Value = text(item, "arguments").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let command = match name {
        "exec_command" => arguments.get("cmd"),
        "shell" | "shell_command" | "container.exec" | "local_shell" => arguments.get("command"),
        "apply_patch" => arguments.get("input"),
        _ => None,
    };
    match (name, command.and_then(shell_text)) {
        ("apply_patch", Some(patch)) => Some((name.to_owned(), json!({"command": patch}))),
        (_, Some(command)) => Some(("Bash".to_owned(), json!({"command": command}))),
        (_, None) => Some((name.to_owned(), arguments)),
    }
}

/// A command as text: of `["bash", "-lc", TEXT]` the text, of other lists the words.
fn shell_text(command: &Value) -> Option<String> {
    if let Some(text) = command.as_str() {
        return Some(text.to_owned());
    }
    let words: Vec<&str> = command.as_array()?.iter().filter_map(Value::as_str).collect();
    match words.as_slice() {
        [_, flag, line] if flag.starts_with('-') && flag.contains('c') => Some((*line).to_owned()),
        words => Some(words.join(" ")),
    }
}

fn output_text(output: Option<&Value>) -> String {
    match output {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// From `Process exited with code 3` in the head of an output, or from the metadata of an older one.
fn exit_code(output: &str) -> Option<i32> {
    if let Ok(value) = serde_json::from_str::<Value>(output) {
        let code = value.pointer("/metadata/exit_code").and_then(Value::as_i64);
        return code.and_then(|code| i32::try_from(code).ok());
    }
    // What the command printed follows this line and is not looked at.
    let head = output.lines().take_while(|line| *line != "Output:");
    let told =
        head.filter_map(|line| line.strip_prefix("Process exited with code ").or(line.strip_prefix("Exit code: ")));
    told.last()?.trim().parse().ok()
}
