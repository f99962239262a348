//! From the spool into the logs: each message to the run that its process belongs to.
//!
//! The run is found by lineage: one of the hook's ancestors, or the hook itself, is a process of a recorded run.
//! Neither environment nor folder decides. A session that nobody recorded becomes a run of its own.

mod lineage;

use super::carry::{Carried, Said};
use super::spool::{Backlog, Spool, SpoolError, Waiting};
use agentprov_model::declared::Declared;
use agentprov_model::{
    AttemptNo, Basis, EventId, EventTime, Fact, Gap, GapKind, ProcessKey, RunId, SessionId, Vantage, What,
};
use agentprov_store::{Durability, Prepared, Store, StoreError, Writer};
use lineage::Lineage;
use std::collections::BTreeMap;
use std::time::Duration;

/// Messages in one transaction.
const BATCH: usize = 512;
/// Batches of one drain: bounds its time.
const MOST_BATCHES: usize = 256;
/// How long a command waits for another writer before it leaves the spool for later.
const PATIENCE: Duration = Duration::from_millis(250);
/// While a recording runs, a message whose process is not known yet waits so long for the facts of that process.
const SETTLING_NS: i64 = 5_000_000_000;

/// Why a drain stopped. What it did not take stays in the spool.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The spool can't be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a drain did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Drained {
    /// Messages that became facts.
    pub taken: u64,
    /// Messages that no fact could be made of.
    pub damaged: u64,
    /// Messages that had been lost, now told by a fact.
    pub lost: u64,
    /// Messages that wait for the facts of their process.
    pub waiting: bool,
}

/// Empties the spool of a store's data dir. Where another process drains or writes, it is left for later.
///
/// # Errors
/// [`DrainError`].
pub fn drain(store: &Store, now: EventTime, alive: &dyn Fn(&ProcessKey) -> bool) -> Result<Drained, DrainError> {
    let Some(spool) = Spool::open(store.dir())? else { return Ok(Drained::default()) };
    if spool.is_empty()? {
        return Ok(Drained::default());
    }
    let mut writer = store.patient_writer(PATIENCE)?;
    Drain { store, spool: &spool, writer: &mut writer, own: None, last: true, now, alive, last_place: None }.run()
}

/// The same for a recording that writes the store itself: `own` is its run and attempt. At the `last` call nothing waits
/// for facts that are still to come.
///
/// # Errors
/// [`DrainError`].
pub fn drain_into(
    store: &Store,
    spool: &Spool,
    writer: &mut Writer,
    own: (&RunId, AttemptNo),
    last: bool,
    now: EventTime,
    alive: &dyn Fn(&ProcessKey) -> bool,
) -> Result<Drained, DrainError> {
    Drain { store, spool, writer, own: Some(own), last, now, alive, last_place: None }.run()
}

struct Drain<'d> {
    store: &'d Store,
    spool: &'d Spool,
    writer: &'d mut Writer,
    own: Option<(&'d RunId, AttemptNo)>,
    last: bool,
    now: EventTime,
    alive: &'d dyn Fn(&ProcessKey) -> bool,
    /// Where the last message went: a loss is told there.
    last_place: Option<Place>,
}

/// Where messages go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    run: RunId,
    attempt: AttemptNo,
}

