//! The store's ledger: signed, whole, and no older than what was seen before.

use crate::error::GraphError;
use crate::verify::head::{checkpoint_finding, open_head};
use crate::verify::outcome::{Check, Finding, Outcome, Place};
use crate::verify::trust::{Keys, Remembered};
use agentprov_log::{Checkpoint, Frontier, Hash, leaf_hash};
use agentprov_model::RunId;
use agentprov_store::ledger::Removal;
use agentprov_store::{LedgerEntry, LedgerEvent, Reader, StoreError};

/// The ledger as far as it could be read, and the checks over it.
pub(super) struct LedgerState {
    pub(super) checks: Vec<Check>,
    /// Entries with their numbers; None where the ledger can't be read.
    pub(super) entries: Option<Vec<LedgerEntry>>,
}

impl LedgerState {
    pub(super) fn load(reader: &Reader, keys: &Keys, remembered: &Remembered) -> Result<Self, GraphError> {
        let head = reader.ledger_head()?;
        let (bodies, entries): (Vec<Vec<u8>>, Vec<LedgerEntry>) = match reader.ledger() {
            Ok(rows) => rows.into_iter().unzip(),
            Err(StoreError::Damaged(why)) => {
                let finding = Finding::new(Outcome::Malformed, Place::default(), why);
                let checks = vec![
                    Check::made("ledger_entries", vec![finding], "the ledger can't be read"),
                    Check::skipped("ledger_checkpoint", "the ledger can't be read"),
                    Check::skipped("rollback", "the ledger can't be read"),
                ];
                return Ok(Self { checks, entries: None });
            }
            Err(error) => return Err(error.into()),
        };
        let leaves: Vec<Hash> = bodies.iter().map(|body| leaf_hash(body)).collect();
        let note = head.as_ref().map_or("", |(_, note)| note.as_str());
        let origin = reader.store().ledger_origin();
        let mut findings: Vec<Finding> = Vec::new();
        let checkpoint = match open_head(keys, note, &origin) {
            Ok(checkpoint) => Some(checkpoint),
            // A store that never had a run has no ledger yet.
            Err(_) if head.is_none() && leaves.is_empty() && reader.runs()?.is_empty() => None,
            Err(finding) => {
                findings.push(finding.within("the ledger's head"));
                None
            }
        };
        let signed = Check::made("ledger_checkpoint", findings, format!("signed head of {origin}"));
        let entries_check = entries_check(checkpoint.as_ref(), head.map(|(size, _)| size), &leaves);
        let rollback = rollback_check(remembered, &leaves);
        Ok(Self { checks: vec![signed, entries_check, rollback], entries: Some(entries) })
    }

    /// Entries about a run, with their numbers.
    pub(super) fn about(&self, run: &RunId) -> Vec<(u64, &LedgerEntry)> {
        let entries = self.entries.as_deref().unwrap_or_default();
        (0..).zip(entries).filter(|(_, entry)| entry.run == *run).collect()
    }

    /// Runs that the ledger knows, in order of their first entry, with their tombstones.
    pub(super) fn runs(&self) -> Vec<(&RunId, u64, Option<&Removal>)> {
        let mut runs: Vec<(&RunId, u64, Option<&Removal>)> = Vec::new();
        for (number, entry) in (0..).zip(self.entries.as_deref().unwrap_or_default()) {
            let tombstone = match &entry.event {
                LedgerEvent::Removed(removal) => Some(removal),
                LedgerEvent::Opened | LedgerEvent::Sealed { .. } => None,
            };
            match runs.iter_mut().find(|(run, ..)| **run == entry.run) {
                Some(known) => known.2 = known.2.or(tombstone),
                None => runs.push((&entry.run, number, tombstone)),
            }
        }
        runs
    }
}

