//! `agentprov show`: everything about one thing, whatever its name.

mod activity;
mod content;
mod file;
mod process;
mod run;
mod target;

pub use activity::{Destination, GapRow, PrivilegeRow, ReadGroup};
pub use content::{ShowContent, ShownUse};
pub use file::{ShowFile, ShownVersion, Writer};
pub use process::{ProcessRow, ShowProcess, ShownExec, WrittenFile};
pub use run::{ShowRun, ShownAttempt, ShownOutput};
pub use target::{ContentName, Target, resolve_id};

use crate::error::GraphError;
use crate::scope_context::{Context, Scopes};
use crate::timeline::sentence;
use agentprov_log::leaf_hash;
use agentprov_model::{Fact, ProcessKey, schema};
use agentprov_store::{EventRow, Reader, RunRow};
use serde::Serialize;

/// `agentprovenance.show/v1`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Show {
    /// Name of the document.
    pub schema_version: String,
    /// What is shown: `run`, `attempt`, `process`, `event`, `content` or `file`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// The thing, under a key of its kind.
    #[serde(flatten)]
    pub body: ShowBody,
}

/// What is shown.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShowBody {
    /// A run, with all its attempts.
    Run(Box<ShowRun>),
    /// One attempt, in the form of a run.
    Attempt(Box<ShowRun>),
    /// A process.
    Process(Box<ShowProcess>),
    /// A fact.
    Event(Box<ShowEvent>),
    /// A content.
    Content(Box<ShowContent>),
    /// A file.
    File(Box<ShowFile>),
}

/// A fact.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ShowEvent {
    /// Run.
    pub run_id: String,
    /// Leaf number.
    pub seq: u64,
    /// Contract's event type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Lane.
    pub lane: &'static str,
    /// In one line.
    pub summary: String,
    /// When it happened.
    pub time: String,
    /// When it was appended.
    pub recorded: String,
    /// Where it belongs.
    pub context: Context,
    /// Leaf hash of its stored bytes, hex.
    pub leaf_hash: String,
    /// The fact itself.
    pub fact: Fact,
}

/// Shows a target.
///
/// # Errors
/// What the store says.
pub fn show(reader: &Reader, target: &Target, alive: &dyn Fn(&ProcessKey) -> bool) -> Result<Show, GraphError> {
    let (kind, id, body) = match target {
        Target::Run(row) => {
            ("run", row.id.to_string(), ShowBody::Run(Box::new(run::show_run(reader, row, None, alive)?)))
        }
        Target::Attempt(row, no) => {
            let shown = run::show_run(reader, row, Some(*no), alive)?;
            let id = shown.attempts.first().map(|attempt| attempt.attempt_id.clone()).unwrap_or_default();
            ("attempt", id, ShowBody::Attempt(Box::new(shown)))
        }
        Target::Process(row, process) => {
            let shown = process::show_process(reader, row, *process)?;
            ("process", process.to_string(), ShowBody::Process(Box::new(shown)))
        }
        Target::Event(row, event) => {
            ("event", event.id.to_string(), ShowBody::Event(Box::new(show_event(reader, row, event)?)))
        }
        Target::Content(name, uses) => {
            let shown = content::show_content(reader, *name, uses)?;
            ("content", shown.sha256.clone(), ShowBody::Content(Box::new(shown)))
        }
        Target::File(row, path) => {
            let shown = file::show_file(reader, row, path)?;
            ("file", path.display().lossy().into_owned(), ShowBody::File(Box::new(shown)))
        }
    };
    Ok(Show { schema_version: schema::v1("show"), kind, id, body })
}

fn show_event(reader: &Reader, run: &RunRow, event: &EventRow) -> Result<ShowEvent, GraphError> {
    let seq = event.position.seq;
    let fact = reader.fact(run.no, seq)?;
    let body = reader.body(run.no, seq)?.unwrap_or_default();
    let (context, _) = Scopes::load(reader, run)?.resolve(&fact);
    Ok(ShowEvent {
        run_id: run.id.to_string(),
        seq,
        kind: fact.event_type().name(),
        lane: fact.lane().name(),
        summary: sentence(&fact),
        time: fact.at.to_rfc3339(),
        recorded: fact.recorded.to_rfc3339(),
        context,
        leaf_hash: leaf_hash(&body).to_hex(),
        fact,
    })
}
