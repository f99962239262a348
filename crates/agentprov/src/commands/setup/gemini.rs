//! Gemini CLI: `settings.json`, handlers in groups, shell form, times in milliseconds.

use super::agent::{AgentSettings, Event, Homes, Scope, shell_line};
use super::json::{Json, Node};
use super::target::Agent;
use std::path::{Path, PathBuf};

const EVENTS: &[Event] = &[
    Event::plain("SessionStart"),
    Event::plain("SessionEnd"),
    Event::plain("BeforeAgent"),
    Event::plain("AfterAgent"),
    Event::plain("BeforeModel"),
    Event::plain("AfterModel"),
    Event::plain("BeforeToolSelection"),
    Event::matched("BeforeTool"),
    Event::matched("AfterTool"),
    Event::plain("Notification"),
    Event::plain("PreCompress"),
];

pub(super) const SETTINGS: AgentSettings = AgentSettings {
    agent: Agent::Gemini,
    title: "Gemini CLI",
    user_file,
    project_file: ".gemini/settings.json",
    events: EVENTS,
    needs: &[],
    item,
    advice,
    switched_off,
};

fn user_file(homes: &Homes) -> Option<PathBuf> {
    homes.home.as_ref().map(|home| home.join(".gemini/settings.json"))
}

fn item(event: &Event, program: &str) -> Json {
    event.group(Json::Object(vec![
        ("type", Json::text("command")),
        ("name", Json::text("agentprov")),
        ("command", Json::text(shell_line(program, Agent::Gemini))),
        ("timeout", Json::Number(event.seconds * 1000)),
    ]))
}

fn advice(scope: Scope) -> Vec<&'static str> {
    let mut advice = vec!["settings are read at the start: restart Gemini CLI"];
    if scope == Scope::Project {
        advice.push("Gemini CLI asks before it runs new or changed hooks of a project, and only in a trusted folder");
    }
    advice
}

fn switched_off(settings: &Node, _file: &Path) -> Vec<String> {
    let off = |table: &str, key: &str| {
        settings.get(table).and_then(|table| table.get(key)).is_some_and(|value| value.is(false))
    };
    let mut said = Vec::new();
    for (table, key) in [("hooksConfig", "enabled"), ("tools", "enableHooks")] {
        if off(table, key) {
            said.push(format!("\"{table}.{key}\" is false in this file: no hook runs until it is taken out"));
        }
    }
    said
}
