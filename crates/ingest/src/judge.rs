//! The seam where rules look at facts as they are appended.

use agentprov_model::{Fact, What};

/// Judges facts before they are appended. Implemented by the policy crate; this crate knows no rules.
pub trait Judge: Send {
    /// Looks at one fact; each derived fact handed to `emit` is appended in the same transaction, after it.
    fn judge(&mut self, fact: &Fact, emit: &mut dyn FnMut(What));
}

/// No rules: nothing is judged, and views say "not judged", never "clean".
#[derive(Clone, Copy, Debug, Default)]
pub struct Unjudged;

impl Judge for Unjudged {
    fn judge(&mut self, _fact: &Fact, _emit: &mut dyn FnMut(What)) {}
}
