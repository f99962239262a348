//! Our hooks among those of a settings text.

use super::agent::{AgentSettings, program_of_line};
use super::json::{Editor, Insertions, Node, SyntaxError, Target};
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

/// The program that a handler calls, where it is one of ours: under whatever path, but by our name.
fn program_of(settings: &AgentSettings, handler: &Node) -> Option<String> {
    let command = handler.get("command")?.text()?;
    let program = match handler.get("args") {
        Some(arguments) => {
            let arguments: Vec<_> = arguments.items().iter().map(Node::text).collect();
            (arguments == [Some("hook"), Some(settings.agent.name())]).then(|| command.to_owned())
        }
        None => program_of_line(command, settings.agent),
    }?;
    let name = Path::new(&program).file_name()?.to_str()?;
    name.starts_with("agentprov").then_some(program)
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
