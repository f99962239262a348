//! Recomputing everything that the store derives, and comparing.
//!
//! `verify` asks whether the evidence is what was signed; `fsck` asks whether the store is in order: leaves, roots,
//! counts and indexes are computed anew from the facts, and every blob is read.

mod digest;
mod git_check;

use crate::Seq;
use crate::error::StoreError;
use crate::outline::Outline;
use crate::reader::{Reader, RunRow};
use crate::store::Store;
use crate::tail::TILE;
use crate::version_runs;
use agentprov_log::{Checkpoint, Frontier};
use agentprov_model::{Fact, LeafSet};
use digest::IndexDigest;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What `fsck` found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs looked at.
    pub runs: u64,
    /// Facts whose leaf was computed anew.
    pub facts: u64,
    /// Blobs that were read and hashed.
    pub blobs: u64,
    /// Contents looked up in git.
    pub in_git: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Short code, such as `leaf-mismatch`.
    pub code: &'static str,
    /// The run, blob or file.
    pub subject: String,
    /// What was expected and what was found.
    pub detail: String,
    /// False where evidence is not touched by it, such as a left-over file.
    pub serious: bool,
}

impl Report {
    /// True where nothing serious was found.
    pub fn is_clean(&self) -> bool {
        self.problems.iter().all(|problem| !problem.serious)
    }

    fn serious(&mut self, code: &'static str, subject: impl ToString, detail: impl Into<String>) {
        let subject = subject.to_string();
        self.problems.push(Problem { code, subject, detail: detail.into(), serious: true });
    }

    fn minor(&mut self, code: &'static str, subject: impl ToString, detail: impl Into<String>) {
        let subject = subject.to_string();
        self.problems.push(Problem { code, subject, detail: detail.into(), serious: false });
    }
}

/// Checks the whole store; `progress` gets a line of text and a fraction of the work.
///
/// # Errors
/// When the store can't be read at all; what is wrong inside it is in the report.
pub fn check(store: &Store, progress: &mut dyn FnMut(&str, f64)) -> Result<Report, StoreError> {
    let reader = store.reader()?;
    let mut report = Report::default();
    check_database(&reader, &mut report)?;
    let runs = reader.runs()?;
    let all_facts = runs.iter().fold(0u64, |sum, run| sum.saturating_add(run.size));
    for run in &runs {
        progress(run.id.as_str(), report.facts as f64 / all_facts.max(1) as f64);
        check_run(&reader, run, &mut report)?;
    }
    check_ledger(&reader, &mut report)?;
    check_blobs(&reader, &runs, &mut report, progress)?;
    check_left_overs(&reader, &mut report)?;
    Ok(report)
}

fn check_database(reader: &Reader, report: &mut Report) -> Result<(), StoreError> {
    let mut statement = reader.connection().prepare("PRAGMA quick_check(10)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            report.serious("database", "store.db", line);
        }
    }
    Ok(())
}

fn check_run(reader: &Reader, run: &RunRow, report: &mut Report) -> Result<(), StoreError> {
    report.runs += 1;
    let frontier = if run.removed.is_some() { from_tiles(reader, run)? } else { check_facts(reader, run, report)? };
    if frontier.size() != run.size {
        let detail = format!("the run says {} facts, {} are there", run.size, frontier.size());
        report.serious("size-mismatch", &run.id, detail);
    }
    let stored = Frontier::from_bytes(&run.frontier).map(|frontier| frontier.root());
    if stored != Ok(frontier.root()) {
        report.serious("root-mismatch", &run.id, "the root over the facts is not the root that is stored");
    }
    check_head(reader, &reader.store().run_origin(&run.id), &run.checkpoint, &frontier, run.id.as_str(), report)
}

fn from_tiles(reader: &Reader, run: &RunRow) -> Result<Frontier, StoreError> {
    let hashes = reader.leaf_hashes(run.no, run.size).unwrap_or_default();
    Ok(hashes.into_iter().collect())
}

