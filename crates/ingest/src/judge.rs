//! The seam where rules look at facts as they are appended.

use agentprov_model::{EventId, EventTime, Fact, ProcessId, What};

/// Something that a judge derived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Derived {
    /// When it came about: for a judgement the time of the event, for a response the time at which it got that far.
    pub at: EventTime,
    /// The process that it speaks of.
    pub process: Option<ProcessId>,
    /// What it says.
    pub what: What,
}

/// Takes a derived fact and gives the id under which it is appended, so that the next one can link to it.
pub type Emit<'e> = dyn FnMut(Derived) -> EventId + 'e;

/// Judges facts before they are appended. Implemented by the policy crate; this crate knows no rules.
pub trait Judge: Send {
    /// Looks at one fact; each derived fact handed to `emit` is appended in the same transaction, after it.
    fn judge(&mut self, fact: &Fact, emit: &mut Emit<'_>);

    /// What is said once in every log of telemetry whose facts it judges: which rules looked.
    fn applied(&self) -> Option<What> {
        None
    }

    /// Hands out what is still owed when no more facts come, such as how responses ended. May wait for a bounded time.
    fn finish(&mut self, _emit: &mut Emit<'_>) {}
}

/// No rules: nothing is judged, and views say "not judged", never "clean".
#[derive(Clone, Copy, Debug, Default)]
pub struct Unjudged;

impl Judge for Unjudged {
    fn judge(&mut self, _fact: &Fact, _emit: &mut Emit<'_>) {}
}
