//! Claude Code: `settings.json`, handlers in groups, exec form.

use super::agent::{AgentSettings, Event, Homes, Scope};
use super::json::{Json, Node};
use super::target::Agent;
use std::path::{Path, PathBuf};

/// Everything that Claude Code tells, except `WorktreeCreate`: a hook there takes over git's work.
const EVENTS: &[Event] = &[
    Event::plain("SessionStart"),
    Event::plain("SessionEnd"),
    Event::plain("Setup"),
    Event::plain("UserPromptSubmit"),
    Event::plain("UserPromptExpansion"),
    Event::matched("PreToolUse"),
    Event::matched("PermissionRequest"),
    Event::matched("PermissionDenied"),
    Event::matched("PostToolUse"),
    Event::matched("PostToolUseFailure"),
    Event::plain("PostToolBatch"),
    Event::plain("SubagentStart"),
    Event::plain("SubagentStop"),
    Event::plain("Stop"),
    Event::plain("StopFailure"),
    Event::plain("TaskCreated"),
    Event::plain("TaskCompleted"),
    Event::plain("TeammateIdle"),
    Event::plain("Notification"),
    Event::plain("MessageDisplay"),
    Event::plain("InstructionsLoaded"),
    Event::plain("ConfigChange"),
    Event::plain("CwdChanged"),
    Event::plain("DirectoryAdded"),
    Event::plain("FileChanged"),
    Event::plain("WorktreeRemove"),
    Event::plain("PreCompact"),
    Event::plain("PostCompact"),
    Event::plain("Elicitation"),
    Event::plain("ElicitationResult"),
];

const MANAGED: &str = "/etc/claude-code/managed-settings.json";

pub(super) const SETTINGS: AgentSettings = AgentSettings {
    agent: Agent::Claude,
    title: "Claude Code",
    user_file,
    project_file: ".claude/settings.json",
    events: EVENTS,
    needs: &[],
    item,
    advice,
    switched_off,
};

fn user_file(homes: &Homes) -> Option<PathBuf> {
    homes.folder("CLAUDE_CONFIG_DIR", ".claude").map(|folder| folder.join("settings.json"))
}

fn item(event: &Event, program: &str) -> Json {
    let handler = Json::Object(vec![
        ("type", Json::text("command")),
        ("command", Json::text(program)),
        ("args", Json::List(vec![Json::text("hook"), Json::text(Agent::Claude.name())])),
        ("timeout", Json::Number(5)),
    ]);
    event.group(handler)
}

fn advice(scope: Scope) -> Vec<&'static str> {
    let mut advice = vec!["sessions that run already keep their hooks: start a new one, and look with /hooks"];
    if scope == Scope::Project {
        advice.push("interactive sessions run hooks of a project only after its folder was trusted; `claude -p` runs them at once");
    }
    advice
}

fn switched_off(settings: &Node, _file: &Path) -> Vec<String> {
    let mut said = Vec::new();
    if settings.get("disableAllHooks").is_some_and(|value| value.is(true)) {
        said.push("\"disableAllHooks\" is true in this file: no hook runs until it is taken out".to_owned());
    }
    let managed = std::fs::read_to_string(MANAGED).ok().and_then(|text| super::json::parse(&text).ok());
    if managed.is_some_and(|managed| managed.get("allowManagedHooksOnly").is_some_and(|value| value.is(true))) {
        said.push(format!("{MANAGED} allows only the administrator's hooks: these will not run"));
    }
    said
}
