//! Records into the logs: each to the run that knows its call or session.

use super::understand::{Told, understand};
use super::{Record, Signal};
use crate::hooks::own_run;
use crate::redact::Redactor;
use agentprov_model::declared::{CallId, CommandKey, Declared, IdOrigin};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{AttemptNo, Basis, EventId, EventTime, Fact, RunId, SessionId, Vantage, What};
use agentprov_store::{Durability, Prepared, Reader, RunNo, RunRow, Store, StoreError, command_key};
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
    let places = Places::new(&reader)?;
    let mut found = BTreeMap::new();
    let mut done = Appended::default();
    let mut facts: BTreeMap<RunId, Vec<Prepared>> = BTreeMap::new();
    let redactor = Redactor::new();
    for record in records {
        let told = understand(record, &key);
        done.aside += u64::from(told.is_empty());
        for mut told in told {
            let id = id(record, &told, &key);
            // Where it went before counts, whatever became known since.
            if places.hold(&id)? {
                done.known += 1;
                continue;
            }
            let run = places.place(&mut told.declared, &mut found)?;
            facts.entry(run).or_default().push(Prepared::new(&fact(id, told, now, &redactor)));
        }
    }
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

/// A call or session that other vantages may know.
type Sought = (Option<SessionId>, Option<CallId>);

/// Where records belong.
struct Places<'r> {
    reader: &'r Reader,
    /// Newest first.
    runs: Vec<RunRow>,
}

impl<'r> Places<'r> {
    fn new(reader: &'r Reader) -> Result<Self, StoreError> {
        let runs = reader.runs()?.into_iter().filter(|run| run.removed.is_none()).collect();
        Ok(Self { reader, runs })
    }

    /// True where a run has the fact already.
    fn hold(&self, id: &EventId) -> Result<bool, StoreError> {
        for run in &self.runs {
            if self.reader.event(run.no, id)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The run whose other vantages know the call, else the newest that knows the session, else one of its own. A record
    /// that names no session takes that of the call, else its trace stands for one.
    fn place(
        &self,
        declared: &mut Declared,
        found: &mut BTreeMap<Sought, Option<(RunId, SessionId)>>,
    ) -> Result<RunId, StoreError> {
        let call = declared.call().filter(|call| call.origin == IdOrigin::Agent).cloned();
        let sought = (declared.session.clone(), call);
        let known = match found.get(&sought) {
            Some(known) => known.clone(),
            None => {
                let known = self.known(&sought)?;
                found.insert(sought, known.clone());
                known
            }
        };
        if let Some((run, session)) = known {
            declared.session = Some(session);
            return Ok(run);
        }
        if declared.session.is_none() {
            let trace = declared.trace.as_ref();
            declared.session = trace.and_then(|trace| SessionId::new(format!("trace-{}", trace.trace_id())).ok());
        }
        Ok(own_run(declared))
    }

    fn known(&self, (session, call): &Sought) -> Result<Option<(RunId, SessionId)>, StoreError> {
        let by_call = call.as_ref().map(|call| (KeyKind::DeclaredCall, call.id.as_str()));
        let by_session = session.as_ref().map(|session| (KeyKind::DeclaredSession, session.as_str()));
        for (kind, value) in by_call.into_iter().chain(by_session) {
            let key = IndexKey { kind, value: value.as_bytes() };
            for run in &self.runs {
                if let Some(found) = self.speaker(run.no, key, session.as_ref())? {
                    return Ok(Some((run.id.clone(), found)));
                }
            }
        }
        Ok(None)
    }

    /// The session of which a run tells under this key. What was exported or imported earlier is no sign.
    fn speaker(
        &self,
        run: RunNo,
        key: IndexKey<'_>,
        session: Option<&SessionId>,
    ) -> Result<Option<SessionId>, StoreError> {
        for (_, fact) in self.reader.facts_by_key(run, key)? {
            let What::Declared(declared) = fact.what else { continue };
            if matches!(fact.vantage, Vantage::Otlp | Vantage::Transcript) {
                continue;
            }
            if let Some(told) = declared.session.filter(|told| session.is_none_or(|session| session == told)) {
                return Ok(Some(told));
            }
        }
        Ok(None)
    }
}
