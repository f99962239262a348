//! Handing what analyses came to on to others: a file of lines, or a database.
//!
//! Invariants:
//! - The queue itself is the outbox: an analysis that has ended is in it for good. A cursor in the data dir says up to which one all
//!   was handed over, so that nothing is lost where a process or the receiver is down.
//! - Everything is handed over in the order of the queue, at least once; ids of events make repetitions known.
//! - No analysis waits for a receiver, and none fails by it.

mod clickhouse;
mod cursor;
mod events;
mod webhook;

pub use clickhouse::ClickHouse;
pub use webhook::Webhook;

use crate::error::ServerError;
use crate::workers::Bell;
use agentprov_store::{JobRow, Queue, Store};
use cursor::Cursor;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Analyses that are looked at a time.
const ROWS: u64 = 100;
/// The pauses after failures double up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

/// To whom.
#[derive(Clone, PartialEq, Eq)]
pub enum Sink {
    /// A file to which lines are added.
    File(PathBuf),
    /// A database.
    ClickHouse(ClickHouse),
    /// A receiver of notices.
    Webhook(Webhook),
}

/// What is handed on, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Export {
    /// To whom.
    pub sink: Sink,
    /// Events at a time.
    pub batch: usize,
}

/// How it goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Why the last attempt failed, where it did.
    pub problem: Option<String>,
    /// Analyses that were handed over since the start.
    pub handed_over: u64,
}

/// Shows how it goes.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Progress>>);

impl Watch {
    /// How it goes.
    pub fn progress(&self) -> Progress {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Starts the thread that hands over. It ends with the workers whose bell this is.
///
/// # Errors
/// [`ServerError`] when the cursor can't be read or no thread can be started.
pub(crate) fn start(store: &Store, export: Export, bell: Arc<Bell>) -> Result<(JoinHandle<()>, Watch), ServerError> {
    let watch = Watch::default();
    let name = export.sink.name();
    let (queue, mut cursor) = (store.queue()?, Cursor::read(store.dir(), name)?);
    if matches!(export.sink, Sink::Webhook(_)) {
        pass_over_what_was(&queue, &mut cursor)?;
    }
    let mut exporter = Exporter { queue, cursor, export, watch: watch.clone() };
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || exporter.run(&bell));
    let thread = thread.map_err(|source| ServerError::System { action: "start a thread", source })?;
    Ok((thread, watch))
}

/// A receiver that is new is not told of what ended before.
fn pass_over_what_was(queue: &Queue, cursor: &mut Cursor) -> Result<(), ServerError> {
    if !cursor.is_new() {
        return Ok(());
    }
    let mut last = cursor.after();
    while let Some((no, _)) = queue.ended_after(last, ROWS)?.last() {
        last = *no;
    }
    cursor.advance(last).map_err(|source| ServerError::System { action: "keep how far notices are", source })
}

struct Exporter {
    queue: Queue,
    cursor: Cursor,
    export: Export,
    watch: Watch,
}

impl Exporter {
    fn run(&mut self, bell: &Bell) {
        let mut pause = SHORTEST_PAUSE;
        while !bell.is_stopped() {
            match self.step() {
                Ok(0) => bell.wait(SHORTEST_PAUSE),
                Ok(count) => {
                    pause = SHORTEST_PAUSE;
                    self.watch.tell(|progress| {
                        progress.handed_over += count;
                        progress.problem = None;
                    });
                }
                Err(problem) => {
                    self.watch.tell(|progress| progress.problem = Some(problem));
                    bell.wait(pause);
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    /// Hands the next analyses over, in the order of the queue: the first that has not ended ends the step.
    fn step(&mut self) -> Result<u64, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let rows = self.queue.ended_after(self.cursor.after(), ROWS).map_err(|error| told(&error))?;
        let mut count = 0;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut batch: Vec<Value> = Vec::new();
            let mut last = None;
            while batch.len() < self.export.batch
                && let Some((no, row)) = rows.next()
            {
                batch.extend(self.events(&row)?);
                last = Some(no);
                count += 1;
            }
            for part in batch.chunks(self.export.batch.max(1)) {
                self.export.sink.send(part)?;
            }
            if let Some(no) = last {
                self.cursor.advance(no).map_err(|error| told(&error))?;
            }
        }
        Ok(count)
    }

    fn events(&self, row: &JobRow) -> Result<Vec<Value>, String> {
        let output = self.queue.output(&row.id).map_err(|error| error.to_string())?;
        let events = match &self.export.sink {
            Sink::Webhook(webhook) => webhook.notice(row, output.as_deref()).map(|notice| vec![notice]),
            Sink::File(_) | Sink::ClickHouse(_) => events::events(row, output.as_deref()),
        };
        events.map_err(|error| error.to_string())
    }
}

impl Sink {
    /// What the thread and the file of the cursor are named by.
    const fn name(&self) -> &'static str {
        match self {
            Self::File(_) | Self::ClickHouse(_) => "export",
            Self::Webhook(_) => "webhook",
        }
    }

    fn send(&self, events: &[Value]) -> Result<(), String> {
        match self {
            Self::File(path) => append(path, events).map_err(|error| format!("{}: {error}", path.display())),
            Self::ClickHouse(database) => database.send(events),
            Self::Webhook(webhook) => events.iter().try_for_each(|notice| webhook.send(notice)),
        }
    }
}

/// One line for each event, its members in the order of their names.
fn append(path: &Path, events: &[Value]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_data()
}
