//! Agent Trace records 0.1.0 (agent-trace.dev): one for each commit and author. The revision is the commit that holds the
//! lines, and every range carries the hash of its content.

use super::{CommitLines, OwnedRange, SESSION_URN};
use crate::attribution::Author;
use agentprov_model::EventTime;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const VERSION: &str = "0.1.0";
const SECOND: i64 = 1_000_000_000;
/// The format's own limit.
const MAX_MODEL: usize = 250;

/// The records, one JSON document a line.
pub fn agent_trace(commits: &[CommitLines]) -> String {
    let mut text = String::new();
    for commit in commits {
        for author in authors(commit) {
            text.push_str(&record(commit, author).to_string());
            text.push('\n');
        }
    }
    text
}

fn authors(commit: &CommitLines) -> Vec<&Author> {
    let mut found: Vec<&Author> = Vec::new();
    for range in commit.files.iter().flat_map(|(_, ranges)| ranges) {
        if !found.contains(&&range.claim.author) {
            found.push(&range.claim.author);
        }
    }
    found
}

fn record(commit: &CommitLines, author: &Author) -> Value {
    let mut files = Vec::new();
    for (path, ranges) in &commit.files {
        let own = ranges.iter().filter(|range| range.claim.author == *author);
        // One conversation for each session and model.
        let mut conversations: BTreeMap<(Option<&str>, Option<&str>), Vec<&OwnedRange>> = BTreeMap::new();
        own.for_each(|range| {
            conversations.entry((range.session(), range.claim.model.as_deref())).or_default().push(range)
        });
        if !conversations.is_empty() {
            let conversations: Vec<Value> = conversations
                .into_iter()
                .map(|((session, model), ranges)| conversation(author, session, model, &ranges))
                .collect();
            files.push(json!({"path": path, "conversations": conversations}));
        }
    }
    let mut record = json!({
        "version": VERSION,
        "timestamp": EventTime::from_nanos(commit.commit.time.as_nanos().div_euclid(SECOND) * SECOND).to_rfc3339(),
        "vcs": {"type": "git", "revision": commit.commit.id},
        "files": files,
    });
    if let (Author::Agent(name), Some(fields)) = (author, record.as_object_mut()) {
        fields.insert("tool".into(), json!({"name": name}));
    }
    // The same commit and author give the same record, whoever writes it out.
    let id = uuid(record.to_string().as_bytes());
    if let Some(fields) = record.as_object_mut() {
        fields.insert("id".into(), id.into());
    }
    record
}

fn conversation(author: &Author, session: Option<&str>, model: Option<&str>, ranges: &[&OwnedRange]) -> Value {
    let mut contributor = Map::new();
    let kind = if matches!(author, Author::Agent(_)) { "ai" } else { "human" };
    contributor.insert("type".into(), kind.into());
    if let Some(model) = model {
        contributor.insert("model_id".into(), model.chars().take(MAX_MODEL).collect::<String>().into());
    }
    let rows: Vec<Value> = ranges
        .iter()
        .map(|range| {
            let hash = HEXLOWER.encode(&Sha256::digest(&range.text));
            json!({"start_line": range.first, "end_line": range.last, "content_hash": format!("sha256:{hash}")})
        })
        .collect();
    let mut conversation = json!({"contributor": contributor, "ranges": rows});
    if let (Some(session), Some(fields)) = (session, conversation.as_object_mut()) {
        let url = if session.contains(':') { session.to_owned() } else { format!("{SESSION_URN}{session}") };
        fields.insert("url".into(), url.into());
    }
    conversation
}

/// A UUID of version 8 (RFC 9562, section 5.8) from the content.
fn uuid(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = HEXLOWER.encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_uuids_of_version_8() {
        let id = super::uuid(b"x");
        assert_eq!((id.len(), &id[14..15]), (36, "8"));
        assert!(["8", "9", "a", "b"].contains(&&id[19..20]), "{id}");
        assert_eq!(id, super::uuid(b"x"));
    }
}
