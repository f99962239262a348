//! A run, or one attempt of it: what ran, what it changed and reached, and what was not seen.

use crate::attempts::{Attempt, attempts, facts_of_type};
use crate::coverage::{ClassCoverage, coverage};
use crate::error::GraphError;
use crate::model_calls;
use crate::processes::ProcessTable;
use crate::reconcile::{Reconciliation, reconcile_loaded};
use crate::runs::{RunOutcome, outcome_of};
use crate::security::Standing;
use crate::show::activity::{Destination, GapRow, Network, PrivilegeRow, ReadGroup, Reads, gap_row, privilege_row};
use crate::show::process::{ProcessRow, tree};
use crate::timeline::command_line;
use crate::tool_calls::ToolCalls;
use crate::versions::{ChangeRow, ChangedFile, changed_files};
use agentprov_model::index::CountGroup;
use agentprov_model::{AttemptNo, ContentId, EventType, Kept, OsBytes, OutputStream, ProcessKey, What};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeMap;

/// A run, or one attempt of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ShowRun {
    /// Run.
    pub run_id: String,
    /// How the (last) attempt ended.
    pub outcome: Option<RunOutcome>,
    /// When the (first) attempt began.
    pub started_at: String,
    /// When the (last) recording ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Facts in the run's log.
    pub facts: u64,
    /// Attempts.
    pub attempts: Vec<ShownAttempt>,
    /// What agents declared, and what came of it; absent where no agent spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<Box<Reconciliation>>,
    /// Processes as a tree.
    pub processes: Vec<ProcessRow>,
    /// Files of the workspace whose end differs from their beginning.
    pub changed_files: Vec<ChangeRow>,
    /// The same outside the workspace.
    pub changed_outside: Vec<ChangeRow>,
    /// Reads outside the workspace, by folder; absent where opens for reading were not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads_outside: Option<Vec<ReadGroup>>,
    /// Addresses that were named in socket calls.
    pub network: Vec<Destination>,
    /// Privileged calls.
    pub privilege: Vec<PrivilegeRow>,
    /// Copies of output streams.
    pub outputs: Vec<ShownOutput>,
    /// Things that could not be seen.
    pub gaps: Vec<GapRow>,
    /// Coverage class by class.
    pub coverage: Vec<ClassCoverage>,
    /// What can't be said of this run, for people.
    pub not_seen: Vec<String>,
    /// Facts by type, of the whole run.
    pub counts: BTreeMap<String, u64>,
    /// What rules found, in one clause. `not judged` is not the same as clean.
    pub risk: String,
}

/// One attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownAttempt {
    /// Ordinal.
    pub attempt: AttemptNo,
    /// Attempt.
    pub attempt_id: String,
    /// Session.
    pub session_id: String,
    /// Tool call.
    pub tool_call_id: String,
    /// Command as a shell line.
    pub command: String,
    /// The same, argument by argument.
    pub argv: Vec<OsBytes>,
    /// Working directory.
    pub workdir: OsBytes,
    /// Workspace.
    pub workspace: OsBytes,
    /// Commit that HEAD named at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_head: Option<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it began.
    pub started_at: String,
    /// When the recording ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// From start to end of the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ns: Option<u64>,
    /// How it was observed, and why so.
    pub mechanism: &'static str,
    /// Why so.
    pub mechanism_reason: String,
    /// Version of agentprov that recorded.
    pub version: String,
}

/// A copy of an output stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownOutput {
    /// Attempt.
    pub attempt: AttemptNo,
    /// Stream.
    pub stream: OutputStream,
    /// Hash of the kept bytes.
    pub sha256: ContentId,
    /// Length of the kept bytes.
    pub kept_bytes: u64,
    /// Bytes that the command printed in all.
    pub total_bytes: u64,
}

pub(super) fn show_run(
    reader: &Reader,
    run: &RunRow,
    only: Option<AttemptNo>,
    alive: &dyn Fn(&ProcessKey) -> bool,
) -> Result<ShowRun, GraphError> {
    let mut attempts = attempts(reader, run)?;
    attempts.retain(|attempt| only.is_none_or(|only| attempt.no == only));
    let table = ProcessTable::load(reader, run)?;
    let files = changed_files(reader, run, only)?;
    let (inside, outside) = ChangedFile::split_rows(&files);
    let activity = Activity::load(reader, run, only, &attempts)?;
    let coverage = coverage(&attempts);
    let reads = attempts.iter().any(|attempt| attempt.started.reads);
    let mut not_seen = not_seen(&coverage, &activity.gaps, &files, reads);
    not_seen.extend(model_calls::silence(reader, run, only)?);
    Ok(ShowRun {
        run_id: run.id.to_string(),
        outcome: attempts.last().map(|last| outcome_of(last, alive)),
        started_at: attempts.first().map_or(run.created, |first| first.started_at).to_rfc3339(),
        ended_at: attempts.last().and_then(Attempt::ended_at).map(|at| at.to_rfc3339()),
        facts: run.size,
        attempts: attempts.iter().map(|attempt| shown_attempt(attempt, alive)).collect(),
        declared: declared(reader, run, &table)?,
        processes: tree(&table, only),
        changed_files: inside,
        changed_outside: outside,
        reads_outside: reads.then_some(activity.reads),
        network: activity.network,
        privilege: activity.privilege,
        outputs: activity.outputs,
        gaps: activity.gaps,
        coverage,
        not_seen,
        counts: reader.tallies(run.no, CountGroup::Type)?,
        risk: Standing::of(reader, run)?.clause(),
    })
}

