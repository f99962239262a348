//! From an observation to a fact that is ready for append.

use crate::hooks::shapes;
use crate::judge::{Derived, Judge};
use crate::redact::Redactor;
use agentprov_capture::{Notice, Observation};
use agentprov_model::{AttemptId, AttemptNo, Basis, CommandKey, EventId, EventTime, Fact, Vantage, What};
use agentprov_store::Prepared;

/// Intake of one attempt. Ids derive from the attempt and the ordinal of the observation in it.
pub struct Intake {
    stamp: Stamp,
    judge: Box<dyn Judge>,
}

/// Gives observations their attempt and id.
struct Stamp {
    attempt: AttemptNo,
    attempt_id: AttemptId,
    ordinal: u64,
    redactor: Redactor,
    commands: Option<CommandKey>,
}

impl Intake {
    /// An intake for the attempt.
    pub fn new(attempt: AttemptNo, attempt_id: AttemptId, redactor: Redactor, judge: Box<dyn Judge>) -> Self {
        Self { stamp: Stamp { attempt, attempt_id, ordinal: 0, redactor, commands: None }, judge }
    }

    /// Hashes shell commands with this key before they are redacted, so that they can be told apart afterwards.
    #[must_use]
    pub fn with_command_key(mut self, key: CommandKey) -> Self {
        self.stamp.commands = Some(key);
        self
    }

    /// The attempt.
    pub fn attempt(&self) -> AttemptNo {
        self.stamp.attempt
    }

    /// Takes one observation; `out` gets the fact and what the judge derived from it.
    pub fn take(&mut self, observation: Observation, recorded: EventTime, out: &mut Vec<Prepared>) {
        let fact = self.stamp.fact(observation, recorded);
        out.push(Prepared::new(&fact));
        let Self { stamp, judge } = self;
        judge.judge(&fact, &mut |derived| stamp.derived(derived, recorded, out));
    }

    /// Takes what the judge has to say while no observations come.
    pub fn idle(&mut self, now: EventTime, out: &mut Vec<Prepared>) -> Vec<Notice> {
        let Self { stamp, judge } = self;
        judge.idle(&mut |derived| stamp.derived(derived, now, out));
        judge.notices()
    }

    /// Takes what the judge still owes when no more observations come.
    pub fn finish(&mut self, now: EventTime, out: &mut Vec<Prepared>) {
        let Self { stamp, judge } = self;
        judge.finish(&mut |derived| stamp.derived(derived, now, out));
    }
}

impl Stamp {
    fn derived(&mut self, derived: Derived, recorded: EventTime, out: &mut Vec<Prepared>) -> EventId {
        let Derived { at, process, what } = derived;
        let observation = Observation { at, vantage: Vantage::Engine, basis: Basis::Derived, process, tid: None, what };
        let fact = self.fact(observation, recorded);
        out.push(Prepared::new(&fact));
        fact.id
    }

    fn fact(&mut self, observation: Observation, recorded: EventTime) -> Fact {
        let Observation { at, vantage, basis, process, tid, mut what } = observation;
        if let (What::ProcessExec(exec), Some(key)) = (&mut what, &self.commands)
            && exec.argv_cut.is_none()
        {
            exec.commands = shapes::digests(&exec.argv, key);
        }
        let redacted = self.redactor.redact(&mut what);
        let identity: [&[u8]; 2] = [self.attempt_id.as_str().as_bytes(), &self.ordinal.to_be_bytes()];
        let id = EventId::derive(at, &identity);
        self.ordinal += 1;
        Fact { id, at, recorded, attempt: self.attempt, vantage, basis, process, tid, redacted, what }
    }
}