fn entries_check(checkpoint: Option<&Checkpoint>, stored_size: Option<u64>, leaves: &[Hash]) -> Check {
    let found = leaves.len() as u64;
    let Some(checkpoint) = checkpoint else {
        return Check::skipped("ledger_entries", format!("no signed head to hold {found} entries against"));
    };
    let signed = checkpoint.size;
    let mut findings = Vec::new();
    if found < signed {
        let message = format!("{found} of the {signed} signed entries are there");
        findings.push(Finding::new(Outcome::Truncated, Place::entry(found), message));
    } else {
        if found > signed {
            let message = format!("{} entries more than were signed", found - signed);
            findings.push(Finding::new(Outcome::ExtraFacts, Place::entry(signed), message));
        }
        if root_of(&leaves[..signed as usize]) != checkpoint.root {
            let message = format!("the {signed} entries do not give the signed root");
            findings.push(Finding::new(Outcome::BrokenLink, Place::default(), message));
        }
    }
    if stored_size.is_some_and(|size| size != signed) {
        let message = format!("the store says {} entries, the signed head {signed}", stored_size.unwrap_or(0));
        findings.push(Finding::new(Outcome::BrokenLink, Place::default(), message));
    }
    Check::made("ledger_entries", findings, format!("{found} entries hashed"))
}

fn rollback_check(remembered: &Remembered, leaves: &[Hash]) -> Check {
    const NAME: &str = "rollback";
    let head = match remembered {
        Remembered::Head(head) => head,
        Remembered::Nothing => {
            return Check::skipped(NAME, "rollback not checked: this account remembers no head of the store");
        }
        Remembered::Unreadable(why) => return Check::skipped(NAME, format!("rollback not checked: {why}")),
    };
    let Some(root) = head.root_hash() else {
        return Check::skipped(NAME, "rollback not checked: the remembered head does not parse");
    };
    let found = leaves.len() as u64;
    let seen = format!("a head of {} entries, seen {}", head.size, head.at.to_rfc3339());
    let finding = if found < head.size {
        let message = format!("the ledger has {found} entries; this account remembers {seen}");
        Some(Finding::new(Outcome::Rollback, Place::entry(found), message))
    } else if root_of(&leaves[..head.size as usize]) != root {
        let message = format!("the first {} entries are not those of the remembered head", head.size);
        Some(Finding::new(Outcome::SplitView, Place::default(), message))
    } else {
        None
    };
    Check::made(NAME, finding.into_iter().collect(), seen)
}

fn root_of(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Frontier>().root()
}

/// What the ledger says of one run, against the run's own head.
pub(super) fn sealed_check(
    ledger: &LedgerState,
    run: &RunId,
    origin: &str,
    keys: &Keys,
    size: u64,
    root_at: impl Fn(u64) -> Result<Hash, StoreError>,
) -> Result<Check, GraphError> {
    const NAME: &str = "sealed_heads";
    if ledger.entries.is_none() {
        return Ok(Check::skipped(NAME, "the ledger can't be read"));
    }
    let entries = ledger.about(run);
    let mut findings = Vec::new();
    if !entries.iter().any(|(_, entry)| entry.event == LedgerEvent::Opened) {
        let message = "the ledger has no entry that opens this run";
        findings.push(Finding::new(Outcome::Unlisted, Place::name(run), message));
    }
    let mut examined = 0;
    let mut previous = 0;
    for (number, entry) in entries {
        let (what, note) = match &entry.event {
            LedgerEvent::Opened => continue,
            LedgerEvent::Sealed { attempt, checkpoint } => (format!("attempt {attempt}"), checkpoint),
            LedgerEvent::Removed(removal) => ("the removal".to_owned(), &removal.checkpoint),
        };
        examined += 1;
        let checkpoint = match keys.open(note, origin) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                let finding = checkpoint_finding(&error).within(&format!("the head sealed with {what}"));
                findings.push(Finding { place: Place::entry(number), ..finding });
                continue;
            }
        };
        let sealed = checkpoint.size;
        if sealed > size {
            let message =
                format!("the ledger has a head of {sealed} facts sealed with {what}, the run's own head has {size}");
            findings.push(Finding::new(Outcome::Rollback, Place::entry(number), message));
        } else if root_at(sealed)? != checkpoint.root {
            let message = format!("the first {sealed} facts are not those sealed with {what}");
            let place = Place { ledger_entry: Some(number), ..Place::leaves(previous, sealed) };
            findings.push(Finding::new(Outcome::SplitView, place, message));
        } else {
            previous = previous.max(sealed);
        }
    }
    Ok(Check::made(NAME, findings, format!("{examined} sealed heads compared with the log")))
}
