//! A session file into the logs: each call to the run that knows it.

use super::{Told, Transcript, TranscriptError, read};
use crate::hooks::own_run;
use crate::redact::Redactor;
use agentprov_model::declared::{Agent, Declared, Deed};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{AttemptNo, Basis, EventId, EventTime, Fact, RunId, SessionId, Vantage, What};
use agentprov_store::{Appended, Durability, Prepared, Reader, RunRow, Store, StoreError, command_key};
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

/// Facts in one transaction.
const BATCH: usize = 1_024;

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It can't be read as a transcript.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Whose file.
    pub agent: Agent,
    /// The session.
    pub session: Option<SessionId>,
    /// Runs that hold its calls now.
    pub runs: BTreeSet<RunId>,
    /// Calls whose beginning it tells.
    pub calls: u64,
    /// Facts that are new.
    pub added: u64,
    /// Facts that were there from an earlier import.
    pub known: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that can't be read.
    pub unreadable: u64,
    /// The last line is not whole.
    pub torn: bool,
}

/// Reads a file and appends what it tells of calls. The same file twice changes nothing.
///
/// # Errors
/// [`ImportError`]; then nothing, or whole batches, were appended, and the same import goes on from there.
pub fn import(store: &Store, input: &mut dyn BufRead, now: EventTime) -> Result<Imported, ImportError> {
    let transcript = read(input, &command_key(store.dir())?)?;
    let places = places(&store.reader()?, &transcript)?;
    let mut done = begin(&transcript);
    let mut writer = store.writer()?;
    let mut ordinals = BTreeMap::new();
    let told: Vec<(RunId, Prepared)> = transcript
        .told
        .into_iter()
        .zip(places)
        .map(|(told, run)| (run, Prepared::new(&fact(told, now, &mut ordinals))))
        .collect();
    for batch_of in told.chunks(BATCH) {
        let (added, known) = writer.transaction(Durability::Process, |batch| {
            let (mut added, mut known) = (0, 0);
            let mut changed = BTreeSet::new();
            for (id, fact) in batch_of {
                let run = batch.open_run(id)?;
                match batch.append(run, fact)? {
                    Appended::New(_) => {
                        added += 1;
                        changed.insert(id);
                    }
                    Appended::Known(_) => known += 1,
                }
            }
            for id in changed {
                let run = batch.open_run(id)?;
                batch.seal(run, id, AttemptNo(0))?;
            }
            Ok((added, known))
        })?;
        done.added += added;
        done.known += known;
        done.runs.extend(batch_of.iter().map(|(id, _)| id.clone()));
    }
    Ok(done)
}

fn begin(transcript: &Transcript) -> Imported {
    let count =
        |which: fn(&Deed) -> bool| transcript.told.iter().filter(|told| which(&told.declared.deed)).count() as u64;
    Imported {
        agent: transcript.agent,
        session: transcript.session.clone(),
        runs: BTreeSet::new(),
        calls: count(|deed| matches!(deed, Deed::CallStarted(_))),
        added: 0,
        known: 0,
        lines: transcript.lines,
        unreadable: count(|deed| matches!(deed, Deed::Unreadable { .. })),
        torn: transcript.torn,
    }
}

/// The run of each thing told: the one whose hooks know the call, else the newest that knows the session, else its own.
fn places(reader: &Reader, transcript: &Transcript) -> Result<Vec<RunId>, StoreError> {
    let runs: Vec<RunRow> = reader.runs()?.into_iter().filter(|run| run.removed.is_none()).collect();
    // Runs of the session by what hooks told, newest first. What an earlier import told is no sign.
    let mut of_session = Vec::new();
    for run in &runs {
        let mut calls = BTreeSet::new();
        let mut speaks = false;
        if let Some(session) = &transcript.session {
            let key = IndexKey { kind: KeyKind::DeclaredSession, value: session.as_str().as_bytes() };
            for (_, fact) in reader.facts_by_key(run.no, key)? {
                let What::Declared(declared) = &fact.what else { continue };
                if fact.vantage != Vantage::Transcript && declared.session.as_ref() == Some(session) {
                    speaks = true;
                    calls.extend(declared.call().map(|call| call.id.clone()));
                }
            }
        }
        if speaks {
            of_session.push((&run.id, calls));
        }
    }
    let place = |declared: &Declared| {
        let knows = declared.call().and_then(|call| of_session.iter().find(|(_, calls)| calls.contains(&call.id)));
        match knows.or(of_session.first()) {
            Some((run, _)) => (*run).clone(),
            None => own_run(declared),
        }
    };
    Ok(transcript.told.iter().map(|told| place(&told.declared)).collect())
}

/// The same words at the same time are told apart by their ordinal, so that a file that has grown since brings only what
/// is new.
fn fact(told: Told, now: EventTime, ordinals: &mut BTreeMap<(EventTime, String), u64>) -> Fact {
    let Told { at, declared, .. } = told;
    let session = declared.session.as_ref().map_or("", SessionId::as_str).to_owned();
    let call = declared.call().map_or("", |call| call.id.as_str()).to_owned();
    let identity = format!("{}\0{session}\0{call}\0{}", declared.agent, declared.event);
    let ordinal = ordinals.entry((at, identity.clone())).or_insert(0);
    let id = EventId::derive(at, &[b"transcript", identity.as_bytes(), &ordinal.to_be_bytes()]);
    *ordinal += 1;
    let mut what = What::Declared(Box::new(declared));
    let redacted = Redactor::new().redact(&mut what);
    Fact {
        id,
        at,
        recorded: now,
        attempt: AttemptNo(0),
        vantage: Vantage::Transcript,
        basis: Basis::Asserted,
        process: None,
        tid: None,
        redacted,
        what,
    }
}
