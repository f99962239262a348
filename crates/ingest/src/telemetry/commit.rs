//! Committing chunks, and the manifests at the end.

use super::IngestSummary;
use super::chunk::{Chunk, Entry};
use super::prepare::engine_fact;
use super::request::IngestRequest;
use super::row::RowResult;
use agentprov_model::telemetry::RowTotals;
use agentprov_model::{
    Basis, BatchId, Content, ContentId, EventId, EventTime, IngestBatch, Kept, LeafSet, RawLines, RunId, SourceName,
    What,
};
use agentprov_store::{Appended, Batch, Blobs, Durability, Prepared, PreparedList, RunNo, StoreError, Writer};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Writes chunks, each in one transaction.
pub(super) struct Committer {
    writer: Writer,
    blobs: Blobs,
    logs: Vec<Log>,
    known: u64,
    all_ids: Sha256,
}

/// What one log got.
struct Log {
    run: RunId,
    /// Ranges of leaves, as they came.
    ranges: Vec<(u64, u64)>,
    /// Over ids in the order they came; that of the leaves as long as `ordered`.
    ids: Sha256,
    ordered: bool,
    last: Option<EventTime>,
    sources: BTreeSet<SourceName>,
}

impl Log {
    fn new(run: RunId) -> Self {
        Self { run, ranges: Vec::new(), ids: Sha256::new(), ordered: true, last: None, sources: BTreeSet::new() }
    }

    fn add(&mut self, leaf: u64, id: &str, at: EventTime, source: &SourceName) {
        match self.ranges.last_mut() {
            Some((first, count)) if *first + *count == leaf => *count += 1,
            last => {
                self.ordered &= last.is_none_or(|(first, count)| *first + *count <= leaf);
                self.ranges.push((leaf, 1));
            }
        }
        hash_id(&mut self.ids, id);
        self.last = self.last.max(Some(at));
        if !self.sources.contains(source) {
            self.sources.insert(source.clone());
        }
    }
}

fn hash_id(hasher: &mut Sha256, id: &str) {
    hasher.update(id.as_bytes());
    hasher.update([0]);
}

impl Committer {
    pub(super) fn new(writer: Writer, blobs: Blobs) -> Self {
        Self { writer, blobs, logs: Vec::new(), known: 0, all_ids: Sha256::new() }
    }

    pub(super) fn commit(&mut self, chunk: &mut Chunk, on_row: &mut dyn FnMut(&RowResult)) -> Result<(), StoreError> {
        let Chunk { new_logs, facts, entries, rows, raw } = chunk;
        self.logs.extend(new_logs.drain(..).map(Log::new));
        if !entries.is_empty() {
            // Before the transaction, which others wait for.
            facts.hash();
            let (logs, blobs) = (&self.logs, &self.blobs);
            let appended = self
                .writer
                .transaction(Durability::Process, |batch| append(batch, (logs, blobs), facts, entries, raw))?;
            self.note(entries, &appended);
        }
        rows.iter().for_each(on_row);
        Ok(())
    }

    fn note(&mut self, entries: &[Entry], appended: &[Appended]) {
        for (entry, appended) in entries.iter().zip(appended) {
            let (Some(event), Some(log)) = (&entry.event, self.logs.get_mut(entry.log)) else { continue };
            let leaf = match *appended {
                Appended::New(leaf) => leaf,
                Appended::Known(leaf) => {
                    self.known += 1;
                    leaf
                }
            };
            let id = event.id.to_text();
            log.add(leaf, id.as_str(), event.at, &event.source);
            hash_id(&mut self.all_ids, id.as_str());
        }
    }

    /// Writes the manifests. They wait for the disk: after them the whole input is safe.
    pub(super) fn finish(
        mut self,
        request: &IngestRequest,
        input_sha256: ContentId,
        input_bytes: u64,
        rows: RowTotals,
        now: EventTime,
    ) -> Result<IngestSummary, StoreError> {
        let mut logs = std::mem::take(&mut self.logs);
        if logs.iter().all(|log| log.ranges.is_empty()) {
            // Nothing came of the input; that too is kept, in the log that was named.
            logs.retain(|log| Some(&log.run) == request.provided.run.as_ref());
            if let (true, Some(run)) = (logs.is_empty(), &request.provided.run) {
                logs.push(Log::new(run.clone()));
            }
        } else {
            logs.retain(|log| !log.ranges.is_empty());
        }
        logs.sort_by_key(|log| Some(&log.run) != request.provided.run.as_ref());
        let mut batches = Vec::new();
        let mut manifests = Vec::new();
        for log in logs {
            let batch = self.manifest(&log, request, input_sha256, input_bytes, rows)?;
            let at = log.last.unwrap_or(now);
            let id = EventId::derive(at, &[b"batch", batch.id.as_str().as_bytes(), batch.event_ids_sha256.as_bytes()]);
            batches.push(batch.id.clone());
            let fact = engine_fact(id, at, now, Basis::Observed, What::IngestBatch(batch));
            manifests.push((log.run, Prepared::new(&fact)));
        }
        self.writer.transaction(Durability::Power, |batch| {
            for (run, fact) in &manifests {
                let run = batch.open_run(run)?;
                batch.append(run, fact)?;
            }
            Ok(())
        })?;
        Ok(IngestSummary {
            batches,
            input_sha256,
            input_bytes,
            rows,
            known: self.known,
            event_ids_sha256: ContentId::from_bytes(self.all_ids.finalize().into()),
        })
    }

