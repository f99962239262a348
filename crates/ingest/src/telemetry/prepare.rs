//! From lines to facts that are ready for append.

use super::block::{Block, RowLine, Then};
use super::chunk::{Chunk, EventEntry};
use super::identity::{EventIdentity, StreamIdentity};
use super::loss::gap;
use super::places::{PlaceNo, Places, Stored};
use super::request::IngestRequest;
use super::row::{RowResult, RowStatus};
use crate::correlate::{BindingIndex, Resolved};
use crate::judge::{Derived, Emit, Judge};
use crate::lines::MAX_LINE;
use crate::receivers::{DetectedFormat, Draft, Loss, Received, Receivers, RowError};
use crate::redact::Redactor;
use agentprov_model::telemetry::{RawRef, RowTotals};
use agentprov_model::{
    AttemptNo, Basis, ContentId, EventId, EventTime, Fact, IndexKey, KeyKind, ResolutionState, ResponseState,
    TelemetryBody, Vantage, What,
};
use agentprov_store::{Moments, StoreError};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::Range;

pub(super) struct Preparer<'r> {
    request: &'r IngestRequest,
    receivers: Receivers,
    bindings: BindingIndex,
    moments: Moments,
    judge: Box<dyn Judge>,
    clock: &'r (dyn Fn() -> EventTime + Sync),
    redactor: Redactor,
    stream: StreamIdentity,
    places: Places,
    /// Responses that were asked for, and the logs of their events: how they end is told there.
    requests: HashMap<EventId, PlaceNo>,
    totals: RowTotals,
    /// Time of the last event: what a loss record without a time of its own stands beside.
    last_at: Option<EventTime>,
    chunk: Chunk,
}

/// Takes a chunk and gives an empty one; none where nobody takes any more.
type Send<'s> = dyn FnMut(Chunk) -> Option<Chunk> + 's;

/// The row that is being worked on.
struct Row<'b> {
    line: u64,
    format: Option<DetectedFormat>,
    context: Vec<String>,
    /// The line itself; absent for events of several.
    single: Option<RowLine<'b>>,
}

/// Where and how an event is appended.
struct Appending {
    id: EventId,
    at: EventTime,
    recorded: EventTime,
    log: PlaceNo,
    raw: Option<Range<usize>>,
    judging: Judging,
}

/// What the judge does with an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judging {
    Judge,
    Recall,
    None,
}

impl<'r> Preparer<'r> {
    pub(super) fn new(
        request: &'r IngestRequest,
        bindings: BindingIndex,
        moments: Moments,
        judge: Box<dyn Judge>,
        clock: &'r (dyn Fn() -> EventTime + Sync),
    ) -> Self {
        Self {
            request,
            receivers: Receivers::new(request.format, request.strict, request.table.clone()),
            bindings,
            moments,
            judge,
            clock,
            redactor: Redactor::new(),
            stream: StreamIdentity::from(request.from_offset),
            places: Places::default(),
            requests: HashMap::new(),
            totals: RowTotals::default(),
            last_at: None,
            chunk: Chunk::default(),
        }
    }

    pub(super) fn totals(&self) -> RowTotals {
        self.totals
    }

