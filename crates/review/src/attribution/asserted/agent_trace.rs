//! Records of the Agent Trace format, read leniently: writers differ in what they put where.

use crate::attribution::agents::agent_name;
use crate::attribution::asserted::SaidRange;
use crate::attribution::claim::{Author, Claim, Method};
use crate::attribution::records::SESSION_URN;
use crate::lines::LineNumber;
use serde::Deserialize;

/// Bytes of a file of records.
const MAX_BYTES: usize = 64 << 20;
/// Ranges in all records.
const MAX_RANGES: usize = 1_000_000;

/// A record: which lines of a commit somebody wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentTrace {
    /// Name of the record.
    pub id: String,
    /// The commit that its lines are counted in; some writers name its parent.
    pub revision: String,
    pub(super) ranges: Vec<SaidRange>,
}

/// A file of records that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It is no JSON of that form.
    #[error("record {record}: {error}")]
    Form {
        /// Counted from 1.
        record: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// More than is taken in.
    #[error("the records have too many {0}")]
    TooLarge(&'static str),
}

#[derive(Deserialize)]
struct Record {
    id: String,
    vcs: Option<Vcs>,
    tool: Option<Tool>,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct Vcs {
    revision: String,
}

#[derive(Deserialize)]
struct Tool {
    name: Option<String>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    #[serde(default)]
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct Conversation {
    url: Option<String>,
    contributor: Option<Contributor>,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    start_line: usize,
    end_line: usize,
    contributor: Option<Contributor>,
}

#[derive(Deserialize)]
struct Contributor {
    #[serde(rename = "type")]
    kind: String,
    model_id: Option<String>,
}

impl AgentTrace {
    /// Records from a text: one, several one after another, or a list.
    ///
    /// # Errors
    /// [`TraceError`] with the record that is wrong.
    pub fn parse(text: &[u8]) -> Result<Vec<Self>, TraceError> {
        if text.len() > MAX_BYTES {
            return Err(TraceError::TooLarge("bytes"));
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            Many(Vec<Record>),
            One(Box<Record>),
        }
        let mut traces = Vec::new();
        let mut ranges = 0;
        for (index, value) in serde_json::Deserializer::from_slice(text).into_iter::<OneOrMany>().enumerate() {
            let value = value.map_err(|error| TraceError::Form { record: index + 1, error })?;
            let records = match value {
                OneOrMany::Many(records) => records,
                OneOrMany::One(record) => vec![*record],
            };
            for trace in records.into_iter().filter_map(Self::from_record) {
                ranges += trace.ranges.len();
                traces.push(trace);
            }
            if ranges > MAX_RANGES {
                return Err(TraceError::TooLarge("ranges"));
            }
        }
        Ok(traces)
    }

    /// A record without a revision says nothing about any commit.
    fn from_record(record: Record) -> Option<Self> {
        let revision = record.vcs?.revision;
        let tool = record.tool.and_then(|tool| tool.name);
        let said_in = format!("agent trace {}", record.id);
        let mut ranges = Vec::new();
        for file in record.files {
            for conversation in file.conversations {
                for range in conversation.ranges {
                    let contributor = range.contributor.as_ref().or(conversation.contributor.as_ref());
                    let Some(claim) = contributor.and_then(|who| claim(who, tool.as_deref(), &said_in)) else {
                        continue;
                    };
                    let url = conversation.url.as_deref();
                    let session = url.map(|url| url.strip_prefix(SESSION_URN).unwrap_or(url).to_owned());
                    let claim = Claim { session, ..claim };
                    let (first, last) = (LineNumber::new(range.start_line), LineNumber::new(range.end_line));
                    if let (Some(first), Some(last)) = (first, last) {
                        ranges.push(SaidRange { path: file.path.clone(), first, last, claim });
                    }
                }
            }
        }
        Some(Self { id: record.id, revision, ranges })
    }

    /// Whether the record speaks of a commit: it names it, or its parent as some writers do.
    pub(crate) fn speaks_of(&self, commit: &str, parents: &[String]) -> bool {
        const SHORTEST: usize = 7;
        let revision = self.revision.as_str();
        revision.len() >= SHORTEST
            && (commit.starts_with(revision) || parents.iter().any(|parent| parent.starts_with(revision)))
    }

    /// What is said of a line.
    pub(crate) fn claims<'a>(&'a self, path: &'a str, line: LineNumber) -> impl Iterator<Item = &'a Claim> {
        let inside = move |range: &&SaidRange| range.path == path && range.first <= line && line <= range.last;
        self.ranges.iter().filter(inside).map(|range| &range.claim)
    }
}

fn claim(contributor: &Contributor, tool: Option<&str>, said_in: &str) -> Option<Claim> {
    let author = match contributor.kind.as_str() {
        "ai" | "mixed" => {
            let name = tool.or(contributor.model_id.as_deref()).unwrap_or("(unnamed agent)");
            Author::Agent(agent_name(name))
        }
        "human" => Author::Human("(unnamed)".into()),
        _ => return None,
    };
    Some(Claim { model: contributor.model_id.clone(), ..Claim::said(Method::AgentTrace, author, said_in) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_carry_their_own_contributor() {
        let text = br#"{"version":"1.0","id":"r1","timestamp":"2026-01-23T14:30:00Z","vcs":{"type":"git","revision":"abcdef0123"},
          "tool":{"name":"cursor"},"files":[{"path":"a.ts","conversations":[{"url":"https://x/c","contributor":{"type":"ai","model_id":"m"},
          "ranges":[{"start_line":2,"end_line":3},{"start_line":4,"end_line":4,"contributor":{"type":"human"}},
          {"start_line":9,"end_line":9,"contributor":{"type":"unknown"}}]}]}]}
          {"id":"r2","files":[]}"#;
        let traces = AgentTrace::parse(text).unwrap();
        assert_eq!(traces.len(), 1);
        let who = |line| {
            let claims = traces[0].claims("a.ts", LineNumber::new(line).unwrap());
            claims.map(|claim| claim.author.clone()).collect::<Vec<_>>()
        };
        assert_eq!(who(3), [Author::Agent("cursor".into())]);
        assert_eq!(who(4), [Author::Human("(unnamed)".into())]);
        assert_eq!(who(9), []);
        assert!(traces[0].speaks_of("abcdef0123456", &[]) && traces[0].speaks_of("ff", &["abcdef0123456".into()]));
        assert!(!traces[0].speaks_of("bbcdef0123456", &[]));
        assert!(AgentTrace::parse(b"{\"id\":1}").is_err());
    }
}
