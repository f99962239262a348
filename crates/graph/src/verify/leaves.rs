//! Every stored fact against its stored leaf hash, on all cores.
//!
//! Workers take ranges that are aligned to the tree, each with a reader of its own; what they give back is the
//! root of each tile and what does not fit.

use crate::error::GraphError;
use crate::verify::tree::{TILE, parse_tile};
use agentprov_log::{Frontier, Hash, leaf_hash};
use agentprov_model::{Content, ContentId, EventId, EventTime, Fact, Kept, LeafSet, What};
use agentprov_store::{Reader, RunNo, Seq, StoreError};
use memchr::memmem::Finder;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tiles that a worker takes at a time: 16,384 facts, some 6 MB of bodies.
const RANGE_TILES: u64 = 64;
/// Misfits that are kept for closer looks.
const KEPT_MISFITS: usize = 10_000;

/// A leaf that does not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Misfit {
    /// There is no body.
    NoBody,
    /// There is no stored leaf hash.
    NoLeaf,
    /// The body has another hash than the stored leaf.
    Differs { length: u64, computed: Hash, stored: Hash },
    /// The id does not start with the time of the fact.
    IdTime,
    /// The body is no fact.
    NoFact { why: String },
}

/// What the pass over a run's leaves gave.
#[derive(Default)]
pub(super) struct LeafPass {
    /// Root of each full tile; stored hashes, or computed ones where none is stored.
    pub(super) tiles: Vec<Hash>,
    /// Leaf hashes after the last full tile.
    pub(super) rest: Vec<Hash>,
    /// By leaf.
    pub(super) misfits: BTreeMap<Seq, Misfit>,
    /// How many there are, where not all were kept.
    pub(super) misfit_count: u64,
    /// Bodies that were hashed.
    pub(super) bodies: u64,
    /// Their length.
    pub(super) bytes: u64,
    /// Bodies that are gone on purpose, as the log itself says.
    pub(super) pruned: u64,
    /// Contents that facts say are kept.
    pub(super) contents: BTreeMap<ContentId, Content>,
}

