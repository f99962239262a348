//! `record/v1`: what `record --json` prints of an attempt, from its facts.

use crate::attempts::{Attempt, AttemptState, facts_of_type};
use crate::coverage::{ClassCoverage, coverage};
use crate::diff::{rollout_id, snapshot_id};
use crate::error::GraphError;
use crate::model_calls;
use crate::processes::{Process, ProcessTable};
use crate::scope_context::Scopes;
use crate::timeline::{command_line, visible};
use crate::versions::{ChangeRow, ChangedFile, changed_files};
use agentprov_model::{AttemptNo, EventType, OsBytes, Outcome, What, schema};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;

/// `record/v1`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecordManifest {
    /// `agentprovenance.record/v1`.
    pub schema_version: String,
    /// Run.
    pub run_id: String,
    /// Group of attempts: ours is the run.
    pub rollout_id: String,
    /// Evidence that stands for the state before.
    pub base_snapshot_id: String,
    /// Attempt.
    pub attempt_id: String,
    /// Ordinal of the attempt in the run.
    pub attempt: AttemptNo,
    /// Session.
    pub session_id: String,
    /// Tool call.
    pub tool_call_id: String,
    /// Root process; absent where none was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// Working directory.
    pub workdir: OsBytes,
    /// Command as a shell line.
    pub command: String,
    /// The same, argument by argument.
    pub argv: Vec<OsBytes>,
    /// `passed`, `failed`, or `running`.
    pub status: &'static str,
    /// The finer state.
    pub state: &'static str,
    /// Status of the command; 125 where it was not started, 128 + signal where one ended it; null without an end.
    pub exit_code: Option<i32>,
    /// What a shell would have reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell_status: Option<i32>,
    /// From start to end of the root; null without an end.
    pub wall_ms: Option<u64>,
    /// Paths of changed files of the workspace.
    pub changed_files: Vec<OsBytes>,
    /// How many.
    pub changed_file_count: u64,
    /// The same with what changed.
    pub changes: Vec<ChangeRow>,
    /// Changed files outside the workspace.
    pub changed_outside: Vec<ChangeRow>,
    /// `zero_sdk`.
    pub context_mode: &'static str,
    /// Pid of the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_pid: Option<u32>,
    /// Descendants of the root.
    pub observed_processes: Vec<ObservedProcess>,
    /// What happened to processes that outlived the root.
    pub orphan_policy: String,
    /// 0: processes were followed, not sampled.
    pub sample_interval_ms: u64,
    /// Grace after the root's end.
    pub post_root_grace_ms: u64,
    /// Working directory.
    pub cwd: OsBytes,
    /// The root and its descendants.
    pub process_tree_count: u64,
    /// Why the command could not be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When.
    pub time_window: TimeWindow,
    /// How facts were tied to the attempt.
    pub scope_inference: ScopeInference,
    /// How it was observed.
    pub mechanism: &'static str,
    /// Coverage class by class.
    pub coverage: Vec<ClassCoverage>,
    /// Things that could not be seen, for people.
    pub gaps: Vec<String>,
    /// Facts of the run when this was made.
    pub facts: u64,
}

/// A descendant as the contract lists it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ObservedProcess {
    /// Pid.
    pub pid: u32,
    /// Parent's pid.
    pub ppid: u32,
    /// Last program that it ran, as a shell line; empty where it ran none of its own.
    pub command: String,
    /// When it came.
    pub first_seen: String,
    /// When it ended, or was last seen; null where that was not seen.
    pub last_seen: Option<String>,
    /// It was alive when the recording ended, or ended after the root.
    pub outlived_root: bool,
    /// Id.
    pub process_id: String,
}

/// Beginning and end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TimeWindow {
    /// When the attempt began.
    pub started_at: String,
    /// When the recording ended; null without an end.
    pub ended_at: Option<String>,
}

/// How facts were tied to the attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScopeInference {
    /// The contract's name of the method.
    pub method: &'static str,
    /// What bounds the scope.
    pub boundary: &'static str,
    /// Descendants.
    pub observed_processes: u64,
    /// Pid of the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_pid: Option<u32>,
    /// Working directory.
    pub cwd: OsBytes,
    /// As above.
    pub orphan_policy: String,
    /// As above.
    pub process_tree_count: u64,
    /// As above.
    pub changed_file_count: u64,
    /// As above.
    pub sample_interval_ms: u64,
    /// As above.
    pub post_root_grace_ms: u64,
}

const METHOD: &str = "zero_sdk_root_process+cwd+time_window+file_diff";
const BOUNDARY: &str = "root_pid_descendants+cwd+time_window+file_diff";
/// The contract's exit code of a command that was not started.
const NOT_STARTED: i32 = 125;

