//! `reconcile/v1`: what agents declared against what was observed, both ways.

mod calls;
mod undeclared;

pub use calls::{CallRow, CallState, ContainerRow, Difference, FileRow, Link, NetworkRow, ProcessLink};
pub use undeclared::{ScaffoldingRow, UndeclaredRow};

use crate::attempts::attempts;
use crate::coverage::coverage;
use crate::error::GraphError;
use crate::processes::ProcessTable;
use crate::tool_calls::{BindingState, Session, ToolCalls, call_witnesses};
use agentprov_model::declared::takes_hooks;
use agentprov_model::{ClaimClass, IndexKey, KeyKind, ProcessId, What, schema};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use undeclared::Sides;

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Reconciliation {
    /// `agentprovenance.reconcile/v1`.
    pub schema_version: String,
    /// Run.
    pub run_id: String,
    /// The answer in a word.
    pub verdict: Verdict,
    /// Whether it may be said that something did not happen.
    pub absence: Absence,
    /// Sessions.
    pub sessions: Vec<SessionRow>,
    /// Every declared call with its effects.
    pub calls: Vec<CallRow>,
    /// Effects that no call declares.
    pub undeclared: Vec<UndeclaredRow>,
    /// What agents start for themselves, by the rows of the table.
    pub scaffolding: Vec<ScaffoldingRow>,
    /// How many of each.
    pub counts: Counts,
}

/// The answer in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every call has its effect and every effect its call.
    Agrees,
    /// They differ.
    Differs,
    /// What is known does not suffice.
    Undecided,
    /// No kernel vantage saw anything: there is nothing to compare with.
    DeclaredOnly,
    /// No agent said anything of itself.
    NothingDeclared,
}

/// Whether it may be said that something did not happen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Absence {
    /// That a call had no effect may be said.
    pub effects_claimable: bool,
    /// That nobody declared an effect may be said.
    pub declarations_claimable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

/// One session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SessionRow {
    /// Which agent.
    pub agent: &'static str,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// First message.
    pub first_at: String,
    /// Last message.
    pub last_at: String,
    /// Messages.
    pub messages: u64,
    /// Messages that could not be read.
    pub unreadable: u64,
    /// Prompts.
    pub prompts: u64,
    /// Calls.
    pub calls: u64,
    /// It said that it ended.
    pub ended: bool,
    /// The processes that were the agent.
    pub agent_processes: Vec<String>,
    /// The agent worked on after the last message of its hooks: facts that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silent_while: Vec<String>,
}

/// How many of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Calls.
    pub calls: u64,
    /// With their effect.
    pub matched: u64,
    /// Of which an effect is due and none was seen.
    pub unmatched: u64,
    /// With effects that several calls may have had.
    pub ambiguous: u64,
    /// That did other than they say.
    pub differing: u64,
    /// That never ended.
    pub never_ended: u64,
    /// Effects that no call declares.
    pub undeclared: u64,
    /// Messages of hooks that were lost.
    pub hooks_lost: u64,
}

/// What a caller may want to fail on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailOn {
    /// Effects that no call declares.
    Undeclared,
    /// Calls without their effect.
    Unmatched,
    /// No hook spoke, or they fell silent while the agent worked.
    HooksMissing,
}

/// The answer to a [`FailOn`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ruling {
    /// There is none.
    Pass,
    /// It can't be decided.
    Undecided,
    /// There is one.
    Fail,
}

/// Compares what a run's agents declared with what was observed.
///
/// # Errors
/// What the store says.
pub fn reconcile(reader: &Reader, run: &RunRow) -> Result<Reconciliation, GraphError> {
    let processes = ProcessTable::load(reader, run)?;
    let tool_calls = ToolCalls::load(reader, run, &processes)?;
    reconcile_loaded(reader, run, &processes, &tool_calls)
}

/// The same where processes and calls are loaded already.
///
/// # Errors
/// What the store says.
pub fn reconcile_loaded(
    reader: &Reader,
    run: &RunRow,
    processes: &ProcessTable,
    tool_calls: &ToolCalls,
) -> Result<Reconciliation, GraphError> {
    let absence = absence(reader, run, processes, tool_calls)?;
    let recorded = !processes.is_empty();
    let sides = Sides::new(processes, tool_calls);
    let undeclared = sides.undeclared();
    let witnesses = call_witnesses(reader, run)?;
    let calls = calls::rows(tool_calls, processes, &undeclared, &witnesses, &absence, recorded);
    let scaffolding = sides.scaffolding();
    let counts = counts(&calls, &undeclared, tool_calls);
    let sessions = tool_calls.sessions.iter().map(|session| session_row(session, &undeclared)).collect();
    Ok(Reconciliation {
        schema_version: schema::v1("reconcile"),
        run_id: run.id.to_string(),
        verdict: if tool_calls.is_empty() {
            Verdict::NothingDeclared
        } else {
            verdict(&counts, &absence, recorded, &calls)
        },
        absence,
        sessions,
        calls,
        undeclared,
        scaffolding,
        counts,
    })
}

