//! A recording session: capture on one side, the store on the other.

mod appender;
mod request;

pub use request::{RecordError, RecordRequest, Recorded};

use crate::contents::BudgetedContents;
use crate::intake::Intake;
use crate::judge::{Judge, Unjudged};
use crate::recovery;
use crate::redact::Redactor;
use agentprov_capture::{
    AttemptEnd, CaptureError, ContentSink, Gate, Notice, Observation, Orphans, Recorder, RecorderFault, ScopeStart,
};
use agentprov_model::index::{CountGroup, CountName};
use agentprov_model::{
    AttemptEnded, AttemptNo, AttemptStarted, Basis, ClaimClass, EventTime, EventType, Gap, GapKind, OsBytes,
    ScopeEnded, Vantage, What,
};
use agentprov_store::{Durability, Store, StoreError, Writer, command_key};
use appender::{Appender, Scope};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Records one command as an attempt of a run; nothing is judged.
///
/// # Errors
/// [`RecordError`] when the recording could not begin or the command's end was not seen. That the command failed is no error.
pub fn record(store: &Store, request: &RecordRequest, notice: &mut dyn FnMut(Notice)) -> Result<Recorded, RecordError> {
    record_judged(store, request, &|| Ok(Box::new(Unjudged)), None, notice)
}

/// Makes the judge of an attempt. Called in the process that records, where threads that it starts live on.
pub type MakeJudge<'m> = dyn Fn() -> std::io::Result<Box<dyn Judge>> + 'm;

/// Records one command as an attempt of a run, and judges what it does; a gate is asked before connections are made.
///
/// # Errors
/// [`RecordError`] when the recording could not begin or the command's end was not seen. That the command failed is no error.
pub fn record_judged(
    store: &Store,
    request: &RecordRequest,
    judge: &MakeJudge<'_>,
    gate: Option<Arc<dyn Gate>>,
    notice: &mut dyn FnMut(Notice),
) -> Result<Recorded, RecordError> {
    let make = || {
        let judge = judge().map_err(|error| RecorderFault {
            message: format!("the judge can't start: {error}"),
            hint: Some("record without --mode enforce".into()),
        })?;
        StoreRecorder::open(store.clone(), request.clone(), judge).map_err(fault)
    };
    let mut options = request.options.clone();
    // The folder may have been named through a link; the kernel speaks of the real one.
    let dir = store.dir().canonicalize().unwrap_or_else(|_| store.dir().to_owned());
    let own = crate::hooks::spool::FILES.iter().chain([&crate::mcp::PINS_FILE]);
    options.own_files.extend(own.map(|name| dir.join(name)));
    let finished = agentprov_capture::record_gated(&request.command, &options, || gate, make, notice)
        .map_err(|error: CaptureError| RecordError::Capture(error))?;
    Ok(Recorded { run: request.run.clone(), attempt_id: request.attempt_id.clone(), finished })
}

fn fault(error: StoreError) -> RecorderFault {
    RecorderFault { message: error.to_string(), hint: error.hint() }
}

/// Puts the observations of one attempt into the store. Lives in the tracer process.
struct StoreRecorder {
    store: Store,
    request: RecordRequest,
    /// Until the attempt has begun.
    writer: Option<Writer>,
    contents: Arc<BudgetedContents>,
    session: Option<Session>,
    /// Until the attempt has begun.
    judge: Option<Box<dyn Judge>>,
}

/// An attempt that has begun.
struct Session {
    intake: Intake,
    appender: Appender,
    root_pid: u32,
}

impl StoreRecorder {
    fn open(store: Store, request: RecordRequest, judge: Box<dyn Judge>) -> Result<Self, StoreError> {
        let writer = store.writer()?;
        let held = store.reader()?.store_usage()?.blob_bytes;
        let contents = Arc::new(BudgetedContents::new(store.blobs(), request.budgets, held));
        Ok(Self { store, request, writer: Some(writer), contents, session: None, judge: Some(judge) })
    }

    fn attempt_started(&self, start: &ScopeStart) -> AttemptStarted {
        let options = &self.request.options;
        AttemptStarted {
            attempt_id: self.request.attempt_id.clone(),
            session_id: self.request.session_id.clone(),
            tool_call_id: self.request.tool_call_id.clone(),
            name: self.request.name.clone(),
            argv: self.request.command.argv.iter().map(|argument| OsBytes::from(argument.as_bytes())).collect(),
            workdir: OsBytes::from(start.workdir.as_os_str().as_bytes()),
            workspace: OsBytes::from(start.workspace.as_os_str().as_bytes()),
            git_head: start.git_head.clone(),
            recorder: start.recorder.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mechanism: start.mechanism,
            mechanism_reason: start.mechanism_reason.clone(),
            kernel: start.kernel.clone(),
            uid: start.uid,
            reads: options.reads,
            grace_ms: u64::try_from(options.grace.as_millis()).unwrap_or(u64::MAX),
            orphan_policy: match options.orphans {
                Orphans::Observe => "observe_only".to_owned(),
                Orphans::Terminate => "terminate".to_owned(),
            },
            given_files: start.given_files.clone(),
        }
    }

