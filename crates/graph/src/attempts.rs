//! The attempts of a run: sealed segments of its log.

use crate::error::GraphError;
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{AttemptEnded, AttemptNo, AttemptStarted, EventTime, EventType, Fact, What};
use agentprov_store::{Reader, RunRow, Seq};

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Ordinal in the run, from 1.
    pub no: AttemptNo,
    /// How it began.
    pub started: AttemptStarted,
    /// When it began.
    pub started_at: EventTime,
    /// Sequence of the fact that says so.
    pub started_seq: Seq,
    /// Where it stands.
    pub state: AttemptState,
}

/// Where an attempt stands.
#[derive(Clone, Debug)]
pub enum AttemptState {
    /// It ended and was sealed.
    Ended {
        /// How.
        ended: AttemptEnded,
        /// When the recording ended.
        at: EventTime,
        /// Sequence of the fact that says so.
        seq: Seq,
    },
    /// A later writer found its recorder dead and said so at this time.
    Interrupted {
        /// When it was noticed.
        at: EventTime,
    },
    /// It has no end. Whether its recorder is alive is for the caller to look up (see `started.recorder`).
    Open,
}

impl Attempt {
    /// The end, where the attempt has one.
    pub fn ended(&self) -> Option<&AttemptEnded> {
        match &self.state {
            AttemptState::Ended { ended, .. } => Some(ended),
            AttemptState::Interrupted { .. } | AttemptState::Open => None,
        }
    }

    /// When the recording ended, where it did.
    pub fn ended_at(&self) -> Option<EventTime> {
        match &self.state {
            AttemptState::Ended { at, .. } => Some(*at),
            AttemptState::Interrupted { .. } | AttemptState::Open => None,
        }
    }
}

/// The facts of a run of one event type, in append order.
///
/// # Errors
/// What the store says.
pub fn facts_of_type(reader: &Reader, run: &RunRow, kind: EventType) -> Result<Vec<(Seq, Fact)>, GraphError> {
    let key = IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() };
    Ok(reader.facts_by_key(run.no, key)?)
}

/// Every attempt of a run, in order.
///
/// # Errors
/// What the store says.
pub fn attempts(reader: &Reader, run: &RunRow) -> Result<Vec<Attempt>, GraphError> {
    let mut attempts: Vec<Attempt> = facts_of_type(reader, run, EventType::ToolCallStart)?
        .into_iter()
        .filter_map(|(seq, fact)| match fact.what {
            What::AttemptStarted(started) => Some(Attempt {
                no: fact.attempt,
                started,
                started_at: fact.at,
                started_seq: seq,
                state: AttemptState::Open,
            }),
            _ => None,
        })
        .collect();
    let ends = facts_of_type(reader, run, EventType::ToolCallEnd)?;
    let interruptions = facts_of_type(reader, run, EventType::Interrupted)?;
    for (seq, fact) in ends.into_iter().chain(interruptions) {
        let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.no == fact.attempt) else { continue };
        match fact.what {
            What::AttemptEnded(ended) => attempt.state = AttemptState::Ended { ended, at: fact.at, seq },
            What::AttemptInterrupted(_) => attempt.state = AttemptState::Interrupted { at: fact.at },
            _ => {}
        }
    }
    Ok(attempts)
}
