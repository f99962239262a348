//! Runs whose bodies were removed: the leaf hashes still give the signed root, and the ledger says who and why.

use crate::error::GraphError;
use crate::verify::ledger::{LedgerState, sealed_check};
use crate::verify::outcome::{Check, Finding, Outcome, Place};
use crate::verify::tree::{TILE, TileTree, parse_tile};
use crate::verify::trust::Keys;
use crate::verify::{RunReport, head, verdict};
use agentprov_log::{Checkpoint, Frontier, Hash};
use agentprov_model::RunId;
use agentprov_store::ledger::Removal;
use agentprov_store::{LedgerEvent, Reader, RunRow, StoreError};

pub(super) fn tombstone<'l>(ledger: &'l LedgerState, run: &RunId) -> Option<&'l Removal> {
    ledger.about(run).into_iter().rev().find_map(|(_, entry)| match &entry.event {
        LedgerEvent::Removed(removal) => Some(removal),
        LedgerEvent::Opened | LedgerEvent::Sealed { .. } => None,
    })
}

pub(super) fn removed_report(
    reader: &Reader,
    run: &RunRow,
    keys: &Keys,
    ledger: &LedgerState,
) -> Result<RunReport, GraphError> {
    let origin = reader.store().run_origin(&run.id);
    let head = head::run_head(run, keys, &origin, reader.extent(run.no)?);
    let size = head.size;
    let mut checks = vec![head.check, head::size_check(reader, run, size)?];
    let (leaves, tree) = leaf_check(reader, run, size, head.trusted.as_ref())?;
    checks.push(leaves);
    checks.push(match &tree {
        Some(tree) => sealed_check(ledger, &run.id, &origin, keys, size, |at| tree.root(at))?,
        None => Check::skipped("sealed_heads", "leaf hashes are missing"),
    });
    checks.push(tombstone_check(reader, run, ledger, size)?);
    for name in ["facts", "contents", "links", "coverage"] {
        checks.push(Check::skipped(name, "the run was removed: only its leaf hashes are left"));
    }
    Ok(RunReport {
        run_id: run.id.to_string(),
        verdict: verdict(&checks),
        checks,
        facts: 0,
        bytes: 0,
        removed: true,
        trust: keys.trust(),
    })
}

fn leaf_check<'r>(
    reader: &'r Reader,
    run: &RunRow,
    size: u64,
    head: Option<&Checkpoint>,
) -> Result<(Check, Option<TileTree<'r>>), GraphError> {
    const NAME: &str = "root";
    let (mut tiles, mut rest): (Vec<Hash>, Vec<Hash>) = (Vec::new(), Vec::new());
    for tile in 0..size.div_ceil(TILE) {
        let mut hashes = parse_tile(&reader.leaf_tile(run.no, tile)?);
        let expected = TILE.min(size - tile * TILE) as usize;
        if hashes.len() < expected {
            let from = tile * TILE + hashes.len() as u64;
            let message = format!("leaf hashes from {from} on are gone");
            let finding = Finding::new(Outcome::Truncated, Place::leaves(from, size), message);
            return Ok((Check::made(NAME, vec![finding], "leaf hashes"), None));
        }
        hashes.truncate(expected);
        match expected as u64 {
            TILE => tiles.push(hashes.into_iter().collect::<Frontier>().root()),
            _ => rest = hashes,
        }
    }
    let tree = TileTree::new(reader, run.no, tiles, rest);
    let Some(head) = head else {
        return Ok((Check::skipped(NAME, "there is no trusted head to hold the root against"), Some(tree)));
    };
    let found = tree.root(size)?;
    let mut findings = Vec::new();
    if found != head.root {
        let message = format!("the {size} leaf hashes give the root {found}, signed is {}", head.root);
        findings.push(Finding::new(Outcome::BrokenLink, Place::leaves(0, size), message));
    }
    Ok((Check::made(NAME, findings, format!("{size} leaf hashes give root {found}")), Some(tree)))
}

fn tombstone_check(reader: &Reader, run: &RunRow, ledger: &LedgerState, size: u64) -> Result<Check, GraphError> {
    let mut findings = Vec::new();
    let note = match tombstone(ledger, &run.id) {
        Some(removal) => {
            if removal.checkpoint != run.checkpoint {
                let message = "the run's head is not the one that the tombstone names";
                findings.push(Finding::new(Outcome::SplitView, Place::name(&run.id), message));
            }
            format!("removed by {} ({}), {} facts", removal.by, removal.reason, removal.facts)
        }
        None => {
            let message = "the run's bodies are gone, and the ledger has no tombstone for them";
            findings.push(Finding::new(Outcome::Removed, Place::name(&run.id), message));
            "no tombstone".to_owned()
        }
    };
    let mut left = 0u64;
    reader.bodies::<StoreError>(run.no, 0, size, |_, _| {
        left += 1;
        Ok(true)
    })?;
    if left > 0 {
        let message = format!("{left} facts are there that the tombstone says were removed");
        findings.push(Finding::new(Outcome::BrokenLink, Place::default(), message));
    }
    Ok(Check::made("tombstone", findings, note))
}
