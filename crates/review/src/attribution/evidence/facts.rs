//! The facts of one log, after their proofs were checked.

use crate::attribution::agents::agent_of_program;
use crate::attribution::claim::{Author, Claim, Deed, Method, Writer};
use agentprov_graph::timeline::command_line;
use agentprov_graph::versions::Version;
use agentprov_model::{AttemptNo, AttemptStarted, EventTime, Fact, OsBytes, ProcessExec, ProcessId, What};
use std::collections::BTreeMap;

/// Facts of one run.
#[derive(Clone, Debug)]
pub(super) struct LogFacts {
    pub(super) run_id: String,
    /// Its head is signed by a key that the reviewer trusts.
    pub(super) trusted: bool,
    versions: BTreeMap<u64, Version>,
    attempts: BTreeMap<AttemptNo, AttemptStarted>,
    execs: Vec<(ProcessId, EventTime, ProcessExec)>,
}

impl LogFacts {
    pub(super) fn new(run_id: String, trusted: bool) -> Self {
        Self { run_id, trusted, versions: BTreeMap::new(), attempts: BTreeMap::new(), execs: Vec::new() }
    }

    /// Facts come in append order.
    pub(super) fn add(&mut self, seq: u64, fact: Fact) {
        match &fact.what {
            What::AttemptStarted(started) => {
                self.attempts.insert(fact.attempt, started.clone());
            }
            What::ProcessExec(exec) if exec.result.succeeded() => {
                self.execs.extend(fact.process.map(|process| (process, fact.at, exec.clone())));
            }
            _ => {
                self.versions.extend(Version::from_fact(seq, fact).map(|version| (seq, version)));
            }
        }
    }

    pub(super) fn version(&self, seq: u64) -> Option<&Version> {
        self.versions.get(&seq)
    }

    /// Arguments of what a process ran at a time: as `Process::exec_at` of the recordings says.
    pub(super) fn argv(&self, process: &ProcessId, at: EventTime) -> Option<&[OsBytes]> {
        let ran = || self.execs.iter().filter(|(id, _, _)| id == process);
        let exec = ran().rev().find(|(_, began, _)| *began <= at).or_else(|| ran().next());
        exec.map(|(_, _, exec)| exec.argv.as_slice())
    }

    /// The same claim that the recordings themselves give.
    pub(super) fn claim(&self, version: &Version, method: Method) -> Claim {
        let writer = |process: &ProcessId| Writer {
            process_id: process.to_string(),
            command: self.argv(process, version.at).map(command_line),
        };
        let mut writers: Vec<Writer> = version.writers.iter().map(writer).collect();
        let only = if writers.len() == 1 { writers.pop() } else { None };
        let (process_id, command) = only.map(|writer| (writer.process_id, writer.command)).unzip();
        let started = self.attempts.get(&version.attempt);
        let deed = Deed {
            run_id: self.run_id.clone(),
            process_id,
            command: command.flatten(),
            one_of: writers,
            attempt_id: started.map(|started| started.attempt_id.to_string()),
            session_id: started.map(|started| started.session_id.to_string()),
            tool_call_id: started.map(|started| started.tool_call_id.to_string()),
            event_id: version.event.to_string(),
            seq: version.seq,
            at: version.at.to_rfc3339(),
            path: version.workspace_path.as_ref().unwrap_or(&version.path).lossy().into_owned(),
        };
        let author = started
            .and_then(|started| started.argv.first())
            .map_or_else(|| Author::Command("(not known)".into()), |program| agent_of_program(&program.lossy()));
        Claim {
            method,
            basis: version.basis.max(method.basis()),
            confidence: method.confidence(),
            author,
            session: None,
            model: None,
            deed: Some(deed),
            said_in: None,
        }
    }
}
