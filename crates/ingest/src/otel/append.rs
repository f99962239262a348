//! Records into the logs: each to the run that knows its call or session.

use super::places::Places;
use super::understand::{Told, understand};
use super::{Record, Signal};
use crate::redact::Redactor;
use agentprov_model::declared::CommandKey;
use agentprov_model::{AttemptNo, Basis, EventId, EventTime, Fact, RunId, Vantage, What};
use agentprov_store::{Durability, Prepared, Reader, Store, StoreError, command_key};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a request waits for another writer; the exporter tries again later.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Appended {
    /// Facts that are new.
    pub added: u64,
    /// Facts that were there: the records had come before.
    pub known: u64,
    /// Records that tell nothing of an agent or a model.
    pub aside: u64,
}

/// Appends what records tell, all of it or nothing. The same records again change nothing.
///
/// # Errors
/// What the store says; then nothing was appended.
pub fn append(store: &Store, records: &[Record], now: EventTime) -> Result<Appended, StoreError> {
    let key = command_key(store.dir())?;
    let reader = store.reader()?;
    let (facts, mut done) = sort(&reader, records, &key, now)?;
    if facts.is_empty() {
        return Ok(done);
    }
    let mut writer = store.patient_writer(PATIENCE)?;
    writer.transaction(Durability::Power, |batch| {
        for (id, facts) in &facts {
            let run = batch.open_run(id)?;
            for fact in facts {
                match batch.append(run, fact)? {
                    agentprov_store::Appended::New(_) => done.added += 1,
                    agentprov_store::Appended::Known(_) => done.known += 1,
                }
            }
            batch.seal(run, id, AttemptNo(0))?;
        }
        Ok(())
    })?;
    Ok(done)
}

/// The facts of records by the run to which they go, those left out that a run has already.
fn sort(
    reader: &Reader,
    records: &[Record],
    key: &CommandKey,
    now: EventTime,
) -> Result<(BTreeMap<RunId, Vec<Prepared>>, Appended), StoreError> {
    let mut places = Places::new(reader);
    let mut done = Appended::default();
    let mut facts: BTreeMap<RunId, Vec<Prepared>> = BTreeMap::new();
    let redactor = Redactor::new();
    for record in records {
        let told = understand(record, key);
        done.aside += u64::from(told.is_empty());
        for mut told in told {
            let id = id(record, &told, key);
            // Where it went before counts, whatever became known since.
            if places.hold(&id, &told.declared)? {
                done.known += 1;
                continue;
            }
            let run = places.place(&mut told.declared)?;
            facts.entry(run).or_default().push(Prepared::new(&fact(id, told, now, &redactor)));
        }
    }
    Ok((facts, done))
}

/// A span has an id of its own; a log record is what it says.
fn id(record: &Record, told: &Told, key: &CommandKey) -> EventId {
    let trace = record.trace.as_ref().map_or("", |trace| trace.as_str());
    let identity = match record.signal {
        Signal::Span { .. } => record.name.clone(),
        Signal::Log { .. } => {
            let said = serde_json::to_string(&(&record.name, &record.attributes, &record.resource));
            key.text(said.unwrap_or_default().as_bytes()).keyed.to_string()
        }
    };
    EventId::derive(told.at, &[b"otlp", told.part.as_bytes(), trace.as_bytes(), identity.as_bytes()])
}

fn fact(id: EventId, told: Told, now: EventTime, redactor: &Redactor) -> Fact {
    let mut what = What::Declared(Box::new(told.declared));
    let redacted = redactor.redact(&mut what);
    Fact {
        id,
        at: told.at,
        recorded: now,
        attempt: AttemptNo(0),
        vantage: Vantage::Otlp,
        basis: Basis::Asserted,
        process: None,
        tid: None,
        redacted,
        what,
    }
}

#[cfg(test)]
mod tests;
