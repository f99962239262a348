//! What differs between agents, as data.

use super::json::{Json, Node};
use super::target::Agent;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Whose settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    User,
    Project,
}

impl Scope {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
        }
    }
}

/// Where agents look for the settings of a user.
pub(super) struct Homes {
    pub(super) home: Option<PathBuf>,
    variable: fn(&str) -> Option<OsString>,
}

impl Homes {
    pub(super) fn of_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self { home: variable("HOME").map(PathBuf::from), variable }
    }

    /// The folder that a variable names, else the one of that name at home.
    pub(super) fn folder(&self, variable: &str, name: &str) -> Option<PathBuf> {
        match (self.variable)(variable) {
            Some(folder) => Some(PathBuf::from(folder)),
            None => self.home.as_ref().map(|home| home.join(name)),
        }
    }
}

/// An event that an agent has hooks for.
pub(super) struct Event {
    pub(super) name: &'static str,
    /// It speaks of a tool, and hooks say which tools they are for.
    matched: bool,
    pub(super) seconds: u64,
}

impl Event {
    pub(super) const fn plain(name: &'static str) -> Self {
        Self { name, matched: false, seconds: 5 }
    }

    pub(super) const fn matched(name: &'static str) -> Self {
        Self { matched: true, ..Self::plain(name) }
    }

    /// The agent allows no more than so many seconds.
    pub(super) const fn within(self, seconds: u64) -> Self {
        Self { seconds, ..self }
    }

    /// A matcher group with one handler.
    pub(super) fn group(&self, handler: Json) -> Json {
        let hooks = ("hooks", Json::List(vec![handler]));
        Json::Object(if self.matched { vec![("matcher", Json::text("*")), hooks] } else { vec![hooks] })
    }
}

/// How an agent is told about hooks.
pub(super) struct AgentSettings {
    pub(super) agent: Agent,
    pub(super) title: &'static str,
    pub(super) user_file: fn(&Homes) -> Option<PathBuf>,
    /// Below the project's folder.
    pub(super) project_file: &'static str,
    pub(super) events: &'static [Event],
    /// Members of the root that must be there, with their text.
    pub(super) needs: &'static [(&'static str, &'static str)],
    /// What stands in an event's list.
    pub(super) item: fn(&Event, &str) -> Json,
    /// What the user has to do before hooks run.
    pub(super) advice: fn(Scope) -> Vec<&'static str>,
    /// Settings that keep hooks from running.
    pub(super) switched_off: fn(&Node, &Path) -> Vec<String>,
}

impl AgentSettings {
    pub(super) const fn of(agent: Agent) -> &'static Self {
        match agent {
            Agent::Claude => &super::claude::SETTINGS,
            Agent::Codex => &super::codex::SETTINGS,
            Agent::Gemini => &super::gemini::SETTINGS,
            Agent::Cursor => &super::cursor::SETTINGS,
        }
    }
}

/// The hook command as a line for a shell.
pub(super) fn shell_line(program: &str, agent: Agent) -> String {
    format!("{} hook {}", shell_word(program), agent.name())
}

fn shell_word(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%:,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The program that a line of [`shell_line`] calls.
pub(super) fn program_of_line(line: &str, agent: Agent) -> Option<String> {
    let word = line.trim().strip_suffix(agent.name())?.strip_suffix(" hook ")?.trim_end();
    match word.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => Some(inner.replace(r"'\''", "'")),
        None if word.contains(char::is_whitespace) => None,
        None => Some(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_its_program_back() {
        for program in ["/usr/bin/agentprov", "/home/a b/it's/agentprov", "/opt/x$y/agentprov"] {
            let line = shell_line(program, Agent::Codex);
            assert_eq!(program_of_line(&line, Agent::Codex).as_deref(), Some(program), "{line}");
        }
        assert_eq!(shell_line("/a b/x", Agent::Gemini), "'/a b/x' hook gemini");
        assert_eq!(program_of_line("notify-send done", Agent::Codex), None);
        assert_eq!(program_of_line("env agentprov hook codex", Agent::Codex), None);
        assert_eq!(program_of_line("agentprov hook claude", Agent::Codex), None);
    }
}