    fn manifest(
        &self,
        log: &Log,
        request: &IngestRequest,
        input_sha256: ContentId,
        input_bytes: u64,
        rows: RowTotals,
    ) -> Result<IngestBatch, StoreError> {
        let leaves = LeafSet::of_ranges(log.ranges.clone());
        let event_ids_sha256 =
            if log.ordered { log.ids.clone().finalize().into() } else { self.reread_ids(log, &leaves)? };
        Ok(IngestBatch {
            id: batch_id(&log.run, request, &input_sha256)?,
            format: request.format.to_string(),
            path: request.path.clone(),
            input_sha256,
            input_bytes,
            from_offset: request.from_offset,
            rows,
            sources: log.sources.iter().cloned().collect(),
            leaves,
            event_ids_sha256: ContentId::from_bytes(event_ids_sha256),
        })
    }

    /// Where other writers came between, the order of the rows is not that of the leaves.
    fn reread_ids(&self, log: &Log, leaves: &LeafSet) -> Result<[u8; 32], StoreError> {
        let reader = self.writer.store().reader()?;
        let run = reader.run(&log.run)?.ok_or_else(|| StoreError::NoRun(log.run.to_string()))?;
        let mut hasher = Sha256::new();
        for leaf in leaves.iter() {
            hash_id(&mut hasher, &reader.fact(run.no, leaf)?.id.to_string());
        }
        Ok(hasher.finalize().into())
    }
}

fn batch_id(run: &RunId, request: &IngestRequest, input: &ContentId) -> Result<BatchId, StoreError> {
    let mut hasher = Sha256::new();
    let offset = (request.from_offset > 0).then(|| request.from_offset.to_string());
    let format = request.format.to_string();
    let input = input.to_hex();
    for part in [run.as_str(), &format, &input].into_iter().chain(offset.as_deref()) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let hex = data_encoding::HEXLOWER.encode(&hasher.finalize()[..6]);
    BatchId::new(format!("telbatch-{hex}")).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Appends the facts and keeps the raw rows of those that are new.
fn append(
    batch: &mut Batch<'_>,
    (logs, blobs): (&[Log], &Blobs),
    facts: &PreparedList,
    entries: &[Entry],
    kept: &[u8],
) -> Result<Vec<Appended>, StoreError> {
    let mut runs: Vec<Option<RunNo>> = vec![None; logs.len()];
    let mut raw: Vec<RawRows> = (0..logs.len()).map(|_| RawRows::default()).collect();
    let mut appended = Vec::with_capacity(entries.len());
    for (fact, entry) in facts.iter().zip(entries) {
        let slot = runs.get_mut(entry.log).zip(logs.get(entry.log));
        let (slot, log) = slot.ok_or_else(|| StoreError::Damaged("an event of a log that was not named".into()))?;
        let run = match *slot {
            Some(run) => run,
            None => *slot.insert(batch.open_run(&log.run)?),
        };
        let outcome = batch.append_packed(run, fact)?;
        if let (Appended::New(leaf), Some(event)) = (outcome, &entry.event)
            && let Some(bytes) = event.raw.clone().and_then(|place| kept.get(place))
            && let Some(rows) = raw.get_mut(entry.log)
        {
            rows.add(leaf, bytes, event.at);
        }
        appended.push(outcome);
    }
    for (rows, run) in raw.into_iter().zip(runs) {
        if let (Some(run), Some(at)) = (run, rows.at) {
            let fact = rows.keep(blobs, at)?;
            batch.append(run, &fact)?;
        }
    }
    Ok(appended)
}

/// Raw rows of one log in one chunk.
#[derive(Default)]
struct RawRows {
    bytes: Vec<u8>,
    leaves: Vec<u64>,
    at: Option<EventTime>,
}

impl RawRows {
    fn add(&mut self, leaf: u64, bytes: &[u8], at: EventTime) {
        self.bytes.extend_from_slice(bytes);
        self.bytes.push(b'\n');
        self.leaves.push(leaf);
        self.at = self.at.max(Some(at));
    }

    fn keep(self, blobs: &Blobs, at: EventTime) -> Result<Prepared, StoreError> {
        let sha256 = ContentId::from_bytes(Sha256::digest(&self.bytes).into());
        blobs.put(&sha256, &self.bytes)?;
        let content = Content { sha256, git: None, size: self.bytes.len() as u64, kept: Kept::Stored };
        let lines = self.leaves.len() as u64;
        let first = self.leaves.first().copied().unwrap_or_default();
        let id = EventId::derive(at, &[b"raw", sha256.as_bytes(), &first.to_be_bytes()]);
        let what = What::RawLines(RawLines { content, lines, leaves: LeafSet::of(self.leaves) });
        Ok(Prepared::new(&engine_fact(id, at, at, Basis::Observed, what)))
    }
}
