//! What an agent said of itself, in one line.

use super::{visible, visible_text};
use agentprov_model::declared::{CallEnded, CallStarted, Declared, Deed, ToolInput};

pub(super) fn declared(declared: &Declared) -> String {
    format!("{}: {}", declared.agent, deed(declared))
}

fn deed(declared: &Declared) -> String {
    match &declared.deed {
        Deed::SessionStarted(start) => format!("session began{}", in_words(start.source.as_deref())),
        Deed::SessionEnded(end) => format!("session ended{}", in_words(end.reason.as_deref())),
        Deed::Prompt(given) => match &given.prompt {
            Some(prompt) => format!("prompt of {} bytes", prompt.bytes),
            None => "prompt".to_owned(),
        },
        Deed::TurnEnded(end) if end.broken_off => "turn broken off".to_owned(),
        Deed::TurnEnded(_) => "turn ended".to_owned(),
        Deed::CallStarted(start) => call_started(start),
        Deed::CallEnded(end) => call_ended(end),
        Deed::CallRoster(calls) => format!("{} calls of one step ended", calls.len()),
        Deed::SubagentStarted => format!("subagent {} began", subagent(declared)),
        Deed::SubagentEnded => format!("subagent {} ended", subagent(declared)),
        Deed::Other => format!("event {}", visible_text(&declared.event)),
        Deed::Unreadable { why, message } => {
            format!("a message of {} bytes that can't be read: {}", message.bytes, visible_text(why))
        }
    }
}

fn in_words(why: Option<&str>) -> String {
    why.map(|why| format!(" ({})", visible_text(why))).unwrap_or_default()
}

fn subagent(declared: &Declared) -> String {
    declared.subagent.as_ref().map_or_else(|| "(not named)".to_owned(), |subagent| visible_text(&subagent.id))
}

fn call_started(start: &CallStarted) -> String {
    let tool = visible_text(&start.tool);
    match tool_input(&start.input) {
        Some(input) => format!("call {}: {tool} {input}", start.call.id),
        None => format!("call {}: {tool}", start.call.id),
    }
}

/// What a tool was given, in a few words.
pub fn tool_input(input: &ToolInput) -> Option<String> {
    match input {
        ToolInput::Shell(shell) => Some(visible(&shell.command)),
        ToolInput::Write(write) => Some(visible(&write.path)),
        ToolInput::Edit(edit) => Some(visible(&edit.path)),
        ToolInput::Patch(patch) => {
            let paths: Vec<String> = patch.files.iter().map(|file| visible(&file.path)).collect();
            Some(paths.join(" "))
        }
        ToolInput::Paths(paths) => Some(paths.iter().map(visible).collect::<Vec<_>>().join(" ")),
        ToolInput::Address(address) => Some(visible(address)),
        ToolInput::Mcp { server, tool } => Some(format!("{}/{}", visible_text(server), visible_text(tool))),
        ToolInput::Other => None,
    }
}

fn call_ended(end: &CallEnded) -> String {
    let status = end.exit_status.map(|status| format!(", exit {status}")).unwrap_or_default();
    format!("call {} {}{status}", end.call.id, end.status.name())
}
