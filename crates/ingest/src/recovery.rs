//! Finding recordings whose recorder died, and saying so in their logs.

use agentprov_capture::Observation;
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{
    AttemptInterrupted, AttemptStarted, Basis, EventTime, EventType, Fact, ProcessKey, Vantage, What,
};
use agentprov_store::{Durability, Reader, RunRow, Store, StoreError, Writer};

use crate::intake::Intake;
use crate::judge::Unjudged;
use crate::redact::Redactor;

/// Attempts of the run that have no end.
///
/// # Errors
/// What the store says.
pub fn open_attempts(reader: &Reader, run: &RunRow) -> Result<Vec<(Fact, AttemptStarted)>, StoreError> {
    let of_type =
        |kind: EventType| reader.facts_by_key(run.no, IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() });
    let mut closed = Vec::new();
    for kind in [EventType::ToolCallEnd, EventType::Interrupted] {
        closed.extend(of_type(kind)?.into_iter().map(|(_, fact)| fact.attempt));
    }
    let started = of_type(EventType::ToolCallStart)?.into_iter().filter_map(|(_, fact)| match &fact.what {
        What::AttemptStarted(started) if !closed.contains(&fact.attempt) => Some((fact.clone(), started.clone())),
        _ => None,
    });
    Ok(started.collect())
}

/// Marks every attempt whose recorder is dead as interrupted and seals its log; gives how many.
///
/// # Errors
/// What the store says.
pub fn mark_interrupted(
    store: &Store,
    writer: &mut Writer,
    now: EventTime,
    is_alive: &dyn Fn(&ProcessKey) -> bool,
) -> Result<usize, StoreError> {
    let mut dead = Vec::new();
    let reader = store.reader()?;
    for run in reader.runs()?.into_iter().filter(|run| run.removed.is_none()) {
        for (fact, started) in open_attempts(&reader, &run)? {
            if !is_alive(&started.recorder) {
                dead.push((run.clone(), fact, started));
            }
        }
    }
    drop(reader);
    for (run, fact, started) in &dead {
        let what =
            What::AttemptInterrupted(AttemptInterrupted { recorder: started.recorder.clone(), acknowledged: run.size });
        let observation =
            Observation { at: now, vantage: Vantage::Engine, basis: Basis::Derived, process: None, tid: None, what };
        // The id derives from the attempt and a name of its own, so that two who notice say it once.
        let name = agentprov_model::AttemptId::new(format!("{}/interrupted", started.attempt_id));
        let name = name.unwrap_or_else(|_| started.attempt_id.clone());
        let mut intake = Intake::new(fact.attempt, name, Redactor::new(), Box::new(Unjudged));
        let mut prepared = Vec::new();
        intake.take(observation, now, &mut prepared);
        writer.transaction(Durability::Power, |batch| {
            for fact in &prepared {
                batch.append(run.no, fact)?;
            }
            batch.seal(run.no, &run.id, fact.attempt)
        })?;
    }
    Ok(dead.len())
}
