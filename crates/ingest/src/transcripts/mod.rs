//! Session files that agents write themselves: Claude Code and Codex, one JSON object a line.
//!
//! A call is read as the hook of its agent would have told it, so that the two can be compared: the same id, tool, hashed
//! command and contents.

mod claude;
mod codex;
mod import;
mod kind;

pub use import::{ImportError, Imported, import};

use agentprov_model::declared::{Agent, CommandKey, Declared, Deed};
use agentprov_model::{EventTime, SessionId};
use serde_json::Value;
use std::io::{self, BufRead, Read as _};

/// Longest line that is read.
const MAX_LINE: u64 = 64 << 20;

/// What a session file tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transcript {
    /// Whose file.
    pub agent: Agent,
    /// The session, where the file names one.
    pub session: Option<SessionId>,
    /// Beginnings and ends of calls, in the order of the file, and lines that can't be read.
    pub told: Vec<Told>,
    /// Lines.
    pub lines: u64,
    /// The last line is not whole: the session goes on, or was cut.
    pub torn: bool,
}

/// One thing that a line tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The line, from 1.
    pub line: u64,
    /// When, as the line says; else as the line before it.
    pub at: EventTime,
    /// What.
    pub declared: Declared,
}

/// Why a file is no transcript.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No line looks like one of a known agent.
    #[error("this is no session file of Claude Code or Codex: no line has the fields of one")]
    Unknown,
    /// A line has no end.
    #[error("line {0} is longer than 64 MiB")]
    LongLine(u64),
}

/// Reads a whole file.
///
/// # Errors
/// [`TranscriptError`].
pub fn read(input: &mut dyn BufRead, key: &CommandKey) -> Result<Transcript, TranscriptError> {
    let mut kind = None;
    let mut unknown = Vec::new();
    let mut transcript = Transcript { agent: Agent::Claude, session: None, told: Vec::new(), lines: 0, torn: false };
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut *input).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        transcript.lines += 1;
        let ended = line.ends_with(b"\n");
        if !ended && length as u64 == MAX_LINE {
            return Err(TranscriptError::LongLine(transcript.lines));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value>(&line) {
            Ok(value) => {
                if kind.is_none() {
                    kind = kind::of(&value);
                }
                if let Some(kind) = &mut kind {
                    kind.take(&value, transcript.lines, key, &mut transcript.told);
                }
            }
            Err(_) if !ended => transcript.torn = true,
            Err(error) => unknown.push((transcript.lines, transcript.told.len(), error.column(), key.text(&line))),
        }
    }
    let kind = kind.ok_or(TranscriptError::Unknown)?;
    transcript.agent = kind.agent();
    transcript.session = kind.session();
    for (line, place, column, message) in unknown.into_iter().rev() {
        let why = format!("line {line} is no JSON from column {column}");
        let deed = Deed::Unreadable { why, message };
        let at = transcript.told[..place].last().map_or(EventTime::from_nanos(0), |told| told.at);
        let declared = blank(transcript.agent, transcript.session.clone(), "line", deed);
        transcript.told.insert(place, Told { line, at, declared });
    }
    Ok(transcript)
}

/// A saying without anything but its deed.
fn blank(agent: Agent, session: Option<SessionId>, event: &str, deed: Deed) -> Declared {
    Declared {
        agent,
        session,
        turn: None,
        subagent: None,
        event: event.to_owned(),
        cwd: None,
        model: None,
        deed,
        other: Default::default(),
        anchor: None,
        trace: None,
    }
}

/// What a file's lines have told so far that later ones lean on.
enum Kind {
    Claude(claude::Claude),
    Codex(codex::Codex),
}

impl Kind {
    fn agent(&self) -> Agent {
        match self {
            Self::Claude(_) => Agent::Claude,
            Self::Codex(_) => Agent::Codex,
        }
    }

    fn session(&self) -> Option<SessionId> {
        let text = match self {
            Self::Claude(claude) => claude.session(),
            Self::Codex(codex) => codex.session(),
        };
        text.and_then(|text| SessionId::new(text).ok())
    }

    fn take(&mut self, line: &Value, number: u64, key: &CommandKey, told: &mut Vec<Told>) {
        match self {
            Self::Claude(claude) => claude.take(line, number, key, told),
            Self::Codex(codex) => codex.take(line, number, key, told),
        }
    }
}

/// A text member.
fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

/// When a line was written.
fn time(line: &Value) -> Option<EventTime> {
    crate::receivers::instant::parse_rfc3339(text(line, "timestamp")?)
}
