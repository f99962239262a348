//! The processes of a run, put together from the facts about them.

use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::{
    AttemptNo, EventId, EventTime, EventType, Fact, OsBytes, Outcome, ProcessExec, ProcessId, ProcessStarted, What,
};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::HashMap;

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id.
    pub id: ProcessId,
    /// The attempt that saw it first.
    pub attempt: AttemptNo,
    /// How it came.
    pub started: ProcessStarted,
    /// When it came.
    pub started_at: EventTime,
    /// Id of the fact that says so.
    pub started_event: EventId,
    /// The programs that it ran, in order; failed calls are left out.
    pub execs: Vec<Exec>,
    /// Calls to run a program that failed.
    pub failed_execs: Vec<Exec>,
    /// How it ended; None where no end was seen.
    pub outcome: Option<Outcome>,
    /// When it ended or was last seen.
    pub ended_at: Option<EventTime>,
    /// It was alive when the recording ended.
    pub outlived: bool,
    /// It is the command itself.
    pub root: bool,
}

/// A program run by a process.
#[derive(Clone, Debug)]
pub struct Exec {
    /// When.
    pub at: EventTime,
    /// Sequence of the fact.
    pub seq: Seq,
    /// Id of the fact.
    pub event: EventId,
    /// What.
    pub exec: ProcessExec,
}

impl Process {
    /// The program that the process ran at `at`: the last one begun by then, else its first one. The time of a file
    /// version is the kernel's coarse clock, which may lie a tick before the start of the program that wrote it.
    pub fn exec_at(&self, at: EventTime) -> Option<&Exec> {
        self.execs.iter().rev().find(|exec| exec.at <= at).or_else(|| self.execs.first())
    }

    /// Arguments of the program that the process ran at `at`.
    pub fn argv_at(&self, at: EventTime) -> Option<&[OsBytes]> {
        self.exec_at(at).map(|exec| exec.exec.argv.as_slice())
    }

    /// Arguments of the last program that the process ran.
    pub fn argv(&self) -> Option<&[OsBytes]> {
        self.execs.last().map(|exec| exec.exec.argv.as_slice())
    }
}

/// Every process of a run, in order of start.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable {
    list: Vec<Process>,
    places: HashMap<ProcessId, usize>,
}

impl ProcessTable {
    /// Reads the process facts of a run. Cost follows the number of processes, not of facts.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(reader: &Reader, run: &RunRow) -> Result<Self, GraphError> {
        let mut table = Self::default();
        for kind in [EventType::ExecStart, EventType::ProcessObserved] {
            for (_, fact) in facts_of_type(reader, run, kind)? {
                table.start(fact);
            }
        }
        table.list.sort_by_key(|process| process.started_at);
        table.places = table.list.iter().enumerate().map(|(place, process)| (process.id, place)).collect();
        for kind in [
            EventType::Execve,
            EventType::ExecEnd,
            EventType::ExecError,
            EventType::ProcessExit,
            EventType::AbnormalProcessTree,
        ] {
            for (seq, fact) in facts_of_type(reader, run, kind)? {
                table.add(seq, fact);
            }
        }
        Ok(table)
    }

    fn start(&mut self, fact: Fact) {
        let (Some(id), What::ProcessStarted(started)) = (fact.process, fact.what) else { return };
        if self.places.contains_key(&id) {
            return;
        }
        self.places.insert(id, self.list.len());
        self.list.push(Process {
            id,
            attempt: fact.attempt,
            root: started.origin == agentprov_model::ProcessOrigin::Root,
            started,
            started_at: fact.at,
            started_event: fact.id,
            execs: Vec::new(),
            failed_execs: Vec::new(),
            outcome: None,
            ended_at: None,
            outlived: false,
        });
    }

    fn add(&mut self, seq: Seq, fact: Fact) {
        let Some(process) = fact.process.and_then(|id| self.places.get(&id)).map(|&place| &mut self.list[place]) else {
            return;
        };
        match fact.what {
            What::ProcessExec(exec) => {
                let list = if exec.result.succeeded() { &mut process.execs } else { &mut process.failed_execs };
                list.push(Exec { at: fact.at, seq, event: fact.id, exec });
            }
            What::ProcessExited(exited) => {
                process.outcome = exited.outcome;
                process.ended_at = Some(fact.at);
            }
            What::ProcessOutlived => {
                process.outlived = true;
                process.ended_at = process.ended_at.or(Some(fact.at));
            }
            _ => {}
        }
    }

    /// A process by id.
    pub fn find(&self, id: &ProcessId) -> Option<&Process> {
        self.places.get(id).map(|&place| &self.list[place])
    }

    /// Every process, in order of start.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.list.iter()
    }

    /// Processes in the table.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True where no process was seen.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The process and its ancestors inside the run, nearest first.
    pub fn lineage(&self, id: &ProcessId) -> Vec<&Process> {
        let mut chain = Vec::new();
        let mut next = self.find(id);
        while let Some(process) = next {
            chain.push(process);
            // A damaged log could hold a cycle; a chain is never longer than the table.
            if chain.len() > self.list.len() {
                break;
            }
            next = process.started.parent.as_ref().and_then(|parent| self.find(parent));
        }
        chain
    }
}
