//! Losses that a source reports become coverage gaps of the runs they touch.

use crate::receivers::Loss;
use agentprov_model::{AttemptNo, Basis, EventTime, Fact, Gap, GapKind, What};

use super::identity::EventIdentity;

/// The gap of a loss.
pub(super) fn gap(loss: Loss, identity: &EventIdentity, recorded: EventTime) -> Fact {
    let at = loss.at.unwrap_or(recorded);
    Fact {
        id: identity.event_id(at),
        at,
        recorded,
        attempt: AttemptNo(0),
        vantage: loss.vantage,
        basis: Basis::Observed,
        process: None,
        tid: None,
        redacted: Vec::new(),
        what: What::Gap(Gap {
            kind: GapKind::Dropped,
            classes: loss.classes,
            detail: loss.detail,
            way_out: Some(format!("give {} larger buffers or fewer rules", loss.source)),
            // A source that does not say how many lost at least one.
            count: loss.count.unwrap_or(1),
        }),
    }
}
