//! The seam where rules look at facts as they are appended.

use agentprov_capture::Notice;
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

    /// True where it does things that must not be done twice for one event.
    fn acts(&self) -> bool {
        false
    }

    /// Looks at a fact that was judged before, only to know it when later ones are judged.
    fn recall(&mut self, _fact: &Fact) {}

    /// What to say once in each log whose facts it judges: which rules, in which mode. Nothing where nothing is judged.
    fn applied(&self) -> Option<What> {
        None
    }

    /// Called now and then while no facts come: hands out what came about meanwhile.
    fn idle(&mut self, _emit: &mut Emit<'_>) {}

    /// What the user should hear of at once, since the last call.
    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
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
