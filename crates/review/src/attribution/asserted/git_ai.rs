//! Authorship notes under `refs/notes/ai`.

use crate::attribution::AttributionError;
use crate::attribution::agents::agent_name;
use crate::attribution::asserted::SaidRange;
use crate::attribution::claim::{Author, Claim, Method};
use crate::change::Repository;
use crate::lines::LineNumber;
use serde::Deserialize;
use std::collections::HashMap;

/// Bytes of one note.
const MAX_NOTE: usize = 16 << 20;

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    sessions: HashMap<String, Session>,
    #[serde(default)]
    prompts: HashMap<String, Session>,
    #[serde(default)]
    humans: HashMap<String, Human>,
}

#[derive(Deserialize)]
struct Session {
    agent_id: AgentId,
}

#[derive(Deserialize)]
struct AgentId {
    tool: String,
    id: Option<String>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Human {
    author: Option<String>,
}

/// What notes say, by commit.
pub(crate) type Notes = HashMap<String, Vec<SaidRange>>;

/// The notes of commits; and a word on each that is not understood.
pub(crate) fn notes(repository: &Repository, commits: &[&str]) -> Result<(Notes, Vec<String>), AttributionError> {
    let mut found = HashMap::new();
    let mut notices = Vec::new();
    // Without the ref there are no notes.
    let Ok(list) = repository.ask(&["notes", "--ref=refs/notes/ai", "list"])? else { return Ok((found, notices)) };
    let list = String::from_utf8_lossy(&list);
    for (note, commit) in list.lines().filter_map(|line| line.split_once(' ')) {
        if !commits.contains(&commit) {
            continue;
        }
        let Some(blob) = crate::change::parse_blob(note) else { continue };
        let Some(bytes) = repository.bytes_of(blob)? else { continue };
        match parse(&bytes, commit) {
            Some(ranges) => {
                found.insert(commit.to_owned(), ranges);
            }
            None => notices.push(format!("the note of commit {commit} under refs/notes/ai is not understood")),
        }
    }
    Ok((found, notices))
}

fn parse(note: &[u8], commit: &str) -> Option<Vec<SaidRange>> {
    let text = std::str::from_utf8(note.get(..note.len().min(MAX_NOTE))?).ok()?;
    let (attestations, metadata) =
        text.strip_prefix("---\n").map(|rest| ("", rest)).or_else(|| text.split_once("\n---\n"))?;
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    let said_in = format!("git-ai note of commit {}", commit.get(..12).unwrap_or(commit));
    let mut path: Option<String> = None;
    let mut ranges = Vec::new();
    for line in attestations.lines() {
        let Some(entry) = line.strip_prefix("  ") else {
            path = Some(line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(line).to_owned());
            continue;
        };
        let (key, list) = entry.rsplit_once(' ')?;
        let Some(claim) = claim(key, &metadata, &said_in) else { continue };
        for item in list.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let number = |text: &str| text.parse().ok().and_then(LineNumber::new);
            let path = path.clone()?;
            ranges.push(SaidRange { path, first: number(first)?, last: number(last)?, claim: claim.clone() });
        }
    }
    Some(ranges)
}

/// Who a key stands for. A key that the metadata do not explain says nothing.
fn claim(key: &str, metadata: &Metadata, said_in: &str) -> Option<Claim> {
    if let Some(human) = metadata.humans.get(key) {
        let name = human.author.clone().unwrap_or_else(|| "(unnamed)".into());
        return Some(Claim::said(Method::GitAiNote, Author::Human(name), said_in));
    }
    let session = key.split_once("::").map_or(key, |(session, _)| session);
    let session = metadata.sessions.get(session).or_else(|| metadata.prompts.get(session))?;
    let agent = &session.agent_id;
    let claim = Claim::said(Method::GitAiNote, Author::Agent(agent_name(&agent.tool)), said_in);
    Some(Claim { session: agent.id.clone(), model: agent.model.clone(), ..claim })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = r#"src/main.rs
  s_c9883b05a2487d::t_9f8e7d6c5b4a32 1-10,15
  h_31dce776f88375 42-50
"src/my file.rs"
  s_unknown 1
---
{"schema_version":"authorship/3.0.0","base_commit_sha":"x","prompts":{},
 "humans":{"h_31dce776f88375":{"author":"Dev <dev@example.com>"}},
 "sessions":{"s_c9883b05a2487d":{"agent_id":{"tool":"cursor","id":"c1","model":"m"},"human_author":"dev"}}}"#;

    #[test]
    fn a_note_names_sessions_and_people() {
        let ranges = parse(NOTE.as_bytes(), &"a".repeat(40)).unwrap();
        let rows: Vec<_> =
            ranges.iter().map(|range| (range.first.get(), range.last.get(), range.claim.author.name())).collect();
        assert_eq!(rows, [(1, 10, "cursor"), (15, 15, "cursor"), (42, 50, "Dev <dev@example.com>")]);
        assert_eq!(ranges[0].claim.session.as_deref(), Some("c1"));
        assert_eq!(parse(b"no separator", "a"), None);
        assert_eq!(parse(&NOTE.as_bytes()[..100], "a"), None);
    }
}
