//! Codex: `hooks.json`, handlers in groups, shell form.

use super::agent::{AgentSettings, Event, Homes, Scope, shell_line};
use super::json::{Json, Node};
use super::target::Agent;
use std::path::{Path, PathBuf};

const EVENTS: &[Event] = &[
    Event::plain("SessionStart"),
    Event::plain("SessionEnd").within(3),
    Event::plain("UserPromptSubmit"),
    Event::matched("PreToolUse"),
    Event::matched("PermissionRequest"),
    Event::matched("PostToolUse"),
    Event::plain("SubagentStart"),
    Event::plain("SubagentStop"),
    Event::plain("Stop"),
    Event::plain("StopFailure"),
    Event::plain("Interrupt").within(3),
    Event::plain("PreCompact"),
    Event::plain("PostCompact"),
];

pub(super) const SETTINGS: AgentSettings = AgentSettings {
    agent: Agent::Codex,
    title: "Codex",
    user_file,
    project_file: ".codex/hooks.json",
    events: EVENTS,
    needs: &[],
    item,
    advice,
    switched_off,
};

fn user_file(homes: &Homes) -> Option<PathBuf> {
    homes.folder("CODEX_HOME", ".codex").map(|folder| folder.join("hooks.json"))
}

fn item(event: &Event, program: &str) -> Json {
    event.group(Json::Object(vec![
        ("type", Json::text("command")),
        ("command", Json::text(shell_line(program, Agent::Codex))),
        ("timeout", Json::Number(event.seconds)),
    ]))
}

fn advice(scope: Scope) -> Vec<&'static str> {
    let mut advice = vec!["Codex runs new or changed hooks only after you review them: start it and open /hooks"];
    if scope == Scope::Project {
        advice.push("hooks of a project run only where Codex trusts the project");
    }
    advice
}

/// `config.toml` beside the hooks can switch them off.
fn switched_off(_settings: &Node, file: &Path) -> Vec<String> {
    let config = file.with_file_name("config.toml");
    let text = std::fs::read_to_string(&config).unwrap_or_default();
    let mut said = Vec::new();
    if feature_off(&text) {
        said.push(format!("{} switches hooks off in [features]: none runs until that is changed", config.display()));
    }
    said
}

/// True where `[features]` says `hooks = false`, under its present or its old name.
fn feature_off(config: &str) -> bool {
    let mut table = "";
    for line in config.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.trim();
        } else if let Some((key, value)) = line.split_once('=') {
            let key = if table == "features" { key.trim().to_owned() } else { format!("{table}.{}", key.trim()) };
            let names = ["hooks", "codex_hooks", ".features.hooks", ".features.codex_hooks"];
            if names.contains(&key.as_str()) && value.trim() == "false" {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::feature_off;

    #[test]
    fn hooks_that_are_switched_off_are_seen_under_every_spelling() {
        assert!(feature_off("[features]\nhooks = false # not yet\n"));
        assert!(feature_off("features.codex_hooks = false\n"));
        assert!(!feature_off("[features]\nhooks = true\n[other]\nhooks = false\n"));
        assert!(!feature_off("hooks = false\n[features]\n# hooks = false\n"));
    }
}