impl Drain<'_> {
    fn run(mut self) -> Result<Drained, DrainError> {
        let mut done = Drained::default();
        // Held to the end: two that drain at once could find different runs for one message.
        let Some(_lock) = self.spool.drain_lock()? else { return Ok(done) };
        for _ in 0..MOST_BATCHES {
            let backlog = self.spool.backlog(BATCH)?;
            if backlog.records.is_empty() && backlog.lost == 0 {
                break;
            }
            let more = backlog.more;
            self.batch(&backlog, &mut done)?;
            if !more || done.waiting {
                break;
            }
        }
        Ok(done)
    }

    fn batch(&mut self, backlog: &Backlog, done: &mut Drained) -> Result<(), DrainError> {
        let reader = self.store.reader()?;
        let mut lineage = Lineage::new(&reader, self.own, self.alive)?;
        let mut facts: BTreeMap<Place, Vec<Prepared>> = BTreeMap::new();
        let mut up_to = backlog.records.first().map_or(0, |first| first.offset);
        let mut damaged = 0;
        for record in &backlog.records {
            let Ok(carried) = serde_json::from_slice::<Carried>(&record.bytes) else {
                damaged += 1;
                up_to = record.next;
                continue;
            };
            let found = carried.said.anchor().map(|anchor| lineage.find(anchor, carried.at)).transpose()?;
            let place = match found.flatten() {
                Some((run, attempt)) => Place { run, attempt },
                // A process that is not known yet may still become known: the queue of a recorder is behind.
                None if carried.said.anchor().is_some() && self.may_come(&lineage, carried.at) => {
                    done.waiting = true;
                    break;
                }
                None => self
                    .own_place(&carried.said)
                    .unwrap_or_else(|| Place { run: run_of(&carried.said), attempt: AttemptNo(0) }),
            };
            let fact = self.fact(&backlog.spool_id, record, carried, place.attempt);
            facts.entry(place.clone()).or_default().push(Prepared::new(&fact));
            self.last_place = Some(place);
            done.taken += 1;
            up_to = record.next;
        }
        drop(lineage);
        drop(reader);
        done.damaged += damaged;
        if backlog.lost + damaged > 0 {
            let place =
                self.own.map(|(run, attempt)| Place { run: run.clone(), attempt }).or_else(|| self.last_place.clone());
            if let Some(place) = place.or_else(|| ambient_place(self.store)) {
                let gap = self.loss(backlog, damaged, place.attempt);
                facts.entry(place).or_default().push(Prepared::new(&gap));
                done.lost += backlog.lost;
            }
        }
        self.commit(&facts)?;
        self.spool.release(backlog, up_to)?;
        Ok(())
    }

    /// The proxy of a recording knows whose it is, also where the process at the other end was gone.
    fn own_place(&self, said: &Said) -> Option<Place> {
        let (run, attempt) = self.own?;
        matches!(said, Said::Llm(said) if said.run == *run).then(|| Place { run: run.clone(), attempt })
    }

    fn may_come(&self, lineage: &Lineage<'_>, at: EventTime) -> bool {
        let settled = self.now.since(at) > SETTLING_NS || (self.own.is_some() && self.last);
        !settled && lineage.recording()
    }

    /// Facts of a recording's own attempt go on in it; a log that was sealed, or that is of no attempt, is sealed anew.
    fn commit(&mut self, facts: &BTreeMap<Place, Vec<Prepared>>) -> Result<(), StoreError> {
        if facts.is_empty() {
            return Ok(());
        }
        let own = self.own;
        self.writer.transaction(Durability::Process, |batch| {
            for (place, facts) in facts {
                let run = batch.open_run(&place.run)?;
                for fact in facts {
                    batch.append(run, fact)?;
                }
                if own.is_none_or(|(run, _)| *run != place.run) && place.attempt == AttemptNo(0) {
                    batch.seal(run, &place.run, place.attempt)?;
                }
            }
            Ok(())
        })
    }

    fn fact(&self, spool: &[u8; 16], record: &Waiting, carried: Carried, attempt: AttemptNo) -> Fact {
        let Carried { at, redacted, said } = carried;
        let carrier = said.anchor().map(|anchor| anchor.key(&anchor.carrier).id());
        let vantage = match &said {
            Said::Declared(_) => Vantage::Hook,
            Said::Mcp(_) | Said::Llm(_) => Vantage::Proxy,
        };
        Fact {
            id: EventId::derive(at, &[b"hook", spool, &record.offset.to_be_bytes()]),
            at,
            recorded: self.now,
            attempt,
            vantage,
            basis: Basis::Asserted,
            process: carrier,
            tid: None,
            redacted,
            what: said.what(),
        }
    }

    fn loss(&self, backlog: &Backlog, damaged: u64, attempt: AttemptNo) -> Fact {
        let what = What::Gap(Gap {
            kind: GapKind::HooksLost,
            classes: Vec::new(),
            detail: "messages of hooks did not fit into the spool".to_owned(),
            way_out: Some("look at the store now and then: every command that opens it empties the spool".to_owned()),
            count: backlog.lost + damaged,
        });
        let count = (backlog.lost + damaged).to_be_bytes();
        let first = backlog.records.first().map_or(0, |record| record.offset).to_be_bytes();
        Fact {
            id: EventId::derive(self.now, &[b"hooks lost", &backlog.spool_id, &first, &count]),
            at: self.now,
            recorded: self.now,
            attempt,
            vantage: Vantage::Engine,
            basis: Basis::Observed,
            process: None,
            tid: None,
            redacted: Vec::new(),
            what,
        }
    }
}

/// The run of what nobody recorded: of a session, or of one start of a server.
fn run_of(said: &Said) -> RunId {
    match said {
        Said::Declared(declared) => own_run(declared),
        Said::Mcp(said) => mcp_run(&said.server, said.connection.as_str()),
        Said::Llm(said) => said.run.clone(),
    }
}

/// The run of a session that nobody recorded.
pub(crate) fn own_run(declared: &Declared) -> RunId {
    let session = declared.session.as_ref().map_or("unknown", SessionId::as_str);
    let agent = declared.agent.name();
    RunId::new(format!("{agent}-{session}")).unwrap_or_else(|_| unnamed_run(agent))
}

fn mcp_run(server: &str, connection: &str) -> RunId {
    let named = RunId::new(format!("mcp-{server}-{connection}"));
    named.unwrap_or_else(|_| RunId::new(format!("mcp-{connection}")).expect("hex makes an id"))
}

fn unnamed_run(agent: &str) -> RunId {
    RunId::new(format!("{agent}-unknown")).expect("an agent's name makes an id")
}

/// Where a loss is told that came without a single message.
fn ambient_place(store: &Store) -> Option<Place> {
    let run = RunId::new(format!("{}/hooks/{}", crate::telemetry::AMBIENT, store.id())).ok()?;
    Some(Place { run, attempt: AttemptNo(0) })
}