/// Computes leaves, counts and index entries from the facts and compares them with what is stored.
fn check_facts(reader: &Reader, run: &RunRow, report: &mut Report) -> Result<Frontier, StoreError> {
    let mut frontier = Frontier::new();
    let mut expected = IndexDigest::default();
    let mut versions = version_runs::Expected::default();
    let mut counts: BTreeMap<(u8, Cow<'static, str>), u64> = BTreeMap::new();
    let mut tile: Vec<u8> = Vec::new();
    let mut tile_no = u64::MAX;
    let pruned = reader.pruned(run.no)?.leaves;
    reader.bodies::<StoreError>(run.no, 0, u64::MAX >> 24, |seq, body| {
        report.facts += 1;
        pass_pruned(reader, run, &pruned, seq, &mut frontier)?;
        if seq != frontier.size() {
            report.serious("sequence-gap", &run.id, format!("fact {seq} stands where {} is due", frontier.size()));
        }
        let leaf = agentprov_log::leaf_hash(body);
        frontier.push(leaf);
        if seq / TILE != tile_no {
            tile_no = seq / TILE;
            tile = reader.leaf_tile(run.no, tile_no)?;
        }
        let at = (seq % TILE) as usize * 32;
        if tile.get(at..at + 32) != Some(&leaf.0[..]) {
            report.serious(
                "leaf-mismatch",
                &run.id,
                format!("fact {seq} does not have the hash that was stored for it"),
            );
        }
        match Fact::from_body(body) {
            Ok(fact) => {
                let outline = Outline::of(&fact);
                expected.add_fact(seq, &outline);
                versions.add(&outline);
                for count in outline.all_counts() {
                    *counts.entry((count.group as u8, count.name)).or_default() += 1;
                }
            }
            Err(error) => report.serious("malformed-fact", &run.id, format!("fact {seq} does not parse: {error}")),
        }
        Ok(true)
    })?;
    pass_pruned(reader, run, &pruned, run.size, &mut frontier)?;
    compare_indexes(reader, run, &expected, report)?;
    if !versions.is_met(reader.connection(), run.no)? {
        report.serious("index-mismatch", &run.id, "the index of versions lacks what the facts give");
    }
    compare_counts(reader, run, &counts, report)?;
    Ok(frontier)
}

/// Of bodies that are gone on purpose the stored leaf hash counts, up to `seq`.
fn pass_pruned(
    reader: &Reader,
    run: &RunRow,
    pruned: &LeafSet,
    seq: Seq,
    frontier: &mut Frontier,
) -> Result<(), StoreError> {
    while frontier.size() < seq && pruned.contains(frontier.size()) {
        let tile = reader.leaf_tile(run.no, frontier.size() / TILE)?;
        let at = (frontier.size() % TILE) as usize * 32;
        let Some(hash) = tile.get(at..at + 32).and_then(|bytes| bytes.try_into().ok()) else { return Ok(()) };
        frontier.push(agentprov_log::Hash(hash));
    }
    Ok(())
}

fn compare_indexes(
    reader: &Reader,
    run: &RunRow,
    expected: &IndexDigest,
    report: &mut Report,
) -> Result<(), StoreError> {
    let found = IndexDigest::of_stored(reader, run.no)?;
    for (name, same) in [("order", found.events == expected.events), ("posting", found.postings == expected.postings)] {
        if !same {
            report.serious("index-mismatch", &run.id, format!("the {name} index is not what the facts give"));
        }
    }
    Ok(())
}

fn compare_counts(
    reader: &Reader,
    run: &RunRow,
    expected: &BTreeMap<(u8, Cow<'static, str>), u64>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut statement = reader.connection().prepare_cached("SELECT grp, name, count FROM tally WHERE run = ?1")?;
    let rows = statement.query_map([run.no.0], |row| {
        Ok(((row.get::<_, u8>(0)?, row.get::<_, String>(1)?), row.get::<_, i64>(2)? as u64))
    })?;
    let found: BTreeMap<(u8, String), u64> = rows.collect::<Result<_, _>>()?;
    let expected: BTreeMap<(u8, String), u64> =
        expected.iter().map(|((group, name), count)| ((*group, name.to_string()), *count)).collect();
    if found != expected {
        report.serious("count-mismatch", &run.id, format!("counts are {found:?}, the facts give {expected:?}"));
    }
    Ok(())
}

fn check_head(
    reader: &Reader,
    origin: &str,
    note: &str,
    frontier: &Frontier,
    subject: &str,
    report: &mut Report,
) -> Result<(), StoreError> {
    let keys = reader.store().verifier_keys()?;
    match Checkpoint::open(note, Some(origin), &keys) {
        Err(error) => report.serious("bad-checkpoint", subject, error.to_string()),
        Ok(head) if head.size != frontier.size() || head.root != frontier.root() => report.serious(
            "checkpoint-mismatch",
            subject,
            format!("it was signed over {} facts, {} are there, or their root differs", head.size, frontier.size()),
        ),
        Ok(_) => {}
    }
    Ok(())
}

fn check_ledger(reader: &Reader, report: &mut Report) -> Result<(), StoreError> {
    let Some((_, checkpoint)) = reader.ledger_head()? else { return Ok(()) };
    let entries = match reader.ledger() {
        Ok(entries) => entries,
        Err(error) => {
            report.serious("malformed-ledger", "ledger", error.to_string());
            return Ok(());
        }
    };
    let frontier: Frontier = entries.iter().map(|(body, _)| agentprov_log::leaf_hash(body)).collect();
    check_head(reader, &reader.store().ledger_origin(), &checkpoint, &frontier, "ledger", report)
}

fn check_blobs(
    reader: &Reader,
    runs: &[RunRow],
    report: &mut Report,
    progress: &mut dyn FnMut(&str, f64),
) -> Result<(), StoreError> {
    let blobs = reader.store().blobs();
    let mut statement = reader.connection().prepare("SELECT sha256, git, size FROM blob ORDER BY sha256")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, i64>(2)? as u64))
    })?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let mut external = Vec::new();
    for (index, (sha256, git, size)) in rows.iter().enumerate() {
        progress("blobs", index as f64 / rows.len() as f64);
        let id = agentprov_model::ContentId::from_bytes(*sha256);
        match blobs.get(&id) {
            Err(error) => report.serious("blob-corrupt", id, error.to_string()),
            Ok(Some(bytes)) => {
                report.blobs += 1;
                if bytes.len() as u64 != *size {
                    report.serious("blob-corrupt", id, format!("it has {} bytes, {size} were recorded", bytes.len()));
                }
            }
            Ok(None) => external.push((id, git.clone())),
        }
    }
    let workspaces = workspaces(reader, runs)?;
    let gone: Vec<String> =
        workspaces.iter().filter(|path| !path.join(".git").exists()).map(|path| path.display().to_string()).collect();
    for (id, git) in external {
        report.in_git += 1;
        if git.is_some_and(|git| git_check::holds(&workspaces, &git, &id)) {
            continue;
        }
        if gone.is_empty() {
            report.serious("external-missing", id, "neither the blob folder nor git in a recorded workspace has it");
        } else {
            // Whoever moved a workspace took its git along: nothing is known to be lost.
            let detail = format!("git held it, and {} is no git work tree any more", gone.join(", "));
            report.minor("external-unreachable", id, detail);
        }
    }
    Ok(())
}

