//! Decisions of reviews, as facts in logs of their own: one log for each repository, by its name.
//!
//! With that a decision has a leaf hash and a place in the ledger, and `verify` covers it. A review that comes to the same
//! decision from the same inputs adds nothing.

use agentprov_model::review::REVIEWS;
use agentprov_model::{
    AttemptNo, Basis, EventId, EventTime, Fact, IndexKey, KeyKind, ReviewDecision, RunId, Vantage, What,
};
use agentprov_store::{Durability, Prepared, Reader, Store, StoreError};

/// Longest part of a repository's name that goes into the id.
const MAX_NAME: usize = 64;

/// The log for decisions about changes of a repository.
pub fn review_run(repository: &str) -> RunId {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let mut name: String = repository.chars().take(MAX_NAME).map(plain).collect();
    if name.is_empty() {
        name.push('_');
    }
    RunId::new(format!("{REVIEWS}/{name}")).expect("a name in plain characters makes an id")
}

/// What became of a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// It was appended under this id.
    New(EventId),
    /// The log has it already, under this id.
    Known(EventId),
}

/// Appends a decision to the log of its repository, unless it is there.
///
/// # Errors
/// What the store says; [`StoreError::Removed`] where the log was removed.
pub fn note_decision(store: &Store, decision: &ReviewDecision, now: EventTime) -> Result<Noted, StoreError> {
    let run = review_run(&decision.repository);
    // Most reviews are made more than once; those that are known need no lock.
    if let Some(known) = find(&store.reader()?, &run, decision)? {
        return Ok(Noted::Known(known));
    }
    let identity = serde_json::to_vec(decision).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let id = EventId::derive(now, &[b"review", &identity]);
    let fact = Fact {
        id,
        at: now,
        recorded: now,
        attempt: AttemptNo(0),
        vantage: Vantage::Engine,
        basis: Basis::Derived,
        process: None,
        tid: None,
        redacted: Vec::new(),
        what: What::ReviewDecision(Box::new(decision.clone())),
    };
    let prepared = Prepared::new(&fact);
    store.writer()?.transaction(Durability::Power, |batch| {
        // Nobody else writes while this transaction is open: what a reader sees now is all there is.
        if let Some(known) = find(&store.reader()?, &run, decision)? {
            return Ok(Noted::Known(known));
        }
        let no = batch.open_run(&run)?;
        batch.append(no, &prepared)?;
        Ok(Noted::New(id))
    })
}

fn find(reader: &Reader, run: &RunId, decision: &ReviewDecision) -> Result<Option<EventId>, StoreError> {
    let Some(row) = reader.run(run)?.filter(|row| row.removed.is_none()) else { return Ok(None) };
    let key = IndexKey { kind: KeyKind::Commit, value: decision.head_commit.as_bytes() };
    let facts = reader.facts_by_key(row.no, key)?;
    let same = |fact: &Fact| matches!(&fact.what, What::ReviewDecision(known) if **known == *decision);
    Ok(facts.into_iter().find(|(_, fact)| same(fact)).map(|(_, fact)| fact.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentprov_model::{ContentId, ReviewOutcome};
    use agentprov_store::Location;

    fn decision(outcome: ReviewOutcome) -> ReviewDecision {
        let digest = ContentId::from_bytes([1; 32]);
        ReviewDecision {
            decision_id: "pd_1".into(),
            analysis_id: "rv_1".into(),
            repository: "org/name".into(),
            base_commit: "a".repeat(40),
            head_commit: "b".repeat(40),
            outcome,
            reasons: vec!["severity:high".into()],
            inputs_sha256: digest,
            lines_sha256: digest,
            findings_sha256: digest,
            policy_sha256: digest,
            rules_sha256: digest,
            version: "1".into(),
        }
    }

    #[test]
    fn a_decision_is_noted_once_and_another_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(Location::chosen(folder.path().join("store"))).unwrap();
        let note = |what: &ReviewDecision, at| note_decision(&store, what, EventTime::from_nanos(at)).unwrap();
        let warn = decision(ReviewOutcome::Warn);
        let Noted::New(first) = note(&warn, 1_000_000_000) else { panic!("it was known before") };
        assert_eq!(note(&warn, 2_000_000_000), Noted::Known(first));
        let other = ReviewDecision { policy_sha256: ContentId::from_bytes([2; 32]), ..warn.clone() };
        assert!(matches!(note(&other, 3_000_000_000), Noted::New(_)));
        let reader = store.reader().unwrap();
        let row = reader.run(&review_run("org/name")).unwrap().unwrap();
        assert_eq!(row.size, 2);
        assert!(row.id.is_of_reviews() && row.id.as_str() == "reviews/org_name");
        assert!(reader.ledger_head().unwrap().is_some_and(|(size, _)| size == 1));
    }

    #[test]
    fn any_name_of_a_repository_has_a_log() {
        for name in ["", ".", "..", "a/../b", "\u{202e}x", &"x".repeat(500)] {
            assert!(review_run(name).is_of_reviews(), "{name}");
        }
        for name in ["reviewsx", "reviews", "reviewsx/y"] {
            assert!(!RunId::new(name).unwrap().is_of_reviews(), "{name}");
        }
    }
}
