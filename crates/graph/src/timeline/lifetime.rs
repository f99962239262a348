//! The life of one process below a tree size, without a walk over what it did.

use super::members::{intersect, process_key};
use crate::error::GraphError;
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{EventTime, EventType, OsBytes, ProcessId, ProcessStarted, What};
use agentprov_store::{Reader, RunRow, Seq};

/// When a process came and went, and what it ran last.
#[derive(Clone, Debug, Default)]
pub struct Lifetime {
    /// How it came, where that was seen.
    pub started: Option<ProcessStarted>,
    /// When it was first seen.
    pub first_seen: Option<EventTime>,
    /// When it was last seen to begin, run a program, or end.
    pub last_seen: Option<EventTime>,
    /// When it ended, where that was seen.
    pub ended_at: Option<EventTime>,
    /// Arguments of the last program that it ran.
    pub argv: Vec<OsBytes>,
    /// Its end, where that was seen.
    pub outcome: Option<agentprov_model::Outcome>,
    /// It was alive when the recording ended.
    pub outlived: bool,
}

/// Types of the facts that make up a life.
const TYPES: [EventType; 7] = [
    EventType::ExecStart,
    EventType::ProcessObserved,
    EventType::Execve,
    EventType::ProcessExit,
    EventType::ExecEnd,
    EventType::ExecError,
    EventType::AbnormalProcessTree,
];

/// Facts of a process below which all are read rather than picked by type.
const READ_ALL: usize = 16;

/// Reads lives. The facts of the types are listed once, at first need.
pub(super) struct Lifetimes<'a> {
    reader: &'a Reader,
    run: &'a RunRow,
    size: u64,
    of_types: Option<Vec<Seq>>,
}

impl<'a> Lifetimes<'a> {
    pub(super) fn new(reader: &'a Reader, run: &'a RunRow, size: u64) -> Self {
        Self { reader, run, size, of_types: None }
    }

    /// The life of a process as far as the facts below the size tell it.
    pub(super) fn of(&mut self, process: &ProcessId) -> Result<Lifetime, GraphError> {
        let mut seqs = self.reader.postings(self.run.no, process_key(process))?;
        seqs.truncate(seqs.partition_point(|&seq| seq < self.size));
        if seqs.len() > READ_ALL {
            let lives = self.of_types()?;
            seqs = if seqs.len() < lives.len() { intersect(&seqs, lives) } else { intersect(lives, &seqs) };
        }
        let mut life = Lifetime::default();
        for seq in seqs {
            let fact = self.reader.fact(self.run.no, seq)?;
            if fact.process == Some(*process) {
                life.add(fact.at, fact.what);
            }
        }
        Ok(life)
    }

    fn of_types(&mut self) -> Result<&[Seq], GraphError> {
        if self.of_types.is_none() {
            let mut all = Vec::new();
            for kind in TYPES {
                let key = IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() };
                all.extend(self.reader.postings(self.run.no, key)?);
            }
            all.sort();
            self.of_types = Some(all);
        }
        Ok(self.of_types.as_deref().unwrap_or_default())
    }
}

impl Lifetime {
    fn add(&mut self, at: EventTime, what: What) {
        match what {
            What::ProcessStarted(started) => self.started = self.started.take().or(Some(started)),
            What::ProcessExec(exec) if exec.result.succeeded() => self.argv = exec.argv,
            What::ProcessExited(exited) => {
                self.outcome = exited.outcome;
                self.ended_at = Some(at);
            }
            What::ProcessOutlived => self.outlived = true,
            _ => return,
        }
        self.first_seen = self.first_seen.map_or(Some(at), |seen| Some(seen.min(at)));
        self.last_seen = self.last_seen.max(Some(at));
    }
}
