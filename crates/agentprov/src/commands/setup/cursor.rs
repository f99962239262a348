//! Cursor: `hooks.json`, one handler an item, shell form.

use super::agent::{AgentSettings, Event, Homes, Scope, shell_line};
use super::json::{Json, Node};
use super::target::Agent;
use std::path::{Path, PathBuf};

/// Without `beforeMCPExecution`, `beforeReadFile` and `beforeTabFileRead`: Cursor refuses the action where a hook of
/// these fails, and a recorder must never stop an agent. `preToolUse` tells of the same calls.
const EVENTS: &[Event] = &[
    Event::plain("sessionStart"),
    Event::plain("sessionEnd"),
    Event::plain("beforeSubmitPrompt"),
    Event::plain("preToolUse"),
    Event::plain("postToolUse"),
    Event::plain("postToolUseFailure"),
    Event::plain("beforeShellExecution"),
    Event::plain("afterShellExecution"),
    Event::plain("afterMCPExecution"),
    Event::plain("afterFileEdit"),
    Event::plain("afterTabFileEdit"),
    Event::plain("subagentStart"),
    Event::plain("subagentStop"),
    Event::plain("afterAgentResponse"),
    Event::plain("afterAgentThought"),
    Event::plain("preCompact"),
    Event::plain("stop"),
];

pub(super) const SETTINGS: AgentSettings = AgentSettings {
    agent: Agent::Cursor,
    title: "Cursor",
    user_file,
    project_file: ".cursor/hooks.json",
    events: EVENTS,
    needs: &[("version", "1")],
    item,
    advice,
    switched_off,
};

fn user_file(homes: &Homes) -> Option<PathBuf> {
    homes.home.as_ref().map(|home| home.join(".cursor/hooks.json"))
}

fn item(event: &Event, program: &str) -> Json {
    Json::Object(vec![
        ("command", Json::text(shell_line(program, Agent::Cursor))),
        ("timeout", Json::Number(event.seconds)),
    ])
}

fn advice(scope: Scope) -> Vec<&'static str> {
    let mut advice = vec!["restart Cursor where its Hooks settings page does not list them"];
    if scope == Scope::Project {
        advice.push("hooks of a project run only in a trusted workspace");
    }
    advice
}

fn switched_off(_settings: &Node, _file: &Path) -> Vec<String> {
    Vec::new()
}
