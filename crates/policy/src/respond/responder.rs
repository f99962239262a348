//! A thread that carries responses out, so that judging never waits for them.

use crate::rules::spec::RuleSpec;
use agentprov_ingest::Derived;
use agentprov_model::{EventTime, OsBytes, ProcessId, ResponseAction, ResponseKind, ResponseState, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

/// Responses that may wait.
const QUEUE: usize = 256;
/// How long the end of an attempt waits for responses under way.
const LAST_WAIT: Duration = Duration::from_secs(15);

/// How a response ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// `confirmed`, `failed` or `unsupported`.
    pub state: ResponseState,
    /// What shows it.
    pub evidence: String,
}

impl Ended {
    /// It happened.
    pub fn confirmed(evidence: impl Into<String>) -> Self {
        Self { state: ResponseState::Confirmed, evidence: evidence.into() }
    }

    /// It did not.
    pub fn failed(evidence: impl Into<String>) -> Self {
        Self { state: ResponseState::Failed, evidence: evidence.into() }
    }

    /// It can't be done here.
    pub fn unsupported(evidence: impl Into<String>) -> Self {
        Self { state: ResponseState::Unsupported, evidence: evidence.into() }
    }
}

/// A response to carry out.
#[derive(Clone, Debug)]
pub struct Job {
    /// The process that the event was about.
    pub process: Option<ProcessId>,
    /// The rule that asks for it.
    pub rule: RuleSpec,
    /// What the event acted on.
    pub object: OsBytes,
    /// The request, with the id of its fact.
    pub request: ResponseAction,
}

impl Job {
    /// The next step of this response.
    pub fn step(&self, state: ResponseState, reached: EventTime, evidence: String) -> Derived {
        let action = ResponseAction { state, reached, evidence, ..self.request.clone() };
        Derived { at: reached, process: self.process, what: What::ResponseAction(action) }
    }

    /// What somebody outside is told.
    pub fn message(&self) -> Value {
        json!({
            "schema_version": agentprov_model::schema::v1("risk_notice"),
            "risk_signal_id": self.request.risk.to_string(),
            "policy_decision_id": self.request.decision.to_string(),
            "response_request_id": self.request.request.map(|id| id.to_string()),
            "process_id": self.process.map(|process| process.to_string()),
            "rule_id": self.rule.id,
            "decision": self.rule.decision,
            "severity": self.rule.severity,
            "reason": self.rule.reason,
            "object": self.object.lossy(),
            "time": self.request.reached.to_rfc3339(),
        })
    }
}

/// Carries out one kind of response.
pub trait Adapter: Send {
    /// Tries it and says how that ended. Must return within seconds.
    fn act(&mut self, job: &Job) -> Ended;
}

/// Gives the present time.
pub(super) type Now = Box<dyn Fn() -> EventTime + Send>;

/// Hands responses to a thread and brings back how far they came.
pub struct Responder {
    jobs: SyncSender<Job>,
    steps: Receiver<Derived>,
    now: Now,
    outstanding: Vec<Job>,
}

impl Responder {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        adapters: Vec<(ResponseKind, Box<dyn Adapter>)>,
        now: impl Fn() -> EventTime + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let (out, steps) = channel();
        let mut adapters: BTreeMap<ResponseKind, Box<dyn Adapter>> = adapters.into_iter().collect();
        let clock = now.clone();
        std::thread::Builder::new().name("respond".into()).spawn(move || {
            for job in queue {
                let kind = job.request.action;
                let ended = match adapters.get_mut(&kind) {
                    Some(adapter) => {
                        // Said before the try: if that is the last thing heard, it is not known how it ended.
                        let _receiver_gone = out.send(job.step(ResponseState::Attempted, clock(), String::new()));
                        adapter.act(&job)
                    }
                    None => Ended::unsupported(format!("nothing was set up that can {kind}")),
                };
                let _receiver_gone = out.send(job.step(ended.state, clock(), ended.evidence));
            }
        })?;
        Ok(Self { jobs, steps, now: Box::new(now), outstanding: Vec::new() })
    }

    /// Asks for a response; gives a step at once where it can't even be tried.
    pub(crate) fn submit(&mut self, job: Job) -> Option<Derived> {
        let why = match self.jobs.try_send(job.clone()) {
            Ok(()) => {
                self.outstanding.push(job);
                return None;
            }
            Err(TrySendError::Full(_)) => format!("{QUEUE} responses are waiting already"),
            Err(TrySendError::Disconnected(_)) => "the thread that carries responses out has ended".to_owned(),
        };
        Some(job.step(ResponseState::Failed, (self.now)(), why))
    }

    /// The steps reached since the last call.
    pub(crate) fn steps(&mut self) -> Vec<Derived> {
        let steps: Vec<Derived> = self.steps.try_iter().collect();
        steps.iter().for_each(|step| settle(&mut self.outstanding, step));
        steps
    }

    /// Waits, for a bounded time, until every response has ended.
    pub(crate) fn finish(self, emit: &mut dyn FnMut(Derived)) {
        let Self { jobs, steps, now, mut outstanding } = self;
        drop(jobs);
        let deadline = Instant::now() + LAST_WAIT;
        while !outstanding.is_empty() {
            match steps.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(step) => {
                    settle(&mut outstanding, &step);
                    emit(step);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        for job in outstanding {
            emit(job.step(
                ResponseState::Failed,
                now(),
                "the recording ended before it was known how this ended".into(),
            ));
        }
    }
}

fn settle(outstanding: &mut Vec<Job>, step: &Derived) {
    let What::ResponseAction(action) = &step.what else { return };
    if action.state != ResponseState::Attempted {
        outstanding.retain(|job| job.request.request != action.request);
    }
}
