//! Inputs that were given up are losses of the runs that they would have gone to.

use super::{Entry, Spool, SpoolError};
use crate::correlate::{BindingIndex, load_bindings};
use crate::receivers::instant::parse_rfc3339;
use crate::telemetry::ambient_run;
use crate::telemetry::prepare::engine_fact;
use agentprov_model::{Basis, ClaimClass, EventId, EventTime, Gap, GapKind, RunId, SourceName, What};
use agentprov_store::{Durability, Prepared, Store, StoreError};

/// Why a loss could not be told.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// The spool could not be read or written.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The log could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Spool {
    /// Appends a gap to the logs of every input that was given up and that no log tells of yet; gives their number.
    /// Where it is killed, the next call appends nothing twice.
    ///
    /// # Errors
    /// What the spool or the store says; what was not told stays to be told.
    pub fn tell_losses(&self, store: &Store, host: &str, now: EventTime) -> Result<u64, LossError> {
        let mut unsaid = self.list()?;
        unsaid.retain(Entry::is_unsaid_loss);
        if unsaid.is_empty() {
            return Ok(0);
        }
        let bindings = load_bindings(&store.reader()?)?;
        let mut writer = store.writer()?;
        for entry in &unsaid {
            let at = parse_rfc3339(&entry.created_at).unwrap_or(now);
            let id = EventId::derive(at, &[b"spool loss", entry.id.as_bytes(), entry.file_sha256.as_bytes()]);
            let fact = Prepared::new(&engine_fact(id, at, now, Basis::Observed, What::Gap(gap(entry))));
            let logs = logs(entry, &bindings, host, at);
            writer.transaction(Durability::Power, |batch| {
                for log in &logs {
                    let run = batch.open_run(log)?;
                    batch.append(run, &fact)?;
                }
                Ok(())
            })?;
            self.note_told(&entry.id, id)?;
        }
        Ok(unsaid.len() as u64)
    }

    fn note_told(&self, id: &str, event: EventId) -> Result<(), SpoolError> {
        let _lock = self.lock("queue.lock")?;
        let Some(mut entry) = self.read(id)? else { return Ok(()) };
        if let Some(lost) = &mut entry.lost {
            lost.event_ids = vec![event];
            self.save(&entry)?;
        }
        Ok(())
    }
}

/// Nobody read the rows: without a named run they may have been of any that was open when they were queued.
fn logs(entry: &Entry, bindings: &BindingIndex, host: &str, at: EventTime) -> Vec<RunId> {
    match &entry.order.run_id {
        Some(run) => vec![run.clone()],
        None => {
            let source = SourceName::new(&entry.order.format).unwrap_or(SourceName::FILTERED);
            let open = bindings.runs_open_at(at).into_iter().cloned();
            open.chain([ambient_run(host, &source)]).collect()
        }
    }
}

fn gap(entry: &Entry) -> Gap {
    let rows = entry.lost.as_ref().and_then(|lost| lost.rows);
    let many = match rows {
        None => "an unknown number of rows".to_owned(),
        Some(1) => "1 row".to_owned(),
        Some(rows) => format!("{rows} rows"),
    };
    let reason = entry.drop_reason.as_deref().unwrap_or_default();
    Gap {
        kind: GapKind::Dropped,
        // Whatever a row can tell of. What was written is hashed by recordings alone.
        classes: ClaimClass::ALL.into_iter().filter(|class| *class != ClaimClass::Contents).collect(),
        detail: format!("spooled input {} was dropped before it was read, with {many}: {reason}", entry.id),
        way_out: Some("take the input in again with: agentprov telemetry ingest-jsonl".to_owned()),
        // What can't be counted was at least one.
        count: rows.unwrap_or(1),
    }
}