    /// Works through the input; `send` takes chunks and gives an empty one where to go on.
    pub(super) fn run(
        &mut self,
        blocks: impl Iterator<Item = Block>,
        spent: &mut dyn FnMut(Block),
        send: &mut Send<'_>,
    ) -> Result<(), StoreError> {
        for block in blocks {
            for line in block.lines() {
                self.line(line)?;
                if self.chunk.is_full() && !self.hand_over(send) {
                    return Ok(());
                }
            }
            let then = block.then;
            spent(block);
            match then {
                Then::More => continue,
                // What a live source said so far is judged and kept at once.
                Then::Wait => self.steps(|judge, emit| judge.idle(emit)),
                Then::Broken => {}
                Then::End => self.finish()?,
            }
            if !self.chunk.is_empty() && !self.hand_over(send) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        for (line, outcome) in self.receivers.finish() {
            self.belated(line, outcome)?;
        }
        self.steps(|judge, emit| judge.finish(emit));
        Ok(())
    }

    /// Hands the chunk over; false where nobody takes it.
    fn hand_over(&mut self, send: &mut Send<'_>) -> bool {
        let next = send(std::mem::take(&mut self.chunk));
        let goes_on = next.is_some();
        self.chunk = next.unwrap_or_default();
        goes_on
    }

    fn line(&mut self, line: RowLine<'_>) -> Result<(), StoreError> {
        self.totals.read += 1;
        self.stream.note_line(&line.sha256);
        if line.too_long {
            let error = RowError::TooLong(MAX_LINE);
            self.report(RowResult::of(line.number, RowStatus::Failed, None).because(error.to_string()));
            return Ok(());
        }
        let reading = self.receivers.read(line.number, line.bytes);
        let single = reading.format != Some(DetectedFormat::Auditd);
        let row =
            Row { line: line.number, format: reading.format, context: reading.context, single: single.then_some(line) };
        self.outcome(row, reading.outcome)?;
        for (line, outcome) in self.receivers.evicted() {
            self.belated(line, outcome)?;
        }
        Ok(())
    }

    /// An event whose first line was counted as a part of something: it is counted as what it became instead.
    fn belated(&mut self, line: u64, outcome: Result<Received, RowError>) -> Result<(), StoreError> {
        self.totals.skipped = self.totals.skipped.saturating_sub(1);
        let format = Some(DetectedFormat::Auditd);
        self.outcome(Row { line, format, context: Vec::new(), single: None }, outcome)
    }

    fn outcome(&mut self, row: Row<'_>, outcome: Result<Received, RowError>) -> Result<(), StoreError> {
        let skipped = |why: String| RowResult::of(row.line, RowStatus::Skipped, row.format).because(why);
        let mut result = match outcome {
            Ok(Received::Event(draft)) => return self.event(row, draft),
            Ok(Received::Loss(loss)) => {
                self.loss(&row, loss);
                return Ok(());
            }
            Ok(Received::Skipped(why)) => skipped(why),
            Ok(Received::Part) => skipped("part of an event of several rows".to_owned()),
            Err(error) => RowResult::of(row.line, RowStatus::Failed, row.format).because(error.to_string()),
        };
        result.context_dropped = row.context;
        self.report(result);
        Ok(())
    }

    fn report(&mut self, result: RowResult) {
        match result.status {
            RowStatus::Ingested => self.totals.ingested += 1,
            RowStatus::Skipped => self.totals.skipped += 1,
            RowStatus::Failed => self.totals.failed += 1,
            RowStatus::DroppedUncorrelated => self.totals.dropped_uncorrelated += 1,
        }
        self.chunk.rows.push(result);
    }

    fn event(&mut self, row: Row<'_>, mut draft: Draft) -> Result<(), StoreError> {
        let recorded = (self.clock)();
        let content = content_digest(&row, &draft);
        let identity = self.stream.of(&draft.event.source, draft.event.native_id.as_deref(), &content);
        let mut at = self.settle_time(&mut draft, &identity, recorded);
        let resolved = self.bindings.resolve(&draft.event.identity, at, &self.request.provided);
        let Resolved { run, scope, correlation } = resolved;
        let unattributed = correlation.state == ResolutionState::Unattributed;
        draft.event.scope = scope;
        draft.event.correlation = correlation;
        if self.request.drop_uncorrelated && unattributed {
            let mut result = RowResult::of(row.line, RowStatus::DroppedUncorrelated, row.format).about(*draft.event);
            result.context_dropped = row.context;
            self.report(result);
            return Ok(());
        }
        let host = draft.event.host.as_deref().unwrap_or(&self.request.host);
        let ambient = self.places.ambient(host, &draft.event.source);
        let mut log = run.map_or(ambient, |run| self.places.of(&run));
        let mut id = identity.event_id(at);
        let earlier = self.earlier(ambient, log, (id, at), &identity, draft.at.is_none())?;
        // What was judged when it was first appended is not judged by other lights now. Judged once more by the same, it
        // gives the same facts; but what was done must not be done again.
        let judging = match earlier {
            Some(_) => Judging::None,
            None if self.judge.acts() && self.is_known(log, &id)? => Judging::Recall,
            None => Judging::Judge,
        };
        if let Some((known, place, then)) = earlier {
            (id, log, at) = (known, place, then);
        }
        let raw = self.raw(&row, &mut draft);
        self.close_at_exit(&draft, at, recorded);
        self.last_at = Some(at);
        let (what, decisions) = self.append_event(Appending { id, at, recorded, log, raw, judging }, draft);
        let mut result = RowResult::of(row.line, RowStatus::Ingested, row.format);
        if let What::Telemetry(told) = what {
            result = result.about(*told);
        }
        result.event_id = Some(id);
        result.log = Some(self.places.run(log).clone());
        result.decisions = decisions;
        result.context_dropped = row.context;
        self.report(result);
        Ok(())
    }

    /// Without a time of the source the event happened when it was first taken in.
    fn settle_time(&self, draft: &mut Draft, identity: &EventIdentity, recorded: EventTime) -> EventTime {
        draft.at.unwrap_or_else(|| {
            draft.event.untimed_key = Some(identity.key());
            recorded
        })
    }

    /// The same event as it was taken in before, where its id or its log would be another one now: rows without a
    /// time, and rows that stood in the ambient log before their scope was known.
    fn earlier(
        &mut self,
        ambient: PlaceNo,
        log: PlaceNo,
        (id, at): (EventId, EventTime),
        identity: &EventIdentity,
        untimed: bool,
    ) -> Result<Option<(EventId, PlaceNo, EventTime)>, StoreError> {
        for place in [ambient, log] {
            let Some(stored) = self.places.stored(place, &self.moments)? else { continue };
            if untimed {
                let key = identity.key();
                let key = IndexKey { kind: KeyKind::Untimed, value: key.as_bytes() };
                let first = self.moments.ask(|reader| reader.facts_by_key(stored.run, key))?.into_iter().next();
                if let Some((_, fact)) = first.filter(|(leaf, _)| *leaf < stored.size) {
                    return Ok(Some((fact.id, place, fact.at)));
                }
            } else if place != log && self.is_there(stored, &id)? {
                return Ok(Some((id, place, at)));
            }
        }
        Ok(None)
    }

    fn is_known(&mut self, log: PlaceNo, id: &EventId) -> Result<bool, StoreError> {
        let Some(stored) = self.places.stored(log, &self.moments)? else { return Ok(false) };
        self.is_there(stored, id)
    }

    fn is_there(&self, log: Stored, id: &EventId) -> Result<bool, StoreError> {
        let found = self.moments.ask(|reader| reader.event(log.run, id))?;
        Ok(found.is_some_and(|row| row.position.seq < log.size))
    }

    /// The row as it is kept: secrets taken out.
    fn raw(&mut self, row: &Row<'_>, draft: &mut Draft) -> Option<Range<usize>> {
        let (kept, sha256) = row.single.filter(|_| self.request.keep_raw)?.kept();
        draft.event.raw = Some(RawRef {
            sha256: ContentId::from_bytes(sha256),
            bytes: u32::try_from(kept.len()).unwrap_or(u32::MAX),
            line: Some(row.line),
        });
        let start = self.chunk.raw.len();
        self.chunk.raw.extend_from_slice(kept);
        Some(start..self.chunk.raw.len())
    }

    /// Gives the event as it was appended, and the decisions that the judge came to.
    fn append_event(&mut self, place: Appending, draft: Draft) -> (What, Vec<EventId>) {
        let Appending { id, at, recorded, log, raw, judging } = place;
        let source = draft.event.source.clone();
        let process = draft.event.identity.process_key().map(|key| key.id());
        let tid = draft.event.identity.tid.filter(|tid| draft.event.identity.pid != Some(*tid));
        let basis = if draft.vantage == Vantage::Sdk { Basis::Asserted } else { Basis::Observed };
        let mut what = What::Telemetry(draft.event);
        let redacted = self.redactor.redact(&mut what);
        let attempt = AttemptNo(0);
        let fact = Fact { id, at, recorded, attempt, vantage: draft.vantage, basis, process, tid, redacted, what };
        let mut derived: Vec<(EventId, Derived)> = Vec::new();
        if judging == Judging::Recall {
            self.judge.recall(&fact);
        }
        if judging == Judging::Judge {
            self.say_rules(log, at, recorded);
            self.judge.judge(&fact, &mut |by_judge| {
                let ordinal = u32::try_from(derived.len()).unwrap_or(u32::MAX);
                let id = EventId::derive(by_judge.at, &[b"derived", id.as_bytes(), &ordinal.to_be_bytes()]);
                derived.push((id, by_judge));
                id
            });
        }
        let no = self.places.log(log, &mut self.chunk.new_logs);
        let event = Some(EventEntry { id, at, source, raw });
        self.chunk.push(&fact, no, event);
        let is_decision = |(id, derived): &(EventId, Derived)| matches!(derived.what, What::Decision(_)).then_some(*id);
        let decisions = derived.iter().filter_map(is_decision).collect();
        for (id, by_judge) in derived {
            self.append_derived(id, by_judge, Some(log), recorded);
        }
        (fact.what, decisions)
    }

    /// Appends what a judge derived: to the log of the event, or, where it is a step of a response that was asked for
    /// in another one, there.
    fn append_derived(&mut self, id: EventId, derived: Derived, log: Option<PlaceNo>, recorded: EventTime) {
        let step = if let What::ResponseAction(step) = &derived.what { Some(step) } else { None };
        let asked = step.and_then(|step| self.requests.get(&step.request?)).copied();
        let Some(log) = asked.or(log) else { return };
        if step.is_some_and(|step| step.state == ResponseState::Requested) {
            self.requests.insert(id, log);
        }
        let fact = engine_fact(id, derived.at, recorded, Basis::Derived, derived.what);
        let fact = Fact { process: derived.process, ..fact };
        let log = self.places.log(log, &mut self.chunk.new_logs);
        self.chunk.push(&fact, log, None);
    }

    /// Appends how far responses have come.
    fn steps(&mut self, ask: impl FnOnce(&mut dyn Judge, &mut Emit<'_>)) {
        let mut steps: Vec<(EventId, Derived)> = Vec::new();
        ask(&mut *self.judge, &mut |step| {
            let request = if let What::ResponseAction(action) = &step.what { action.request } else { None };
            let of = request.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
            let what = serde_json::to_vec(&step.what).unwrap_or_default();
            let id = EventId::derive(step.at, &[b"step", &of, &what]);
            steps.push((id, step));
            id
        });
        let recorded = (self.clock)();
        for (id, step) in steps {
            self.append_derived(id, step, None, recorded);
        }
    }

    /// Says once in each log which rules look at what comes.
    fn say_rules(&mut self, log: PlaceNo, at: EventTime, recorded: EventTime) {
        if !self.places.is_first_judged(log) {
            return;
        }
        let Some(what) = self.judge.applied() else { return };
        let rules = serde_json::to_vec(&what).unwrap_or_default();
        let id = EventId::derive(at, &[b"rules", self.places.run(log).as_str().as_bytes(), &rules]);
        let fact = engine_fact(id, at, recorded, Basis::Derived, what);
        let log = self.places.log(log, &mut self.chunk.new_logs);
        self.chunk.push(&fact, log, None);
    }

    fn close_at_exit(&mut self, draft: &Draft, at: EventTime, recorded: EventTime) {
        if !matches!(draft.event.body, TelemetryBody::Exit(_)) {
            return;
        }
        for (run, end) in self.bindings.ends_at_exit(&draft.event.identity, at) {
            self.bindings.close(&end);
            let id = EventId::derive(at, &[b"binding ended", end.binding.as_str().as_bytes()]);
            let fact = engine_fact(id, at, recorded, Basis::Derived, What::BindingEnded(end));
            let log = self.places.of(&run);
            let log = self.places.log(log, &mut self.chunk.new_logs);
            self.chunk.push(&fact, log, None);
        }
    }

    fn loss(&mut self, row: &Row<'_>, mut loss: Loss) {
        let recorded = (self.clock)();
        loss.at = loss.at.or(self.last_at);
        let content = row.single.map_or_else(|| Sha256::digest(loss.detail.as_bytes()).into(), |line| line.sha256);
        let identity = self.stream.of(&loss.source, None, &content);
        let mut touched: Vec<PlaceNo> = match &self.request.provided.run {
            Some(run) => vec![self.places.of(run)],
            None => {
                let open = self.bindings.runs_open_at(loss.at.unwrap_or(recorded)).into_iter();
                open.map(|run| self.places.of(run)).collect()
            }
        };
        if self.request.provided.run.is_none() {
            touched.push(self.places.ambient(loss.host.as_deref().unwrap_or(&self.request.host), &loss.source));
        }
        let mut result = RowResult::of(row.line, RowStatus::Skipped, row.format).because(loss.detail.clone());
        result.source = Some(loss.source.clone());
        result.context_dropped.clone_from(&row.context);
        let fact = gap(loss, &identity, recorded);
        for place in touched {
            let log = self.places.log(place, &mut self.chunk.new_logs);
            self.chunk.push(&fact, log, None);
        }
        self.totals.loss_records += 1;
        self.report(result);
    }
}

/// Digest of what tells this event from others: the exact line, or the event itself where it came from several.
fn content_digest(row: &Row<'_>, draft: &Draft) -> [u8; 32] {
    match row.single {
        Some(line) => line.sha256,
        None => Sha256::digest(serde_json::to_vec(&draft.event).unwrap_or_default()).into(),
    }
}

pub(super) fn engine_fact(id: EventId, at: EventTime, recorded: EventTime, basis: Basis, what: What) -> Fact {
    Fact {
        id,
        at,
        recorded,
        attempt: AttemptNo(0),
        vantage: Vantage::Engine,
        basis,
        process: None,
        tid: None,
        redacted: Vec::new(),
        what,
    }
}
