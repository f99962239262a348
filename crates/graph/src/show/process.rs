//! A process: what it ran, what it did, how it ended.

use crate::error::GraphError;
use crate::processes::{Exec, Process, ProcessTable};
use crate::scope_context::{Context, Scopes, context_of};
use crate::show::activity::{Destination, Network, PrivilegeRow, privilege_row, result_word};
use crate::timeline::{command_line, outcome};
use crate::versions::{all_versions, cause_name};
use agentprov_model::{AttemptNo, IndexKey, KeyKind, OsBytes, ProcessId, ProcessOrigin, What};
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// A row of the process tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ProcessRow {
    /// Process.
    pub process_id: String,
    /// Pid.
    pub pid: u32,
    /// Parent inside the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Steps below the root.
    pub depth: u64,
    /// Attempt.
    pub attempt: AttemptNo,
    /// Last program as a shell line; absent where it ran none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The same, argument by argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<OsBytes>>,
    /// Programs that it ran.
    pub programs: u64,
    /// Programs that could not be run.
    pub failed_programs: u64,
    /// How it ended, for people; absent where its end was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Status as a shell would report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// From its start to its end, where both were seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<i64>,
    /// It was alive when the recording ended.
    pub outlived: bool,
}

impl ProcessRow {
    fn new(process: &Process, depth: u64) -> Self {
        Self {
            process_id: process.id.to_string(),
            pid: process.started.pid,
            parent_id: process.started.parent.map(|parent| parent.to_string()),
            depth,
            attempt: process.attempt,
            command: process.argv().map(command_line),
            argv: process.argv().map(<[OsBytes]>::to_vec),
            programs: process.execs.len() as u64,
            failed_programs: process.failed_execs.len() as u64,
            ended: process.outcome.as_ref().map(outcome),
            status: process.outcome.as_ref().map(agentprov_model::Outcome::shell_status),
            duration_ns: process.outcome.as_ref().and(process.ended_at).map(|end| end.since(process.started_at)),
            outlived: process.outlived,
        }
    }
}

/// Processes of an attempt (of all, where none is given) as a tree: children stand below their parents, in order of
/// start.
pub(super) fn tree(table: &ProcessTable, attempt: Option<AttemptNo>) -> Vec<ProcessRow> {
    let mine: Vec<&Process> =
        table.iter().filter(|process| attempt.is_none_or(|attempt| process.attempt == attempt)).collect();
    let mut children: BTreeMap<ProcessId, Vec<&Process>> = BTreeMap::new();
    let mut stack: Vec<(&Process, u64)> = Vec::new();
    let ids: HashSet<ProcessId> = mine.iter().map(|process| process.id).collect();
    for process in &mine {
        match process.started.parent.filter(|parent| ids.contains(parent)) {
            Some(parent) => children.entry(parent).or_default().push(process),
            None => stack.push((process, 0)),
        }
    }
    stack.reverse();
    let mut rows = Vec::with_capacity(mine.len());
    while let Some((process, depth)) = stack.pop() {
        rows.push(ProcessRow::new(process, depth));
        // Taken out, so that a circle in a damaged log ends.
        let below = children.remove(&process.id).unwrap_or_default();
        stack.extend(below.into_iter().rev().map(|child| (child, depth + 1)));
    }
    rows
}

/// A program that a process ran, or tried to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownExec {
    /// When.
    pub time: String,
    /// Ordinal among the programs of the process.
    pub generation: u32,
    /// As a shell line.
    pub command: String,
    /// Argument by argument.
    pub argv: Vec<OsBytes>,
    /// Executable that the kernel runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<OsBytes>,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<OsBytes>,
    /// `ok`, the name of an errno, or `unknown`.
    pub result: String,
    /// Fact.
    pub event_id: String,
}

impl ShownExec {
    fn new(exec: &Exec) -> Self {
        Self {
            time: exec.at.to_rfc3339(),
            generation: exec.exec.generation,
            command: command_line(&exec.exec.argv),
            argv: exec.exec.argv.clone(),
            exe: exec.exec.exe.clone(),
            cwd: exec.exec.cwd.clone(),
            result: result_word(exec.exec.result),
            event_id: exec.event.to_string(),
        }
    }
}

