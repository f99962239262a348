//! The signed head of a log: who signed it, of which log, over how many leaves.

use crate::error::GraphError;
use crate::verify::outcome::{Check, Finding, Outcome, Place};
use crate::verify::trust::Keys;
use agentprov_log::{Checkpoint, CheckpointError, Frontier, SignedNote, leaf_hash};
use agentprov_store::{Reader, RunRow, Seq, StoreError};

/// One past the largest sequence number that a store can hold.
const SEQ_END: Seq = (1 << 40) - 1;

/// A head that was opened, or as much as can be read of one that can't be trusted.
pub(super) struct Head {
    /// Only a trusted head is here.
    pub(super) trusted: Option<Checkpoint>,
    /// Leaves that it speaks of: signed where trusted, else claimed.
    pub(super) size: u64,
    pub(super) check: Check,
}

/// `extent` is what the store really has: a size that nobody signed is not followed beyond it.
pub(super) fn run_head(run: &RunRow, keys: &Keys, origin: &str, extent: u64) -> Head {
    let claimed = || {
        let note = SignedNote::parse(&run.checkpoint).ok()?;
        Checkpoint::parse(&note.text).ok().map(|checkpoint| checkpoint.size)
    };
    match open_head(keys, &run.checkpoint, origin) {
        Ok(checkpoint) => {
            let signers = keys.signers(&run.checkpoint).unwrap_or_default().join(", ");
            let check = Check::made("checkpoint", Vec::new(), format!("signed by {signers}"));
            Head { size: checkpoint.size, trusted: Some(checkpoint), check }
        }
        Err(finding) => {
            let size = claimed().unwrap_or(run.size).min(extent);
            Head { trusted: None, size, check: Check::made("checkpoint", vec![finding], format!("head of {origin}")) }
        }
    }
}

/// Opens a head, or says as a finding why it can't be trusted.
#[allow(clippy::result_large_err, reason = "made once a log, and handed on as it is")]
pub(super) fn open_head(keys: &Keys, note: &str, origin: &str) -> Result<Checkpoint, Finding> {
    if keys.trusted.is_empty() && !note.is_empty() {
        let message = "no key of the store is known, so nobody's signature can be checked";
        return Err(Finding::new(Outcome::UnknownKey, Place::default(), message));
    }
    keys.open(note, origin).map_err(|error| checkpoint_finding(&error))
}

pub(super) fn checkpoint_finding(error: &CheckpointError) -> Finding {
    let outcome = match error {
        CheckpointError::Malformed(_) => Outcome::Malformed,
        CheckpointError::Unsigned => Outcome::Unsigned,
        CheckpointError::NoKnownKey => Outcome::UnknownKey,
        CheckpointError::InvalidSignature { .. } => Outcome::InvalidSignature,
        CheckpointError::OriginMismatch { .. } => Outcome::SubjectMismatch,
    };
    Finding::new(outcome, Place::default(), error.to_string())
}

impl Finding {
    pub(super) fn within(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

/// How much is there against how much was signed.
pub(super) fn size_check(reader: &Reader, run: &RunRow, size: u64) -> Result<Check, GraphError> {
    let mut findings = Vec::new();
    let mut sized = |what: &str, found: u64| {
        let message = format!("the head speaks of {size} facts, {what} of {found}");
        match found.cmp(&size) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => {
                findings.push(Finding::new(Outcome::Truncated, Place::leaves(found, size), message))
            }
            std::cmp::Ordering::Greater => {
                findings.push(Finding::new(Outcome::ExtraFacts, Place::leaves(size, found), message));
            }
        }
    };
    sized("the run's row", run.size);
    match Frontier::from_bytes(&run.frontier) {
        Ok(frontier) => sized("the tree's frontier", frontier.size()),
        Err(error) => {
            findings.push(Finding::new(Outcome::Malformed, Place::default(), format!("the tree's frontier: {error}")))
        }
    }
    let mut extra: Vec<(Seq, agentprov_log::Hash, u64)> = Vec::new();
    reader.bodies::<StoreError>(run.no, size, SEQ_END, |seq, body| {
        extra.push((seq, leaf_hash(body), body.len() as u64));
        Ok(true)
    })?;
    if !extra.is_empty() {
        let known = reader.leaf_hashes(run.no, size).unwrap_or_default();
        for (seq, hash, length) in extra {
            let place = Place { bytes: Some((0, length)), ..Place::leaf(seq) };
            findings.push(match known.iter().position(|leaf| *leaf == hash) {
                Some(first) => {
                    let message = format!("fact {seq} lies beyond the signed head and repeats fact {first}");
                    Finding::new(Outcome::Duplicate, place, message)
                }
                None => Finding::new(Outcome::ExtraFacts, place, format!("fact {seq} lies beyond the signed head")),
            });
        }
    }
    Ok(Check::made("size", findings, format!("{size} facts")))
}
