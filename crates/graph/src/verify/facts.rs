//! What the pass over the leaves means, once the signed root says which side of a misfit is right.

use crate::error::GraphError;
use crate::verify::leaves::{LeafPass, Misfit};
use crate::verify::outcome::{Check, Finding, Outcome, Place};
use crate::verify::tree::{TILE, TileTree, parse_tile};
use agentprov_log::{Checkpoint, Frontier, Hash};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::{BTreeMap, HashMap};

/// Checks `facts` and `root`, and the tree for what comes after.
pub(super) fn fact_checks<'r>(
    reader: &'r Reader,
    run: &RunRow,
    size: u64,
    head: Option<&Checkpoint>,
    pass: &LeafPass,
) -> Result<(Check, Check, TileTree<'r>), GraphError> {
    let tree = TileTree::new(reader, run.no, pass.tiles.clone(), pass.rest.clone());
    let stored_root = tree.root(size)?;
    let signed = head.map(|head| head.root);
    let differing: BTreeMap<Seq, Hash> = pass
        .misfits
        .iter()
        .filter_map(|(seq, misfit)| match misfit {
            Misfit::Differs { computed, .. } => Some((*seq, *computed)),
            _ => None,
        })
        .collect();
    let right = match signed {
        Some(signed) if signed == stored_root => Right::Leaves,
        Some(signed) if !differing.is_empty() && substituted_root(reader, run, &tree, pass, &differing)? == signed => {
            Right::Bodies
        }
        _ => Right::Unknown,
    };
    let mut findings = ranges(pass, size);
    findings.extend(differences(reader, run, size, pass, &differing, right)?);
    findings.sort_by_key(|finding| finding.place.leaf);
    let examined = format!("{} facts hashed, {} bytes", pass.bodies, pass.bytes);
    let mut facts = Check::made("facts", findings, examined);
    if pass.misfit_count > pass.misfits.len() as u64 {
        facts.finding_count = Some(pass.misfit_count);
    }
    let root = root_check(run, signed, stored_root, right, size);
    Ok((facts, root, tree))
}

/// Which side of a difference the signed root is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Leaves,
    Bodies,
    Unknown,
}

fn root_check(run: &RunRow, signed: Option<Hash>, stored: Hash, right: Right, size: u64) -> Check {
    let Some(signed) = signed else {
        return Check::skipped("root", "there is no trusted head to hold the root against");
    };
    let mut findings = Vec::new();
    if right != Right::Leaves {
        let message = match right {
            Right::Bodies => "the stored leaf hashes do not give the signed root; the facts themselves do".to_owned(),
            _ => format!("the {size} leaves give the root {stored}, signed is {signed}"),
        };
        findings.push(Finding::new(Outcome::BrokenLink, Place::leaves(0, size), message));
    }
    if let Ok(frontier) = Frontier::from_bytes(&run.frontier)
        && frontier.size() == size
        && frontier.root() != signed
    {
        let message = "the tree's frontier does not give the signed root";
        findings.push(Finding::new(Outcome::BrokenLink, Place::default(), message));
    }
    Check::made("root", findings, format!("root {signed}"))
}

/// Misfits that need no second look, neighbours joined.
fn ranges(pass: &LeafPass, size: u64) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut open: Option<(Seq, Seq, &Misfit)> = None;
    let mut close = |range: Option<(Seq, Seq, &Misfit)>| {
        let Some((from, to, misfit)) = range else { return };
        let (outcome, message) = match misfit {
            Misfit::NoBody if to == size => {
                (Outcome::Truncated, format!("the last {} of {size} facts are gone, from fact {from} on", to - from))
            }
            Misfit::NoBody => (Outcome::MissingBody, format!("the bytes of {} are gone", span(from, to))),
            Misfit::NoLeaf => (Outcome::BrokenLink, format!("no leaf hash is stored for {}", span(from, to))),
            Misfit::IdTime => {
                (Outcome::BrokenLink, format!("the id of {} does not start with its time", span(from, to)))
            }
            Misfit::NoFact { why } => (Outcome::Malformed, format!("{} can't be read: {why}", span(from, to))),
            Misfit::Differs { .. } => return,
        };
        findings.push(Finding::new(outcome, Place::leaves(from, to), message));
    };
    for (&seq, misfit) in &pass.misfits {
        open = match open.take() {
            Some((from, to, known)) if to == seq && known == misfit => Some((from, seq + 1, known)),
            other => {
                close(other);
                Some((seq, seq + 1, misfit))
            }
        };
    }
    close(open);
    findings
}