/// Calls are those of the run: an agent may work through several attempts.
fn declared(reader: &Reader, run: &RunRow, table: &ProcessTable) -> Result<Option<Box<Reconciliation>>, GraphError> {
    let tool_calls = ToolCalls::load(reader, run, table)?;
    if tool_calls.is_empty() {
        return Ok(None);
    }
    Ok(Some(Box::new(reconcile_loaded(reader, run, table, &tool_calls)?)))
}

fn shown_attempt(attempt: &Attempt, alive: &dyn Fn(&ProcessKey) -> bool) -> ShownAttempt {
    let started = &attempt.started;
    ShownAttempt {
        attempt: attempt.no,
        attempt_id: started.attempt_id.to_string(),
        session_id: started.session_id.to_string(),
        tool_call_id: started.tool_call_id.to_string(),
        command: command_line(&started.argv),
        argv: started.argv.clone(),
        workdir: started.workdir.clone(),
        workspace: started.workspace.clone(),
        git_head: started.git_head.clone(),
        outcome: outcome_of(attempt, alive),
        started_at: attempt.started_at.to_rfc3339(),
        ended_at: attempt.ended_at().map(|at| at.to_rfc3339()),
        wall_ns: attempt.ended().map(|ended| ended.wall_ns),
        mechanism: started.mechanism.name(),
        mechanism_reason: started.mechanism_reason.clone(),
        version: started.version.clone(),
    }
}

/// Sums over the facts of the types that need them; writes, programs and exits are summed elsewhere.
struct Activity {
    reads: Vec<ReadGroup>,
    network: Vec<Destination>,
    privilege: Vec<PrivilegeRow>,
    outputs: Vec<ShownOutput>,
    gaps: Vec<GapRow>,
}

const TYPES: [EventType; 12] = [
    EventType::FileOpen,
    EventType::NetworkConnect,
    EventType::MetadataIp,
    EventType::PrivateCidr,
    EventType::NetworkBind,
    EventType::IpcConnect,
    EventType::Setuid,
    EventType::Setgid,
    EventType::Ptrace,
    EventType::Privilege,
    EventType::CoverageGap,
    EventType::Output,
];

impl Activity {
    fn load(reader: &Reader, run: &RunRow, only: Option<AttemptNo>, attempts: &[Attempt]) -> Result<Self, GraphError> {
        let workspaces: Vec<OsBytes> = attempts.iter().map(|attempt| attempt.started.workspace.clone()).collect();
        let (mut reads, mut network) = (Reads::default(), Network::default());
        let (mut privilege, mut outputs, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
        for kind in TYPES {
            for (_, fact) in facts_of_type(reader, run, kind)? {
                if only.is_some_and(|only| fact.attempt != only) {
                    continue;
                }
                match &fact.what {
                    What::FileOpened(open) => reads.add(open.clone(), &workspaces),
                    What::Network(call) => network.add(call, fact.process.map(|process| process.to_string())),
                    What::Privilege(call) => privilege.push(privilege_row(&fact, call)),
                    What::Gap(gap) => gaps.push(gap_row(&fact, gap)),
                    What::Output(output) => outputs.push(ShownOutput {
                        attempt: fact.attempt,
                        stream: output.stream,
                        sha256: output.content.sha256,
                        kept_bytes: output.content.size,
                        total_bytes: output.total,
                    }),
                    _ => {}
                }
            }
        }
        privilege.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(Self { reads: reads.finish(), network: network.finish(), privilege, outputs, gaps })
    }
}

/// What absence must not be read into.
fn not_seen(coverage: &[ClassCoverage], gaps: &[GapRow], files: &[ChangedFile], reads: bool) -> Vec<String> {
    let mut lines = Vec::new();
    // Classes that lack the same for the same reason are one line.
    let mut groups: Vec<(&ClassCoverage, Vec<&str>)> = Vec::new();
    for class in coverage.iter().filter(|class| class.level != "complete") {
        match groups.iter_mut().find(|(first, _)| first.level == class.level && first.why == class.why) {
            Some((_, names)) => names.push(class.class),
            None => groups.push((class, vec![class.class])),
        }
    }
    for (first, names) in groups {
        let why = if first.why.is_empty() { String::new() } else { format!(": {}", first.why.join("; ")) };
        lines.push(format!("{} ({}){why}", names.join(", "), first.level));
    }
    if !reads {
        lines.push("opens for reading were not recorded".into());
    }
    let told = |gap: &&GapRow| coverage.iter().any(|class| class.why.contains(&gap.detail));
    for gap in gaps.iter().filter(|gap| !told(gap)) {
        lines.push(format!("{}: {}", gap.kind, gap.detail));
    }
    let unkept = |file: &&ChangedFile| {
        let hash_only = file.next.content().is_some_and(|content| matches!(content.kept, Kept::HashOnly(_)));
        hash_only || matches!(file.next, agentprov_model::FileState::Unread { .. })
    };
    let count = files.iter().filter(unkept).count();
    if count > 0 {
        let files = if count == 1 { "file" } else { "files" };
        lines.push(format!("of {count} changed {files} no content was kept"));
    }
    lines
}
