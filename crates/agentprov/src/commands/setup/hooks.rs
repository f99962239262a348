//! Our hooks among those of a settings text.

use super::agent::{AgentSettings, program_of_line};
use super::json::{Editor, Insertions, Node, SyntaxError, Target};
use std::ffi::OsStr;
use std::path::Path;

/// A hook of ours in a text.
pub(super) struct Found {
    /// What it calls.
    pub(super) program: String,
    target: Target,
}

/// A text with our hooks in it.
pub(super) struct Installed {
    pub(super) text: String,
    /// What was put in.
    pub(super) insertions: Insertions,
}

/// Every hook of ours, in the order of the text.
pub(super) fn find(settings: &AgentSettings, root: &Node) -> Vec<Found> {
    let Some(hooks) = root.get("hooks") else { return Vec::new() };
    let mut found = Vec::new();
    for list in hooks.values() {
        for (index, item) in list.items().iter().enumerate() {
            if let Some(program) = program_of(settings, item) {
                found.push(Found { program, target: Target::of(list, index) });
                continue;
            }
            let Some(handlers) = item.get("hooks") else { continue };
            for (inner, handler) in handlers.items().iter().enumerate() {
                let Some(program) = program_of(settings, handler) else { continue };
                let alone = handlers.items().len() == 1;
                let target = if alone { Target::of(list, index) } else { Target::of(handlers, inner) };
                found.push(Found { program, target });
            }
        }
    }
    found
}

/// The program that a handler calls, where it is one of ours, under whatever path.
fn program_of(settings: &AgentSettings, handler: &Node) -> Option<String> {
    let command = handler.get("command")?.text()?;
    let program = match handler.get("args") {
        Some(arguments) => {
            let arguments: Vec<_> = arguments.items().iter().map(Node::text).collect();
            (arguments == [Some("hook"), Some(settings.agent.name())]).then(|| command.to_owned())
        }
        None => program_of_line(command, settings.agent),
    }?;
    is_ours(Path::new(&program)).then_some(program)
}

/// By name; or it is this very program, which may have been installed under another one.
fn is_ours(program: &Path) -> bool {
    let named = program.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("agentprov"));
    named || std::env::current_exe().is_ok_and(|own| own == program)
}

/// True where every event has its hook, exactly as it would be written now, and nothing of ours is left over.
pub(super) fn complete(settings: &AgentSettings, root: &Node, program: &str) -> bool {
    let there = settings.events.iter().all(|event| {
        let wanted = (settings.item)(event, program).value();
        let list = root.get("hooks").and_then(|hooks| hooks.get(event.name));
        list.is_some_and(|list| list.items().iter().any(|item| item.value() == wanted))
    });
    there && find(settings, root).len() == settings.events.len()
}

/// Puts a hook for every event into a text that has none of ours.
pub(super) fn install(settings: &AgentSettings, text: &str, program: &str) -> Result<Installed, SyntaxError> {
    let mut editor = Editor::new(text)?;
    for (key, value) in settings.needs {
        if editor.root().get(key).is_none() {
            editor.add_member(&[], key, value)?;
        }
    }
    for event in settings.events {
        let path = ["hooks", event.name];
        editor.ensure(&path, true)?;
        editor.add_item(&path, &(settings.item)(event, program).line())?;
    }
    let (text, insertions) = editor.finish();
    Ok(Installed { text, insertions })
}

/// Takes our hooks out, and the lists that held nothing else.
pub(super) fn remove(settings: &AgentSettings, text: &str) -> Result<String, SyntaxError> {
    let mut editor = Editor::new(text)?;
    if find(settings, editor.root()).is_empty() {
        return Ok(text.to_owned());
    }
    // Each turn takes one hook away.
    while let Some(found) = find(settings, editor.root()).pop() {
        editor.remove(found.target)?;
    }
    for event in settings.events {
        remove_empty(&mut editor, &["hooks"], event.name)?;
    }
    remove_empty(&mut editor, &[], "hooks")?;
    Ok(editor.finish().0)
}