fn span(from: Seq, to: Seq) -> String {
    if to == from + 1 { format!("fact {from}") } else { format!("facts {from} to {}", to - 1) }
}

fn differences(
    reader: &Reader,
    run: &RunRow,
    size: u64,
    pass: &LeafPass,
    differing: &BTreeMap<Seq, Hash>,
    right: Right,
) -> Result<Vec<Finding>, GraphError> {
    if differing.is_empty() {
        return Ok(Vec::new());
    }
    // Where a body's hash is that of another leaf, the body was moved or copied from there.
    let mut home: HashMap<Hash, Seq> = HashMap::new();
    let mut wanted: HashMap<Hash, ()> = differing.values().map(|hash| (*hash, ())).collect();
    for tile in 0..size.div_ceil(TILE) {
        for (index, leaf) in (0..).zip(parse_tile(&reader.leaf_tile(run.no, tile)?)) {
            if wanted.remove(&leaf).is_some() {
                home.insert(leaf, tile * TILE + index);
            }
        }
    }
    let finding = |(seq, computed): (&Seq, &Hash)| {
        let length = match pass.misfits.get(seq) {
            Some(Misfit::Differs { length, .. }) => *length,
            _ => 0,
        };
        let place = Place { bytes: Some((0, length)), ..Place::leaf(*seq) };
        let (outcome, message) = match (right, home.get(computed)) {
            (Right::Bodies, _) => (
                Outcome::BrokenLink,
                format!("the stored leaf hash of fact {seq} is not that of its bytes; the signed root wants the bytes"),
            ),
            (_, Some(from)) if differing.contains_key(from) => {
                (Outcome::Reordered, format!("at fact {seq} stands the body of fact {from}"))
            }
            (_, Some(from)) => (Outcome::Duplicate, format!("at fact {seq} stands a copy of fact {from}")),
            (Right::Leaves, None) => {
                (Outcome::AlteredFact, format!("the {length} bytes of fact {seq} are not those that were signed"))
            }
            (Right::Unknown, None) => (
                Outcome::AlteredFact,
                format!(
                    "the {length} bytes of fact {seq} do not have the stored leaf hash, and no signed root says which is right"
                ),
            ),
        };
        Finding::new(outcome, place, message)
    };
    Ok(differing.iter().map(finding).collect())
}

/// The root with computed hashes in place of the stored ones that differ.
fn substituted_root(
    reader: &Reader,
    run: &RunRow,
    tree: &TileTree<'_>,
    pass: &LeafPass,
    differing: &BTreeMap<Seq, Hash>,
) -> Result<Hash, GraphError> {
    let (mut tiles, mut rest) = (pass.tiles.clone(), pass.rest.clone());
    let mut changed: BTreeMap<u64, Vec<(usize, Hash)>> = BTreeMap::new();
    for (seq, computed) in differing {
        changed.entry(seq / TILE).or_default().push(((seq % TILE) as usize, *computed));
    }
    for (tile, hashes) in changed {
        let full = (tile as usize) < tiles.len();
        let mut leaves = if full { parse_tile(&reader.leaf_tile(run.no, tile)?) } else { rest.clone() };
        for (index, computed) in hashes {
            if let Some(leaf) = leaves.get_mut(index) {
                *leaf = computed;
            }
        }
        match full {
            true => tiles[tile as usize] = leaves.into_iter().collect::<Frontier>().root(),
            false => rest = leaves,
        }
    }
    let size = tree.size();
    Ok(TileTree::new(reader, run.no, tiles, rest).root(size)?)
}