/// The manifest of an attempt.
///
/// # Errors
/// [`GraphError::NotFound`] for an attempt that the run does not have, or what the store says.
pub fn record_manifest(reader: &Reader, run: &RunRow, no: AttemptNo) -> Result<RecordManifest, GraphError> {
    let scopes = Scopes::load(reader, run)?;
    let scope = scopes.of(no).ok_or_else(|| GraphError::not_in(run, "attempt", no.to_string()))?;
    let attempt = &scope.attempt;
    let started = &attempt.started;
    let table = ProcessTable::load(reader, run)?;
    let mine: Vec<&Process> = table.iter().filter(|process| process.attempt == no).collect();
    let root = mine.iter().find(|process| process.root).copied();
    let root_pid = root.map(|root| root.started.pid).or_else(|| scope.root_pid());
    let files = changed_files(reader, run, Some(no))?;
    let (inside, outside) = ChangedFile::split_rows(&files);
    let changed: Vec<OsBytes> = inside.iter().map(|row| row.path.clone()).collect();
    let observed: Vec<ObservedProcess> =
        mine.iter().filter(|process| !process.root).map(|process| observed(process, root)).collect();
    let outcome = attempt.ended().map(|ended| &ended.outcome);
    let (status, state) = scope.status();
    let tree = mine.len() as u64;
    let changed_file_count = changed.len() as u64;
    let inference = ScopeInference {
        method: METHOD,
        boundary: BOUNDARY,
        observed_processes: observed.len() as u64,
        root_pid,
        cwd: started.workdir.clone(),
        orphan_policy: started.orphan_policy.clone(),
        process_tree_count: tree,
        changed_file_count,
        sample_interval_ms: 0,
        post_root_grace_ms: started.grace_ms,
    };
    Ok(RecordManifest {
        schema_version: schema::v1("record"),
        run_id: run.id.to_string(),
        rollout_id: rollout_id(run),
        base_snapshot_id: snapshot_id(attempt),
        attempt_id: started.attempt_id.to_string(),
        attempt: no,
        session_id: started.session_id.to_string(),
        tool_call_id: started.tool_call_id.to_string(),
        process_id: root.map(|root| root.id).or_else(|| scope.root()).map(|id| id.to_string()),
        workdir: started.workdir.clone(),
        command: command_line(&started.argv),
        argv: started.argv.clone(),
        status,
        state,
        exit_code: outcome.map(|outcome| match outcome {
            Outcome::NotStarted { .. } => NOT_STARTED,
            Outcome::Exited(_) | Outcome::Signaled { .. } => outcome.shell_status(),
        }),
        shell_status: outcome.map(Outcome::shell_status),
        wall_ms: attempt.ended().map(|ended| ended.wall_ns / 1_000_000),
        changed_files: changed,
        changed_file_count,
        changes: inside,
        changed_outside: outside,
        context_mode: "zero_sdk",
        root_pid,
        observed_processes: observed,
        orphan_policy: started.orphan_policy.clone(),
        sample_interval_ms: 0,
        post_root_grace_ms: started.grace_ms,
        cwd: started.workdir.clone(),
        process_tree_count: tree,
        failure_reason: failure_reason(attempt),
        time_window: TimeWindow {
            started_at: attempt.started_at.to_rfc3339(),
            ended_at: attempt.ended_at().map(|at| at.to_rfc3339()),
        },
        scope_inference: inference,
        mechanism: started.mechanism.name(),
        coverage: coverage(std::slice::from_ref(attempt)),
        gaps: gaps(reader, run, no)?,
        facts: run.size,
    })
}

fn observed(process: &Process, root: Option<&Process>) -> ObservedProcess {
    let after = |root: &Process| root.ended_at.zip(process.ended_at).is_some_and(|(root, own)| own > root);
    ObservedProcess {
        pid: process.started.pid,
        ppid: process.started.ppid,
        command: process.argv().map(command_line).unwrap_or_default(),
        first_seen: process.started_at.to_rfc3339(),
        last_seen: process.ended_at.map(|at| at.to_rfc3339()),
        outlived_root: process.outlived || root.is_some_and(after),
        process_id: process.id.to_string(),
    }
}

fn failure_reason(attempt: &Attempt) -> Option<String> {
    match &attempt.state {
        AttemptState::Ended { ended, .. } => match &ended.outcome {
            Outcome::NotStarted { reason, .. } => Some(visible(reason)),
            Outcome::Exited(_) | Outcome::Signaled { .. } => None,
        },
        AttemptState::Interrupted { .. } => Some("the recorder died before the command had ended".into()),
        AttemptState::Open => None,
    }
}

fn gaps(reader: &Reader, run: &RunRow, no: AttemptNo) -> Result<Vec<String>, GraphError> {
    let facts = facts_of_type(reader, run, EventType::CoverageGap)?;
    let told = facts.into_iter().filter(|(_, fact)| fact.attempt == no).filter_map(|(_, fact)| match fact.what {
        What::Gap(gap) => Some(format!("{}: {}", gap.kind.name(), gap.detail)),
        _ => None,
    });
    Ok(told.chain(model_calls::silence(reader, run, Some(no))?).collect())
}