    fn open_attempt(
        &mut self,
        writer: &mut Writer,
        start: &ScopeStart,
    ) -> Result<(agentprov_store::RunNo, Intake), StoreError> {
        let commands = command_key(self.store.dir())?;
        // Made before the command runs, so that the first hook need not. A disk too full for it says so at the first commit.
        let _ = crate::hooks::Spool::create(self.store.dir());
        recovery::mark_interrupted(&self.store, writer, start.at, &agentprov_capture::is_alive)?;
        let mut what = Some(What::AttemptStarted(self.attempt_started(start)));
        let mut judge = self.judge.take();
        writer.transaction(Durability::Process, |batch| {
            let run = batch.open_run(&self.request.run)?;
            let count = CountName { group: CountGroup::Type, name: EventType::ToolCallStart.name().into() };
            let earlier = batch.tally(run, count)?;
            let no = AttemptNo(u32::try_from(earlier).unwrap_or(u32::MAX).saturating_add(1));
            let judge = judge.take().unwrap_or_else(|| Box::new(Unjudged));
            let mut intake = Intake::new(no, self.request.attempt_id.clone(), Redactor::new(), judge)
                .with_command_key(commands.clone());
            let mut prepared = Vec::new();
            if let Some(what) = what.take() {
                intake.take(engine(start.at, what), start.at, &mut prepared);
            }
            for fact in &prepared {
                batch.append(run, fact)?;
            }
            Ok((run, intake))
        })
    }
}

fn engine(at: EventTime, what: What) -> Observation {
    Observation { at, vantage: Vantage::Engine, basis: Basis::Observed, process: None, tid: None, what }
}

impl Recorder for StoreRecorder {
    fn begin(&mut self, start: ScopeStart) -> Result<(), RecorderFault> {
        let Some(mut writer) = self.writer.take() else {
            return Err(RecorderFault { message: "the attempt has begun already".into(), hint: None });
        };
        let (run, intake) = self.open_attempt(&mut writer, &start).map_err(fault)?;
        let scope = Scope { run, run_id: self.request.run.clone(), attempt: intake.attempt() };
        let appender = Appender::start(writer, scope, self.store.dir()).map_err(fault)?;
        self.session = Some(Session { intake, appender, root_pid: 0 });
        Ok(())
    }

    fn observe(&mut self, observation: Observation) {
        let Some(session) = &mut self.session else { return };
        if let What::Bound(bound) = &observation.what {
            session.root_pid = bound.root.pid;
        }
        let recorded = observation.at;
        let mut prepared = Vec::with_capacity(1);
        session.intake.take(observation, recorded, &mut prepared);
        for fact in prepared {
            session.appender.append(fact);
        }
    }

    fn idle(&mut self, now: EventTime) -> Vec<Notice> {
        let Some(session) = &mut self.session else { return Vec::new() };
        let mut prepared = Vec::new();
        let notices = session.intake.idle(now, &mut prepared);
        for fact in prepared {
            session.appender.append(fact);
        }
        notices
    }

    fn contents(&self) -> Arc<dyn ContentSink> {
        self.contents.clone()
    }

    fn end(&mut self, end: AttemptEnd) -> Result<(), RecorderFault> {
        let Some(Session { mut intake, appender, root_pid }) = self.session.take() else {
            return Err(RecorderFault { message: "the attempt has not begun".into(), hint: None });
        };
        let attempt_id = self.request.attempt_id.clone();
        let run_id = self.request.run.clone();
        let contents = self.contents.clone();
        let mut incomplete = None;
        appender
            .finish(&run_id, |lost| {
                let mut coverage = end.coverage.clone();
                let mut closing = Vec::new();
                if let Some(lost) = lost {
                    incomplete = Some(RecorderFault {
                        message: format!("{} observations could not be written: {}", lost.count, lost.why),
                        hint: lost.hint.clone(),
                    });
                    for class in coverage.classes.values_mut() {
                        class.degrade(format!("{} observations could not be written: {}", lost.count, lost.why));
                        class.lost = class.lost.map(|known| known + lost.count);
                    }
                    closing.push(What::Gap(Gap {
                        kind: GapKind::Dropped,
                        classes: ClaimClass::ALL.to_vec(),
                        detail: format!("observations could not be written: {}", lost.why),
                        way_out: lost.hint.clone(),
                        count: lost.count,
                    }));
                }
                for refusal in contents.refusals() {
                    let why = format!("contents were not kept: {}", refusal.why.explain());
                    if let Some(class) = coverage.classes.get_mut(&ClaimClass::Contents) {
                        class.degrade(why.clone());
                    }
                    closing.push(What::Gap(Gap {
                        kind: GapKind::Budget,
                        classes: vec![ClaimClass::Contents],
                        detail: why,
                        way_out: Some(refusal.way_out.to_owned()),
                        count: refusal.count,
                    }));
                }
                closing.push(What::ScopeEnded(ScopeEnded { root_pid }));
                closing.push(What::AttemptEnded(AttemptEnded {
                    outcome: end.outcome.clone(),
                    wall_ns: end.wall_ns,
                    processes: end.processes,
                    outlived: end.outlived.clone(),
                    coverage,
                }));
                let mut prepared = Vec::new();
                intake.finish(end.at, &mut prepared);
                for what in closing {
                    intake.take(engine(end.at, what), end.at, &mut prepared);
                }
                (prepared, intake.attempt())
            })
            .map_err(|error| {
                let mut fault = fault(error);
                fault.message = format!("attempt {attempt_id} of run {run_id} was not sealed: {}", fault.message);
                fault
            })?;
        // Sealed all the same: what is there is whole and says what it lacks.
        incomplete.map_or(Ok(()), Err)
    }
}
