//! Tools by name: what they do, and what of their input can be compared with deeds.

use super::fields::Fields;
use super::patch;
use agentprov_model::declared::{
    Agent, EditInput, PatchInput, PatchOp, PatchedFile, ShellInput, ToolClass, ToolInput, WriteInput,
};
use agentprov_model::{ContentId, OsBytes};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Lines of an edit that are hashed.
const MOST_LINES: usize = 64;

/// Names and what such tools do. Names that several agents use for the same thing stand once.
const CLASSES: &[(&str, ToolClass)] = &[
    // Claude Code and Codex.
    ("Bash", ToolClass::Shell),
    ("Write", ToolClass::Edit),
    ("Edit", ToolClass::Edit),
    ("MultiEdit", ToolClass::Edit),
    ("NotebookEdit", ToolClass::Edit),
    ("Read", ToolClass::Read),
    ("NotebookRead", ToolClass::Read),
    ("LS", ToolClass::Search),
    ("Glob", ToolClass::Search),
    ("Grep", ToolClass::Search),
    ("WebFetch", ToolClass::Fetch),
    ("WebSearch", ToolClass::Fetch),
    ("Task", ToolClass::Task),
    ("Agent", ToolClass::Task),
    ("apply_patch", ToolClass::Edit),
    ("exec_command", ToolClass::Shell),
    ("shell", ToolClass::Shell),
    // Gemini CLI.
    ("run_shell_command", ToolClass::Shell),
    ("write_file", ToolClass::Edit),
    ("replace", ToolClass::Edit),
    ("read_file", ToolClass::Read),
    ("read_many_files", ToolClass::Read),
    ("list_directory", ToolClass::Search),
    ("glob", ToolClass::Search),
    ("grep_search", ToolClass::Search),
    ("search_file_content", ToolClass::Search),
    ("web_fetch", ToolClass::Fetch),
    ("google_web_search", ToolClass::Fetch),
    // Cursor.
    ("Shell", ToolClass::Shell),
    ("Delete", ToolClass::Edit),
    ("MCP", ToolClass::Mcp),
    // Copilot.
    ("bash", ToolClass::Shell),
    ("run_in_terminal", ToolClass::Shell),
    ("create", ToolClass::Edit),
    ("edit", ToolClass::Edit),
    ("str_replace_editor", ToolClass::Edit),
    ("create_file", ToolClass::Edit),
    ("replace_string_in_file", ToolClass::Edit),
    ("view", ToolClass::Read),
];

const PATH_FIELDS: &[&str] =
    &["file_path", "filePath", "path", "notebook_path", "absolute_path", "target_file", "dir_path", "directory"];

/// What a tool of this name does.
pub(super) fn class_of(agent: Agent, tool: &str) -> ToolClass {
    if mcp_name(agent, tool).is_some() {
        return ToolClass::Mcp;
    }
    CLASSES.iter().find(|(name, _)| *name == tool).map_or(ToolClass::Other, |(_, class)| *class)
}

/// Server and tool in the name of an MCP tool.
fn mcp_name(agent: Agent, tool: &str) -> Option<(String, String)> {
    let (server, tool) = match agent {
        Agent::Gemini => tool.strip_prefix("mcp_")?.split_once('_')?,
        _ => tool.strip_prefix("mcp__")?.split_once("__")?,
    };
    Some((server.to_owned(), tool.to_owned()))
}

/// What can be compared. Takes contents out of `left`, whatever becomes of them.
pub(super) fn input(
    agent: Agent,
    tool: &str,
    class: ToolClass,
    left: &mut Fields<'_>,
    cwd: Option<&OsBytes>,
) -> ToolInput {
    let found = match class {
        ToolClass::Shell => shell(left),
        ToolClass::Edit => edit(tool, left, cwd),
        ToolClass::Read | ToolClass::Search => Some(ToolInput::Paths(paths(left, cwd))),
        ToolClass::Fetch => left.text("url").map(|url| ToolInput::Address(OsBytes::from(url))),
        ToolClass::Mcp => mcp_name(agent, tool).map(|(server, tool)| ToolInput::Mcp { server, tool }),
        ToolClass::Task => {
            left.digest("prompt");
            None
        }
        ToolClass::Other => None,
    };
    found.unwrap_or(ToolInput::Other)
}

fn shell(left: &mut Fields<'_>) -> Option<ToolInput> {
    let raw = match left.text_of(&["command", "cmd"]) {
        Some(text) => text,
        // A list is a program with its arguments; of a shell the text that it runs.
        None => {
            let words = left.list("command")?;
            words.last().and_then(Value::as_str).map(str::to_owned)?
        }
    };
    let background = left.flag("run_in_background") || left.flag("is_background") || left.flag("isBackground");
    let digest = left.key().command(raw.as_bytes());
    let bytes = raw.len() as u64;
    let command = OsBytes::from(raw);
    Some(ToolInput::Shell(ShellInput { command, bytes, digest, background }))
}

fn edit(tool: &str, left: &mut Fields<'_>, cwd: Option<&OsBytes>) -> Option<ToolInput> {
    if tool == "apply_patch" {
        let text = left.text_of(&["command", "input", "patch"])?;
        let files = patch::files(&text, cwd);
        return Some(ToolInput::Patch(PatchInput { files, patch: left.key().text(text.as_bytes()) }));
    }
    let path = left.path(PATH_FIELDS, cwd)?;
    if tool == "Delete" {
        let files = vec![PatchedFile { path, op: PatchOp::Delete, moved_to: None }];
        return Some(ToolInput::Patch(PatchInput { files, patch: left.key().text(b"") }));
    }
    let content = left.text_of(&["content", "contents", "file_text"]);
    let replaced = replacements(left);
    match (content, replaced) {
        (Some(content), None) => {
            let id = ContentId::from_bytes(Sha256::digest(content.as_bytes()).into());
            let bytes = Some(content.len() as u64);
            Some(ToolInput::Write(WriteInput { path, content: Some(id), bytes }))
        }
        (None, None) if matches!(tool, "Write" | "write_file" | "create" | "create_file") => {
            Some(ToolInput::Write(WriteInput { path, content: None, bytes: None }))
        }
        (_, replaced) => {
            let new_texts = replaced.unwrap_or_default();
            let lines = new_texts.iter().flat_map(|text| text.lines()).take(MOST_LINES);
            let new_lines = lines.map(|line| left.key().line(line.as_bytes())).collect();
            Some(ToolInput::Edit(EditInput { path, replacements: new_texts.len() as u64, new_lines }))
        }
    }
}

/// The texts that come in; None where the input tells of no replacement.
fn replacements(left: &mut Fields<'_>) -> Option<Vec<String>> {
    const NEW: &[&str] = &["new_string", "newString", "new_str", "new_source"];
    let old = left.text_of(&["old_string", "oldString", "old_str"]).is_some();
    let single = left.text_of(NEW);
    let many = left.list("edits").map(|edits| {
        let new = |edit: &Value| NEW.iter().find_map(|name| edit.get(name)?.as_str()).map(str::to_owned);
        edits.iter().filter_map(new).collect::<Vec<String>>()
    });
    match (single, many) {
        (None, None) => old.then(Vec::new),
        (single, many) => Some(single.into_iter().chain(many.unwrap_or_default()).collect()),
    }
}

fn paths(left: &mut Fields<'_>, cwd: Option<&OsBytes>) -> Vec<OsBytes> {
    left.path(PATH_FIELDS, cwd).into_iter().collect()
}
