//! Which waivers hold in a review.

use crate::change::RepositoryId;
use crate::finding_id::FindingId;
use crate::governance::signed_waiver::{Refusal, RefusedWaiver, SignedWaiver, Word};
use crate::governance::waiver::WaiverAction;
use agentprov_model::EventTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The decisions that hold at a time in a repository.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Waivers {
    active: BTreeMap<FindingId, SignedWaiver>,
    /// Those that held once.
    expired: Vec<SignedWaiver>,
    /// Those that clear nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedWaiver>,
}

impl Waivers {
    /// Those that hold at that time in that repository, where it is known. The last word on a finding counts, by the time
    /// at which it was said: copying a line to the end of a file does not say it again.
    pub fn active_at(words: impl IntoIterator<Item = Word>, here: Option<&RepositoryId>, now: EventTime) -> Self {
        let today = now.to_rfc3339();
        let mut words: Vec<Word> = words.into_iter().map(|word| word.in_repository(here)).collect();
        words.sort_by(|one, other| one.at().cmp(other.at()));
        let mut found = Self::default();
        for word in words {
            match word {
                Word::Signed(waiver) => found.add(waiver, &today),
                Word::Refused(waiver) => {
                    // Whoever wrote it, it only makes an outcome harder.
                    if waiver.action == WaiverAction::Reopen && waiver.why != Refusal::OtherRepository {
                        found.active.remove(&waiver.finding);
                    }
                    found.refused.push(waiver);
                }
            }
        }
        found
    }

    fn add(&mut self, waiver: SignedWaiver, today: &str) {
        let finding = waiver.word.finding.clone();
        self.active.remove(&finding);
        // What did not count before is answered by a word that does.
        self.refused.retain(|refused| refused.finding != finding);
        let over = waiver.word.until.as_deref().is_some_and(|until| today[..until.len().min(10)] > *until);
        match (waiver.word.action, over) {
            (WaiverAction::Reopen, _) => {}
            (_, true) => self.expired.push(waiver),
            (_, false) => {
                self.active.insert(finding, waiver);
            }
        }
    }

    /// Whether nothing was ever decided.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.expired.is_empty() && self.refused.is_empty()
    }

    /// The decision that holds on a finding.
    pub fn get(&self, finding: &FindingId) -> Option<&SignedWaiver> {
        self.active.get(finding)
    }

    /// The decision on a finding that held until its last day.
    pub fn expired(&self, finding: &FindingId) -> Option<&SignedWaiver> {
        self.expired.iter().rev().find(|waiver| waiver.word.finding == *finding)
    }

    /// The last word on a finding that clears nothing.
    pub fn refused(&self, finding: &FindingId) -> Option<&RefusedWaiver> {
        self.refused.iter().rev().find(|waiver| waiver.finding == *finding)
    }

    /// Every word that clears nothing.
    pub fn all_refused(&self) -> &[RefusedWaiver] {
        &self.refused
    }
}
