//! Taking telemetry in: from an input of rows to durable, correlated facts.
//!
//! Three threads in a line: one reads rows and hashes them; one understands, resolves and judges them and makes facts of
//! them; one commits whole transactions. A row is reported when its transaction is committed, so what was reported is
//! not lost. The same input gives the same ids and the same manifest, however often and after whatever crash it is taken
//! in.

mod ambient;
mod bind;
mod block;
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
use agentprov_model::telemetry::RowTotals;
use agentprov_model::{BatchId, ContentId, EventTime};
use agentprov_store::{Store, StoreError};
use block::{Block, RowReader};
use chunk::Chunk;
use commit::Committer;
use crossbeam_channel::{Receiver, Sender};
use prepare::Preparer;
use std::io::Read;

/// Blocks, and chunks, that may wait for the next thread: bounds memory.
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
    let moments = store.moments()?;
    let mut committer = Committer::new(store.writer()?, store.blobs());
    // What was used goes back to where it came from: memory is freed fastest by the thread that took it.
    let (blocks, spent_blocks) = (Pipe::new(), Pipe::new());
    let (chunks, spent_chunks) = (Pipe::<Chunk>::new(), Pipe::<Chunk>::new());
    std::thread::scope(|scope| {
        let (give, back) = (blocks.give, spent_blocks.take);
        let reading = scope.spawn(move || {
            let mut rows = RowReader::new(input, request.keep_raw);
            rows.run(&mut |block| {
                let sent = give.send(block).is_ok();
                sent.then(|| back.try_recv().map(Block::cleared).unwrap_or_default())
            })?;
            Ok::<_, std::io::Error>(rows.digest())
        });
        let (give, back) = (chunks.give, spent_chunks.take);
        let (take, used) = (blocks.take, spent_blocks.give);
        let understanding = scope.spawn(move || {
            let mut preparer = Preparer::new(request, bindings, moments, judge, clock);
            let mut spend = |block| drop(used.try_send(block));
            preparer.run(take.into_iter(), &mut spend, &mut |chunk| {
                let sent = give.send(chunk).is_ok();
                sent.then(|| back.try_recv().map(Chunk::cleared).unwrap_or_default())
            })?;
            Ok::<_, StoreError>(preparer.totals())
        });
        let mut failed = None;
        for mut chunk in &chunks.take {
            if let Err(error) = committer.commit(&mut chunk, on_row) {
                failed = Some(error);
                break;
            }
            drop(spent_chunks.give.try_send(chunk));
        }
        // With the receiver gone the other threads stop at what they hand over next.
        drop(chunks.take);
        let understood = understanding.join().map_err(|_| IngestError::Thread)?;
        let digested = reading.join().map_err(|_| IngestError::Thread)?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let rows = understood?;
        let (digest, input_bytes) =
            digested.map_err(|source| IngestError::Input { path: request.path.clone(), source })?;
        let input_sha256 = ContentId::from_bytes(digest);
        Ok(committer.finish(request, input_sha256, input_bytes, rows, clock())?)
    })
}

/// A bounded way from one thread to the next.
struct Pipe<T> {
    give: Sender<T>,
    take: Receiver<T>,
}

impl<T> Pipe<T> {
    fn new() -> Self {
        let (give, take) = crossbeam_channel::bounded(QUEUE);
        Self { give, take }
    }
}
