//! The same call told from several vantages: who tells of it, and where they contradict each other.

use super::early::{self, Homes};
use crate::error::GraphError;
use agentprov_model::declared::{CallEnded, CallId, CallStarted, CallStatus, Deed, IdOrigin, ToolInput};
use agentprov_model::{EventId, RunId, SessionId, Vantage, What};
use agentprov_store::{Reader, RunRow};
use std::collections::{BTreeMap, BTreeSet};

/// A call and who tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallWitnesses {
    /// The session.
    pub session: Option<SessionId>,
    /// The call.
    pub call: CallId,
    /// Who tells of it.
    pub vantages: BTreeSet<Vantage>,
    /// The other run in which it is at home: hooks tell of it there, and its telemetry came too early to go there.
    pub home: Option<RunId>,
    /// Where they differ.
    pub contradictions: Vec<Contradiction>,
}

/// Two witnesses say different things of one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// What of.
    pub about: Aspect,
    /// What each says first, with the fact that holds it.
    pub said: Vec<(Vantage, String, EventId)>,
}

/// What witnesses can differ in. Results are not compared: each vantage has another form of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Aspect {
    /// The tool.
    Tool,
    /// The command, path or content.
    Input,
    /// Whether it succeeded.
    Status,
    /// The exit status.
    ExitStatus,
}

impl Aspect {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Input => "input",
            Self::Status => "status",
            Self::ExitStatus => "exit_status",
        }
    }
}

/// What the vantages say of one aspect of a call.
type Sayings = BTreeMap<Vantage, Saying>;

struct Saying {
    /// Equal where the vantages agree.
    compared: String,
    shown: String,
    event: EventId,
}

#[derive(Default)]
struct Heard {
    vantages: BTreeSet<Vantage>,
    home: Option<RunId>,
    aspects: BTreeMap<Aspect, Sayings>,
}

/// Every call of a run whose agent gave it an id, in the order of sessions and ids.
///
/// # Errors
/// What the store says.
pub fn call_witnesses(reader: &Reader, run: &RunRow) -> Result<Vec<CallWitnesses>, GraphError> {
    let mut heard: BTreeMap<(Option<SessionId>, CallId), Heard> = BTreeMap::new();
    let mut homes = Homes::new(reader);
    for (seq, fact) in early::heard(reader, run)? {
        let What::Declared(declared) = &fact.what else { continue };
        let Some(call) = declared.call().filter(|call| call.origin == IdOrigin::Agent) else { continue };
        let entry = heard.entry((declared.session.clone(), call.clone())).or_default();
        entry.vantages.insert(fact.vantage);
        if seq.is_some() && fact.vantage == Vantage::Otlp && entry.home.is_none() {
            entry.home = homes.away_from(run.no, declared)?.map(|(home, _)| home);
        }
        let mut hear = |aspect, compared: String, shown: String| {
            let saying = Saying { compared, shown, event: fact.id };
            entry.aspects.entry(aspect).or_default().entry(fact.vantage).or_insert(saying);
        };
        match &declared.deed {
            Deed::CallStarted(start) => begun(start, &mut hear),
            Deed::CallEnded(end) => ended(end, &mut hear),
            _ => {}
        }
    }
    let witnesses = heard.into_iter().map(|((session, call), heard)| CallWitnesses {
        session,
        call,
        vantages: heard.vantages,
        home: heard.home,
        contradictions: heard.aspects.into_iter().filter_map(contradiction).collect(),
    });
    Ok(witnesses.collect())
}

fn begun(start: &CallStarted, hear: &mut impl FnMut(Aspect, String, String)) {
    hear(Aspect::Tool, start.tool.clone(), start.tool.clone());
    if let Some((compared, shown)) = input(&start.input) {
        hear(Aspect::Input, compared, shown);
    }
}

fn ended(end: &CallEnded, hear: &mut impl FnMut(Aspect, String, String)) {
    // Some vantages call a broken-off or refused call failed: what they agree on is that it did not succeed.
    let succeeded = end.status == CallStatus::Completed;
    hear(Aspect::Status, succeeded.to_string(), end.status.name().to_owned());
    if let Some(status) = end.exit_status {
        hear(Aspect::ExitStatus, status.to_string(), status.to_string());
    }
}

/// What of an input every vantage tells alike, and how it is shown.
fn input(input: &ToolInput) -> Option<(String, String)> {
    Some(match input {
        ToolInput::Shell(shell) => (shell.digest.to_string(), shell.command.lossy().into_owned()),
        ToolInput::Write(write) => {
            let content = write.content.map(|id| id.to_hex()).unwrap_or_default();
            let path = write.path.lossy();
            (format!("{path}\0{content}"), format!("{path} {content}").trim_end().to_owned())
        }
        ToolInput::Edit(edit) => {
            let lines = serde_json::to_string(&edit.new_lines).unwrap_or_default();
            (format!("{}\0{lines}", edit.path.lossy()), edit.path.lossy().into_owned())
        }
        ToolInput::Patch(patch) => {
            let paths: Vec<_> = patch.files.iter().map(|file| file.path.lossy()).collect();
            (patch.patch.keyed.to_string(), paths.join(" "))
        }
        ToolInput::Paths(paths) => {
            let paths: Vec<_> = paths.iter().map(|path| path.lossy()).collect();
            (paths.join("\0"), paths.join(" "))
        }
        ToolInput::Address(address) => (address.lossy().into_owned(), address.lossy().into_owned()),
        ToolInput::Mcp { server, tool } => (format!("{server}\0{tool}"), format!("{server}/{tool}")),
        ToolInput::Other => return None,
    })
}

fn contradiction((about, sayings): (Aspect, Sayings)) -> Option<Contradiction> {
    let mut compared = sayings.values().map(|saying| &saying.compared);
    let first = compared.next()?;
    if compared.all(|other| other == first) {
        return None;
    }
    let said = sayings.into_iter().map(|(vantage, saying)| (vantage, saying.shown, saying.event));
    Some(Contradiction { about, said: said.collect() })
}
