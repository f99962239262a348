//! git-ai authorship notes 3.0.0, as a stream for `git fast-import`: so notes come into a repository only when its owner
//! asks for it.

use super::{CommitLines, OwnedRange};
use crate::attribution::Author;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

const NOTES: &str = "refs/notes/ai";
const SCHEMA: &str = "authorship/3.0.0";

/// Notes on these commits as one commit on `refs/notes/ai`, behind what is there where `exists`. Empty where nothing is
/// known.
pub fn git_ai_notes(commits: &[CommitLines], exists: bool) -> String {
    let known: Vec<&CommitLines> = commits.iter().filter(|commit| !commit.files.is_empty()).collect();
    let Some(newest) = known.last() else { return String::new() };
    let seconds = newest.commit.time.as_nanos().div_euclid(1_000_000_000);
    let message = "Notes added by agentprov";
    let mut stream = format!(
        "commit {NOTES}\ncommitter agentprov <agentprov@localhost> {seconds} +0000\ndata {}\n{message}\n",
        message.len()
    );
    if exists {
        let _memory = writeln!(stream, "from {NOTES}^0");
    }
    for commit in known {
        let note = note(commit);
        let _memory = write!(stream, "N inline {}\ndata {}\n{note}\n", commit.commit.id, note.len());
    }
    stream.push_str("\ndone\n");
    stream
}

fn note(commit: &CommitLines) -> String {
    let mut text = String::new();
    let (mut sessions, mut humans) = (Map::new(), Map::new());
    for (path, ranges) in &commit.files {
        // Keys in the order of their first line.
        let mut entries: Vec<(String, Vec<String>)> = Vec::new();
        for range in ranges {
            let key = key(commit, range, &mut sessions, &mut humans);
            let (first, last) = (range.first.get(), range.last.get());
            let item = if first == last { first.to_string() } else { format!("{first}-{last}") };
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, items)) => items.push(item),
                None => entries.push((key, vec![item])),
            }
        }
        let quoted = path.contains([' ', '\t', '\n']);
        let _memory = if quoted { writeln!(text, "\"{path}\"") } else { writeln!(text, "{path}") };
        for (key, items) in entries {
            let _memory = writeln!(text, "  {key} {}", items.join(","));
        }
    }
    let metadata = json!({
        "schema_version": SCHEMA,
        "base_commit_sha": commit.commit.parents.first(),
        "prompts": BTreeMap::<String, Value>::new(),
        "humans": humans,
        "sessions": sessions,
    });
    format!("{text}---\n{metadata}\n")
}

/// The key under which a range stands, which the metadata then explain.
fn key(
    commit: &CommitLines,
    range: &OwnedRange,
    sessions: &mut Map<String, Value>,
    humans: &mut Map<String, Value>,
) -> String {
    match &range.claim.author {
        Author::Human(name) => {
            let key = format!("h_{}", digest(name.as_bytes()));
            humans.insert(key.clone(), json!({"author": name}));
            key
        }
        Author::Agent(tool) | Author::Command(tool) => {
            let session = range.session().unwrap_or("unknown");
            let name = format!("s_{}", digest(format!("{tool}:{session}").as_bytes()));
            let (author, address) = &commit.commit.author;
            let mut agent = json!({"tool": tool, "id": session});
            if let (Some(model), Some(fields)) = (&range.claim.model, agent.as_object_mut()) {
                fields.insert("model".into(), model.as_str().into());
            }
            let entry = json!({"agent_id": agent, "human_author": format!("{author} <{address}>")});
            sessions.insert(name.clone(), entry);
            // One checkpoint for each commit: the same commit gives the same note.
            format!("{name}::t_{}", digest(format!("{}:{name}", commit.commit.id).as_bytes()))
        }
    }
}

/// The first 14 hexadecimal digits of the SHA-256.
fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes)[..7])
}
