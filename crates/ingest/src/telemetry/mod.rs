//! Taking telemetry in: from an input of rows to durable, correlated facts.
//!
//! One thread reads, understands, resolves, judges and hashes; another commits whole transactions. A row is reported
//! when its transaction is committed, so what was reported is not lost. The same input gives the same ids and the same
//! manifest, however often and after whatever crash it is taken in.

mod ambient;
mod bind;
mod chunk;
mod commit;
mod follow;
mod identity;
mod loss;
mod places;
mod prepare;
mod report;
mod request;
mod retention;
mod row;
pub mod spool;

pub use ambient::{AMBIENT, ambient_run};
pub use bind::{BindError, BoundScope, bind};
pub use follow::{Follower, Piece};
pub use report::{IngestReport, ReceiverSummary, RowDocument};
pub use request::IngestRequest;
pub use retention::{PruneReport, PruneRequest, prune};
pub use row::{IdentityKeys, RowResult, RowStatus};

use crate::correlate::load_bindings;
use crate::judge::Judge;
use crate::lines::LineReader;
use agentprov_model::telemetry::RowTotals;
use agentprov_model::{BatchId, ContentId, EventTime};
use agentprov_store::{Store, StoreError};
use chunk::Chunk;
use commit::Committer;
use prepare::Preparer;
use std::io::Read;

/// Chunks that may wait for the writer: bounds memory.
const QUEUE: usize = 4;

/// Why an ingest stopped. What was committed before stays, and taking the same input in again completes it.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The input could not be read.
    #[error("read {path}: {source}")]
    Input {
        /// The input, as the caller named it.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread could not be started or failed.
    #[error("the intake thread failed")]
    Thread,
}

/// What an ingest did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IngestSummary {
    /// Manifests, one for each log that got events: the run's first where one was named.
    pub batches: Vec<BatchId>,
    /// SHA-256 of the exact bytes.
    pub input_sha256: ContentId,
    /// Length of the input.
    pub input_bytes: u64,
    /// Lines by what became of them.
    pub rows: RowTotals,
    /// Of the ingested ones, those that were there already.
    pub known: u64,
    /// SHA-256 over each event id and NUL, over all logs in the order of the rows.
    pub event_ids_sha256: ContentId,
}

/// Takes an input in. `on_row` gets the result of every line, after its transaction was committed.
///
/// # Errors
/// [`IngestError`]; rows that are wrong are no error, they are results.
pub fn ingest(
    store: &Store,
    input: impl Read + Send,
    request: &IngestRequest,
    judge: Box<dyn Judge>,
    clock: &(dyn Fn() -> EventTime + Sync),
    on_row: &mut dyn FnMut(&RowResult),
) -> Result<IngestSummary, IngestError> {
    let bindings = load_bindings(&store.reader()?)?;
    let reader = store.reader()?;
    let mut committer = Committer::new(store.writer()?, store.blobs());
    let (queue, chunks) = crossbeam_channel::bounded(QUEUE);
    // Chunks go back: memory is freed fastest by the thread that took it, and most of it is used again.
    let (spent, emptied) = crossbeam_channel::bounded(QUEUE);
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let mut lines = LineReader::new(input);
            let mut preparer = Preparer::new(request, bindings, reader, judge, clock);
            preparer.run(&mut lines, &mut |chunk| {
                let sent = queue.send(chunk).is_ok();
                let next = emptied.try_recv().map(Chunk::cleared).unwrap_or_default();
                sent.then_some(next)
            })?;
            let (digest, bytes) = lines.digest();
            Ok::<_, IngestError>((ContentId::from_bytes(digest), bytes, preparer.totals()))
        });
        let mut failed = None;
        for mut chunk in &chunks {
            if let Err(error) = committer.commit(&mut chunk, on_row) {
                failed = Some(error);
                break;
            }
            let _kept_by_nobody = spent.try_send(chunk);
        }
        // With the receiver gone the other thread stops at its next chunk.
        drop(chunks);
        let worked = worker.join().map_err(|_| IngestError::Thread)?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let (input_sha256, input_bytes, rows) = worked?;
        Ok(committer.finish(request, input_sha256, input_bytes, rows, clock())?)
    })
}
