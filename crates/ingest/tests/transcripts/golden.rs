//! `*.in.jsonl` beside `*.out.json`.
//!
//! Whatever is private in an input holds the word PRIVATE: no output may. With `UPDATE_GOLDEN` set the outputs are written
//! anew, to be read before they are committed.

use agentprov_ingest::Redactor;
use agentprov_ingest::transcripts::{Transcript, TranscriptError, read};
use agentprov_model::What;
use agentprov_model::declared::{Agent, CommandKey, Deed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/transcripts").join(name)
}

fn transcript(bytes: &[u8]) -> Result<Transcript, TranscriptError> {
    read(&mut &bytes[..], &CommandKey::from_bytes([7; 32]))
}

fn shown(transcript: &Transcript) -> Value {
    let told = transcript.told.iter().map(|told| {
        let mut what = What::Declared(Box::new(told.declared.clone()));
        let receipts = Redactor::new().redact(&mut what);
        let What::Declared(declared) = what else { panic!("it stays what it was") };
        json!({"line": told.line, "at": told.at.to_rfc3339(), "declared": declared, "redacted": receipts})
    });
    json!({
        "agent": transcript.agent, "session": transcript.session, "lines": transcript.lines, "torn": transcript.torn,
        "told": told.collect::<Vec<_>>(),
    })
}

fn check(agent: Agent) {
    let input = std::fs::read(file(&format!("{agent}.in.jsonl"))).expect("the input is readable");
    let text = format!("{:#}\n", shown(&transcript(&input).expect("it is a transcript")));
    assert!(!text.contains("PRIVATE"), "what is private is kept: {text}");
    let output = file(&format!("{agent}.out.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&output, &text).expect("the output is writable");
    }
    assert_eq!(text, std::fs::read_to_string(&output).unwrap_or_default(), "{agent}");
}

#[test]
fn a_session_of_claude_code() {
    check(Agent::Claude);
}

#[test]
fn a_session_of_codex() {
    check(Agent::Codex);
}

#[test]
fn a_file_cut_anywhere_tells_a_part_of_the_same() {
    let input = std::fs::read(file("claude.in.jsonl")).expect("the input is readable");
    let whole = transcript(&input).expect("it is a transcript").told;
    for cut in (0..input.len()).step_by(97) {
        match transcript(&input[..cut]) {
            Ok(part) => assert!(whole.starts_with(&part.told), "cut at {cut}"),
            Err(error) => assert!(matches!(error, TranscriptError::Unknown), "cut at {cut}: {error}"),
        }
    }
}

#[test]
fn what_is_no_session_file_is_refused() {
    for bytes in [&b""[..], b"hello\n", b"{\"a\": 1}\n[]\n", b"\xff\xfe\x00", b"{\"type\": \"x\", \"payload\": 3}\n"] {
        assert!(matches!(transcript(bytes), Err(TranscriptError::Unknown)), "{bytes:?}");
    }
    let odd =
        b"{\"type\":\"user\",\"sessionId\":3,\"message\":{\"content\":[{\"type\":\"tool_use\"},7]}}\nnull\n\"x\"\n{\n";
    let read = transcript(odd).expect("one line looks like one");
    assert!(matches!(read.told.as_slice(), [told] if matches!(told.declared.deed, Deed::Unreadable { .. })));
}