/// A version that a process wrote, or may have written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WrittenFile {
    /// Path below the workspace, else absolute.
    pub path: OsBytes,
    /// What made the version.
    pub cause: &'static str,
    /// True where no other process may have written it.
    pub sole_writer: bool,
    /// Fact.
    pub event_id: String,
}

/// A process.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ShowProcess {
    /// Run.
    pub run_id: String,
    /// Where it belongs.
    pub context: Context,
    /// The row of the tree.
    #[serde(flatten)]
    pub row: ProcessRow,
    /// How it came.
    pub origin: ProcessOrigin,
    /// Parent's pid.
    pub ppid: u32,
    /// Start in ticks of 10 ms since boot.
    pub start_ticks: u64,
    /// When it came.
    pub started_at: String,
    /// When it ended or was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Ancestors inside the run, the nearest first.
    pub ancestors: Vec<ProcessRow>,
    /// Children, in order of start.
    pub children: Vec<ProcessRow>,
    /// Programs that it ran or tried to, in order.
    pub execs: Vec<ShownExec>,
    /// Versions that it wrote, or may have written.
    pub written: Vec<WrittenFile>,
    /// Addresses that it named in socket calls.
    pub network: Vec<Destination>,
    /// Its privileged calls.
    pub privilege: Vec<PrivilegeRow>,
    /// Its facts by type.
    pub counts: BTreeMap<&'static str, u64>,
}

pub(super) fn show_process(reader: &Reader, run: &RunRow, id: ProcessId) -> Result<ShowProcess, GraphError> {
    let table = ProcessTable::load(reader, run)?;
    let process = table.find(&id).ok_or_else(|| GraphError::not_in(run, "process", id.to_string()))?;
    let scopes = Scopes::load(reader, run)?;
    let lineage = table.lineage(&id);
    let depth = lineage.len().saturating_sub(1) as u64;
    let mut execs: Vec<&Exec> = process.execs.iter().chain(&process.failed_execs).collect();
    execs.sort_by_key(|exec| exec.seq);
    let mut network = Network::default();
    let mut privilege = Vec::new();
    let mut counts = BTreeMap::new();
    for (_, fact) in reader.facts_by_key(run.no, IndexKey { kind: KeyKind::Process, value: id.as_bytes() })? {
        *counts.entry(fact.event_type().name()).or_insert(0) += 1;
        match &fact.what {
            What::Network(call) => network.add(call, None),
            What::Privilege(call) => privilege.push(privilege_row(&fact, call)),
            _ => {}
        }
    }
    let versions = all_versions(reader, run, None)?;
    let written = versions.into_iter().filter(|version| version.writers.contains(&id)).map(|version| WrittenFile {
        sole_writer: version.writers.len() == 1,
        cause: cause_name(&version.cause),
        event_id: version.event.to_string(),
        path: version.workspace_path.unwrap_or(version.path),
    });
    let children = table.iter().filter(|child| child.started.parent == Some(id));
    Ok(ShowProcess {
        run_id: run.id.to_string(),
        context: context_of(scopes.of(process.attempt), Some(id)),
        row: ProcessRow::new(process, depth),
        origin: process.started.origin,
        ppid: process.started.ppid,
        start_ticks: process.started.start_ticks,
        started_at: process.started_at.to_rfc3339(),
        ended_at: process.ended_at.map(|at| at.to_rfc3339()),
        ancestors: (1..)
            .zip(lineage.iter().skip(1))
            .map(|(up, row)| ProcessRow::new(row, depth.saturating_sub(up)))
            .collect(),
        children: children.map(|child| ProcessRow::new(child, depth + 1)).collect(),
        execs: execs.into_iter().map(ShownExec::new).collect(),
        written: written.collect(),
        network: network.finish(),
        privilege,
        counts,
    })
}
