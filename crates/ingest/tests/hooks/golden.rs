//! `*.in.json` beside `*.out.json`, one pair a message.
//!
//! Whatever is private in an input holds the word PRIVATE: no output may. With `UPDATE_GOLDEN` set the outputs are written
//! anew, to be read before they are committed.

use agentprov_ingest::Redactor;
use agentprov_ingest::hooks::declare;
use agentprov_model::What;
use agentprov_model::declared::{Agent, CommandKey, Declared, Deed, IdOrigin};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn key() -> CommandKey {
    CommandKey::from_bytes([7; 32])
}

fn redacted(agent: Agent, message: &[u8]) -> (Declared, Value) {
    let mut what = What::Declared(Box::new(declare(agent, message, &key())));
    let receipts = Redactor::new().redact(&mut what);
    let What::Declared(declared) = what else { panic!("it stays what it was") };
    (*declared, json!(receipts))
}

fn inputs(agent: Agent, least: usize) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hooks").join(agent.name());
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".in.json"))
        .collect();
    inputs.sort();
    assert!(inputs.len() >= least, "{agent} has {} messages, {least} are due", inputs.len());
    inputs
}

fn check(agent: Agent, least: usize) {
    for path in inputs(agent, least) {
        let message = std::fs::read(&path).expect("the input is readable");
        let (declared, receipts) = redacted(agent, &message);
        let found = json!({"redacted": receipts, "declared": declared});
        let back: Declared = serde_json::from_value(found["declared"].clone()).expect("it reads back");
        assert_eq!(back, declared, "{}", path.display());
        let text = format!("{}\n", serde_json::to_string_pretty(&found).expect("it serialises"));
        assert!(!text.contains("PRIVATE"), "{} keeps what is private: {text}", path.display());
        let expected_path = PathBuf::from(path.to_string_lossy().replace(".in.json", ".out.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected_path, &text).expect("the output is writable");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        assert_eq!(text, expected, "{}", path.display());
    }
}

#[test]
fn claude_messages() {
    check(Agent::Claude, 36);
}

#[test]
fn codex_messages() {
    check(Agent::Codex, 13);
}

#[test]
fn gemini_messages() {
    check(Agent::Gemini, 10);
}

#[test]
fn cursor_messages() {
    check(Agent::Cursor, 11);
}

#[test]
fn copilot_messages() {
    check(Agent::Copilot, 7);
}

/// Where no id is sent, beginning and end of a call still agree on one, and another input makes another one.
#[test]
fn a_synthetic_id_joins_both_ends() {
    let message = |event: &str, command: &str| {
        let input = json!({"session_id": "s", "hook_event_name": event, "tool_name": "run_shell_command",
            "tool_input": {"command": command}, "tool_response": {"llmContent": "x"}});
        declare(Agent::Gemini, input.to_string().as_bytes(), &key())
    };
    let (start, end, other) = (message("BeforeTool", "ls"), message("AfterTool", "ls"), message("BeforeTool", "pwd"));
    let id = start.call().expect("a call");
    assert_eq!(id.origin, IdOrigin::Synthetic);
    assert_eq!(Some(id), end.call());
    assert_ne!(Some(id), other.call());
}

/// A message cut at any byte is declared, never refused, and gives nothing away.
#[test]
fn torn_messages_are_declared_unreadable() {
    for path in inputs(Agent::Claude, 1) {
        let whole = std::fs::read(&path).expect("the input is readable");
        let end = whole.len().saturating_sub(2);
        for cut in (1..end).step_by(17) {
            let declared = declare(Agent::Claude, &whole[..cut], &key());
            assert!(matches!(declared.deed, Deed::Unreadable { .. }), "{} at {cut}", path.display());
            assert!(!serde_json::to_string(&declared).expect("it serialises").contains("PRIVATE"));
        }
    }
}