/// Workspaces of every recorded attempt: their git repositories may hold contents.
fn workspaces(reader: &Reader, runs: &[RunRow]) -> Result<Vec<PathBuf>, StoreError> {
    use agentprov_model::index::{IndexKey, KeyKind};
    use std::os::unix::ffi::OsStrExt;
    let key = IndexKey { kind: KeyKind::Type, value: agentprov_model::EventType::ToolCallStart.name().as_bytes() };
    let mut found = Vec::new();
    for run in runs.iter().filter(|run| run.removed.is_none()) {
        // A damaged fact was reported above; its workspace is then not known.
        for (_, fact) in reader.facts_by_key(run.no, key).unwrap_or_default() {
            if let agentprov_model::What::AttemptStarted(started) = fact.what {
                let path = PathBuf::from(std::ffi::OsStr::from_bytes(started.workspace.as_bytes()));
                if !found.contains(&path) {
                    found.push(path);
                }
            }
        }
    }
    Ok(found)
}

fn check_left_overs(reader: &Reader, report: &mut Report) -> Result<(), StoreError> {
    let blobs = reader.store().blobs();
    for id in blobs.list()? {
        if reader.blob_row(&id)?.is_none() {
            report.minor("blob-unused", id, "no fact refers to it; `agentprov gc` removes it");
        }
    }
    for draft in blobs.drafts()? {
        report.minor("draft-left", draft.display(), "a killed writer left it; `agentprov gc` removes it");
    }
    Ok(())
}