/// Hashes the first `size` facts of a run on `threads` threads.
///
/// # Errors
/// What the store says.
pub(super) fn pass(reader: &Reader, run: RunNo, size: u64, threads: usize) -> Result<LeafPass, GraphError> {
    let pruned = reader.pruned(run)?;
    let ranges = size.div_ceil(RANGE_TILES * TILE);
    let next = AtomicU64::new(0);
    let done: Mutex<BTreeMap<u64, LeafPass>> = Mutex::new(BTreeMap::new());
    let work = |reader: &Reader| -> Result<(), GraphError> {
        loop {
            let range = next.fetch_add(1, Ordering::Relaxed);
            if range >= ranges {
                return Ok(());
            }
            let from = range * RANGE_TILES * TILE;
            let part = hash_range(reader, run, from, size.min(from + RANGE_TILES * TILE), &pruned.leaves)?;
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(range, part);
        }
    };
    let helpers = threads.min(usize::try_from(ranges).unwrap_or(usize::MAX)).saturating_sub(1);
    let store = reader.store();
    std::thread::scope(|scope| {
        let helper = || -> Result<(), GraphError> { work(&store.reader()?) };
        let handles: Vec<_> = (0..helpers).map(|_| scope.spawn(helper)).collect();
        let own = work(reader);
        let joined = handles.into_iter().map(|handle| match handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.fold(own, Result::and)
    })?;
    let mut whole = LeafPass::default();
    for part in done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values() {
        whole.tiles.extend(part.tiles);
        whole.rest = part.rest;
        whole.misfit_count += part.misfit_count;
        for (seq, misfit) in part.misfits {
            if whole.misfits.len() < KEPT_MISFITS {
                whole.misfits.insert(seq, misfit);
            }
        }
        whole.bodies += part.bodies;
        whole.bytes += part.bytes;
        whole.pruned += part.pruned;
        for (id, content) in part.contents {
            note_content(&mut whole.contents, id, content);
        }
    }
    for content in &pruned.contents {
        whole.contents.remove(content);
    }
    Ok(whole)
}

/// A content may be named several times; that it is stored says more than that git has it.
fn note_content(contents: &mut BTreeMap<ContentId, Content>, id: ContentId, content: Content) {
    let known = contents.entry(id).or_insert_with(|| content.clone());
    if content.kept == Kept::Stored {
        known.kept = Kept::Stored;
    }
    known.git = known.git.or(content.git);
}

struct Range<'p> {
    pruned: &'p LeafSet,
    part: LeafPass,
    leaves: Vec<Option<Hash>>,
    from: Seq,
    expected: Seq,
    content_marks: [Finder<'static>; 3],
}

fn hash_range(reader: &Reader, run: RunNo, from: Seq, to: Seq, pruned: &LeafSet) -> Result<LeafPass, GraphError> {
    let mut leaves: Vec<Option<Hash>> = Vec::with_capacity((to - from) as usize);
    for tile in from / TILE..to.div_ceil(TILE) {
        let hashes = parse_tile(&reader.leaf_tile(run, tile)?);
        let expected = TILE.min(to - tile * TILE) as usize;
        leaves.extend((0..expected).map(|index| hashes.get(index).copied()));
    }
    let content_marks = [
        Finder::new(b"\"what\":{\"file_version\""),
        Finder::new(b"\"what\":{\"output\""),
        Finder::new(b"\"what\":{\"raw_lines\""),
    ];
    let mut range = Range { pruned, part: LeafPass::default(), leaves, from, expected: from, content_marks };
    reader.bodies::<StoreError>(run, from, to, |seq, body| {
        range.take(seq, body);
        Ok(true)
    })?;
    range.missing_until(to);
    let Range { mut part, leaves, .. } = range;
    // A leaf that has neither body nor hash can't be guessed; the root will not fit.
    let leaves: Vec<Hash> = leaves.into_iter().map(|leaf| leaf.unwrap_or(Hash([0; 32]))).collect();
    let (full, rest) = leaves.as_chunks::<{ TILE as usize }>();
    part.tiles = full.iter().map(|tile| tile.iter().copied().collect::<Frontier>().root()).collect();
    part.rest = rest.to_vec();
    Ok(part)
}

impl Range<'_> {
    fn misfit(&mut self, seq: Seq, misfit: Misfit) {
        self.part.misfit_count += 1;
        if self.part.misfits.len() < KEPT_MISFITS {
            self.part.misfits.insert(seq, misfit);
        }
    }

    fn missing_until(&mut self, seq: Seq) {
        for missing in self.expected..seq {
            if self.pruned.contains(missing) {
                self.part.pruned += 1;
            } else {
                self.misfit(missing, Misfit::NoBody);
            }
        }
        self.expected = seq;
    }

    fn take(&mut self, seq: Seq, body: &[u8]) {
        self.missing_until(seq);
        self.expected = seq + 1;
        self.part.bodies += 1;
        self.part.bytes += body.len() as u64;
        let computed = leaf_hash(body);
        let place = (seq - self.from) as usize;
        match self.leaves[place] {
            Some(stored) if stored == computed => match look_inside(body) {
                Ok(true) => {}
                Ok(false) => self.misfit(seq, Misfit::IdTime),
                Err(why) => self.misfit(seq, Misfit::NoFact { why }),
            },
            Some(stored) => self.misfit(seq, Misfit::Differs { length: body.len() as u64, computed, stored }),
            None => {
                self.misfit(seq, Misfit::NoLeaf);
                self.leaves[place] = Some(computed);
            }
        }
        if self.content_marks.iter().any(|mark| mark.find(body).is_some()) {
            self.contents_of(body);
        }
    }

    fn contents_of(&mut self, body: &[u8]) {
        let Ok(fact) = Fact::from_body(body) else { return };
        let found = match fact.what {
            What::FileVersion(version) => [version.before.content().cloned(), version.after.content().cloned()],
            What::Output(output) => [Some(output.content), None],
            What::RawLines(lines) => [Some(lines.content), None],
            _ => return,
        };
        for content in found.into_iter().flatten() {
            if !matches!(content.kept, Kept::HashOnly(_)) {
                note_content(&mut self.part.contents, content.sha256, content);
            }
        }
    }
}

/// Whether the id starts with the time. A body that our own writer made begins with id and time, and is not
/// parsed further; any other is parsed whole.
fn look_inside(body: &[u8]) -> Result<bool, String> {
    if let Some((id, at)) = head_of(body) {
        return Ok(id[..6] == EventId::time_prefix(at));
    }
    let fact = Fact::from_body(body).map_err(|error| error.to_string())?;
    Ok(fact.id.as_bytes()[..6] == EventId::time_prefix(fact.at))
}

fn head_of(body: &[u8]) -> Option<([u8; 16], EventTime)> {
    let rest = body.strip_prefix(b"{\"id\":\"evt-")?;
    let (hex, rest) = rest.split_at_checked(32)?;
    let mut id = [0u8; 16];
    data_encoding::HEXLOWER.decode_mut(hex, &mut id).ok()?;
    let rest = rest.strip_prefix(b"\",\"at\":")?;
    let end = rest.iter().position(|byte| *byte == b',')?;
    let at = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    body.ends_with(b"}}").then(|| (id, EventTime::from_nanos(at)))
}