fn remove_empty(editor: &mut Editor, path: &[&str], key: &str) -> Result<(), SyntaxError> {
    let Some(container) = editor.find(path) else { return Ok(()) };
    let index = container.keys().position(|name| name == key);
    let empty = container.get(key).is_some_and(Node::is_empty);
    match index.filter(|_| empty) {
        Some(index) => editor.remove(Target::of(container, index)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::agent::AgentSettings;
    use super::super::json::{parse, undo};
    use super::super::target::Agent;
    use super::*;
    use serde_json::Value;

    const PROGRAM: &str = "/opt/agentprov";

    /// Settings drawn from a seed: layouts, comments and trailing commas as people leave them.
    struct Drawn {
        state: u64,
        text: String,
    }

    impl Drawn {
        fn settings(seed: u64, events: &[&str]) -> String {
            let mut drawn = Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, text: String::new() };
            drawn.blank();
            drawn.object(3, events);
            drawn.blank();
            drawn.text
        }

        fn below(&mut self, limit: u64) -> u64 {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            self.state % limit
        }

        fn blank(&mut self) {
            let choices = ["", "", "", " ", "\n  ", "\r\n\t", " // note, }]\n", " /* \"{ */ ", "\n\n"];
            let choice = self.below(choices.len() as u64) as usize;
            self.text.push_str(choices[choice]);
        }

        /// Keys are the given ones first, so that `hooks` and the events come up.
        fn object(&mut self, depth: u64, keys: &[&str]) {
            self.text.push('{');
            let count = self.below(4);
            for number in 0..count {
                self.blank();
                let key = match (number, depth) {
                    (0, 3) => "hooks".to_owned(),
                    (number, _) => {
                        keys.get(number as usize).map_or_else(|| format!("k{number}"), |key| (*key).to_owned())
                    }
                };
                self.text.push_str(&format!("\"{key}\""));
                self.blank();
                self.text.push(':');
                self.blank();
                match (depth, key.as_str()) {
                    (3, "hooks") => self.object(2, keys),
                    (2, _) => self.list(),
                    _ => self.text.push_str("[true, -1.5e3]"),
                }
                self.end_of_element(number, count);
            }
            self.blank();
            self.text.push('}');
        }

        fn list(&mut self) {
            self.text.push('[');
            let count = self.below(3);
            for number in 0..count {
                self.blank();
                self.text.push_str(r#"{"hooks": [{"command": "theirs"}]}"#);
                self.end_of_element(number, count);
            }
            self.blank();
            self.text.push(']');
        }

        fn end_of_element(&mut self, number: u64, count: u64) {
            self.blank();
            if number + 1 < count || self.below(4) == 0 {
                self.text.push(',');
            }
        }
    }

    /// Without containers that hold nothing: a removal without its receipt can't know whether they were there.
    fn without_empty(value: Value) -> Value {
        let empty = |value: &Value| {
            value.as_object().is_some_and(|map| map.is_empty()) || value.as_array().is_some_and(Vec::is_empty)
        };
        match value {
            Value::Object(map) => {
                let kept =
                    map.into_iter().map(|(key, value)| (key, without_empty(value))).filter(|(_, value)| !empty(value));
                Value::Object(kept.collect())
            }
            other => other,
        }
    }

    #[test]
    fn whatever_the_layout_hooks_go_in_whole_and_come_out_whole() {
        for agent in Agent::ALL {
            let settings = AgentSettings::of(agent);
            let events: Vec<&str> = settings.events.iter().take(3).map(|event| event.name).collect();
            for seed in 0..150 {
                let text = Drawn::settings(seed, &events);
                let before = parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}: {text}")).value();
                let installed =
                    install(settings, &text, PROGRAM).unwrap_or_else(|error| panic!("seed {seed}: {error}: {text}"));
                let root = parse(&installed.text).expect("it parses after the change");
                assert!(complete(settings, &root, PROGRAM), "seed {seed}: {}", installed.text);
                assert_eq!(undo(&installed.text, &installed.insertions).as_deref(), Some(text.as_str()), "seed {seed}");
                let removed = remove(settings, &installed.text).expect("it can be taken out");
                let mut after =
                    parse(&removed).unwrap_or_else(|error| panic!("seed {seed}: {error}: {removed}")).value();
                for (key, _) in settings.needs {
                    if let Some(map) = after.as_object_mut().filter(|_| before.get(key).is_none()) {
                        map.remove(*key);
                    }
                }
                assert_eq!(without_empty(after), without_empty(before), "seed {seed}: {text}\n{removed}");
            }
        }
    }
}