impl Reconciliation {
    /// Whether this is what the caller wants to fail on.
    pub fn ruling(&self, on: FailOn) -> Ruling {
        let decided = |claimable: bool, found: bool| match (claimable, found) {
            (_, false) => Ruling::Pass,
            (true, true) => Ruling::Fail,
            (false, true) => Ruling::Undecided,
        };
        match on {
            FailOn::Undeclared => decided(self.absence.declarations_claimable, self.counts.undeclared > 0),
            FailOn::Unmatched if self.calls.iter().any(|call| call.state == CallState::Undecided) => Ruling::Undecided,
            FailOn::Unmatched => decided(true, self.counts.unmatched > 0),
            FailOn::HooksMissing => {
                let silent = self.sessions.iter().any(|session| !session.silent_while.is_empty());
                decided(true, self.sessions.is_empty() || silent || self.counts.hooks_lost > 0)
            }
        }
    }
}

fn absence(
    reader: &Reader,
    run: &RunRow,
    processes: &ProcessTable,
    tool_calls: &ToolCalls,
) -> Result<Absence, GraphError> {
    let classes = coverage(&attempts(reader, run)?);
    let due = [ClaimClass::Processes.name(), ClaimClass::FileWrites.name()];
    let mut why = Vec::new();
    for class in classes.iter().filter(|class| due.contains(&class.class) && class.level != "complete") {
        let reasons = if class.why.is_empty() { "not recorded".to_owned() } else { class.why.join("; ") };
        why.push(format!("{} {}: {reasons}", class.class, class.level));
    }
    let effects_claimable = why.is_empty();
    let unreadable: u64 = tool_calls.sessions.iter().map(|session| session.unreadable).sum();
    if tool_calls.hooks_lost > 0 {
        why.push(format!("{} messages of hooks were lost", tool_calls.hooks_lost));
    }
    if unreadable > 0 {
        why.push(format!("{unreadable} messages of hooks could not be read"));
    }
    let meddlers = meddlers(reader, run, processes)?;
    for process in &meddlers {
        why.push(format!("{process}, which is no agentprov, opened the hooks' spool for writing"));
    }
    let declarations_claimable = tool_calls.hooks_lost == 0 && unreadable == 0 && meddlers.is_empty();
    Ok(Absence { effects_claimable, declarations_claimable, why })
}

/// Processes of the run that opened the spool for writing and are no program of ours: messages may be gone or made up.
fn meddlers(reader: &Reader, run: &RunRow, processes: &ProcessTable) -> Result<BTreeSet<ProcessId>, GraphError> {
    let dir = reader.store().dir();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mut found = BTreeSet::new();
    for name in ["hooks.spool", "hooks.lost"] {
        let path = dir.join(name);
        let key = IndexKey { kind: KeyKind::Path, value: path.as_os_str().as_bytes() };
        for (_, fact) in reader.facts_by_key(run.no, key)? {
            let writes = match &fact.what {
                What::FileOpened(open) => open.access.writes() && open.result.succeeded(),
                What::FileChanged(change) => change.result.succeeded(),
                _ => false,
            };
            let ours = |id: &ProcessId| {
                let argv = processes.find(id).and_then(|process| process.argv_at(fact.at));
                let program = argv.and_then(|argv| argv.first()).and_then(|program| program.as_str());
                program.and_then(|program| program.rsplit('/').next()).is_some_and(takes_hooks)
            };
            found.extend(fact.process.filter(|id| writes && !ours(id)));
        }
    }
    Ok(found)
}

fn counts(calls: &[CallRow], undeclared: &[UndeclaredRow], tool_calls: &ToolCalls) -> Counts {
    let of = |state: CallState| calls.iter().filter(|call| call.state == state).count() as u64;
    Counts {
        calls: calls.len() as u64,
        matched: of(CallState::Matched),
        unmatched: of(CallState::Unmatched),
        ambiguous: of(CallState::Ambiguous),
        differing: calls.iter().filter(|call| !call.differences.is_empty()).count() as u64,
        never_ended: calls.iter().filter(|call| call.never_ended).count() as u64,
        undeclared: undeclared.len() as u64,
        hooks_lost: tool_calls.hooks_lost,
    }
}

fn verdict(counts: &Counts, absence: &Absence, recorded: bool, calls: &[CallRow]) -> Verdict {
    if !recorded {
        return Verdict::DeclaredOnly;
    }
    let undeclared = counts.undeclared > 0 && absence.declarations_claimable;
    if counts.unmatched > 0 || counts.differing > 0 || undeclared {
        return Verdict::Differs;
    }
    let open = calls.iter().any(|call| matches!(call.state, CallState::Ambiguous | CallState::Undecided));
    if open || counts.undeclared > 0 || !absence.effects_claimable || !absence.declarations_claimable {
        return Verdict::Undecided;
    }
    Verdict::Agrees
}

fn session_row(session: &Session, undeclared: &[UndeclaredRow]) -> SessionRow {
    let agents: Vec<String> = session.agents.iter().map(ToString::to_string).collect();
    let after = |row: &&UndeclaredRow| {
        row.at > session.last
            && row.state == BindingState::Unattributed
            && row.agent_process.as_ref().is_some_and(|agent| agents.contains(agent))
    };
    SessionRow {
        agent: session.agent.name(),
        session_id: session.session.as_ref().map(ToString::to_string),
        first_at: session.first.to_rfc3339(),
        last_at: session.last.to_rfc3339(),
        messages: session.messages,
        unreadable: session.unreadable,
        prompts: session.prompts,
        calls: session.calls,
        ended: session.ended,
        silent_while: undeclared.iter().filter(after).flat_map(|row| row.evidence.clone()).collect(),
        agent_processes: agents,
    }
}
