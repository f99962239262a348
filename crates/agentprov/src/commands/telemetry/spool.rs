//! `agentprov telemetry spool`: inputs that are queued now and taken in later.

use super::input::{Intake, Rows, Rules, host_name};
use super::jsonl::open;
use super::scope::Scope;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns, UNSURE, styled};
use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::receivers::Format;
use agentprov_ingest::telemetry::spool::{
    Entry, LossError, MAX_QUEUED, Order, Processed, Spool, SpoolError, Taken, WhenFull,
};
use agentprov_model::{RunId, schema};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Queues inputs durably, to be taken in later.
#[derive(Args, Debug)]
pub(crate) struct SpoolCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy an input into the queue; it is durable when this ends
    Queue(Box<Queue>),
    /// List what is queued and what became of it, oldest first
    List(List),
    /// Take queued inputs in, oldest first
    Process(Process),
    /// Queue a failed input again
    Retry(Retry),
    /// Give a failed input up and remove its bytes
    Drop(Drop),
}

#[derive(Args, Debug)]
struct Queue {
    /// The rows, one a line; - for standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// What the rows are: auto, native, falco, tetragon, loongcollector or auditd
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Auto)]
    format: Format,
    /// Inputs that may wait or have failed at a time; 0 for no bound
    #[arg(long, value_name = "N", default_value_t = MAX_QUEUED)]
    max_queued: usize,
    /// What happens at the bound: reject refuses this input, drop_oldest drops those that wait longest, as a loss
    #[arg(long, value_name = "POLICY", default_value_t)]
    drop_policy: WhenFull,
    /// Do not judge it
    #[arg(long)]
    no_policy: bool,
    #[command(flatten)]
    rows: Rows,
    #[command(flatten)]
    scope: Scope,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct List {
    /// Only what was queued for this run
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Process {
    /// Inputs to take in at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    rules: Rules,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Retry {
    /// Its id, from the list
    #[arg(value_name = "ID")]
    id: String,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Drop {
    /// Its id, from the list
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the list
    #[arg(long, default_value = "dropped by the user")]
    reason: String,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Batch<'e> {
    schema_version: String,
    spool_batch: &'e Entry,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    dropped: &'e [Entry],
}

#[derive(Serialize)]
struct Batches {
    schema_version: String,
    batches: Vec<Entry>,
}

#[derive(Serialize)]
struct ProcessDocument {
    schema_version: String,
    result: ProcessResult,
}

#[derive(Serialize)]
struct ProcessResult {
    processed: usize,
    failed: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    batches: Vec<ProcessedBatch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

#[derive(Serialize)]
struct ProcessedBatch {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingest_batch_id: Option<String>,
    ingested_count: u64,
    failed_count: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    row_results_truncated: bool,
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        let hint = match &error {
            SpoolError::Full { .. } => {
                Some("make room with: agentprov telemetry spool process; failed ones go with: spool drop ID")
            }
            SpoolError::Busy => Some("wait until it has ended"),
            SpoolError::NoEntry(_) | SpoolError::NotFailed { .. } => {
                Some("see what there is with: agentprov telemetry spool list")
            }
            SpoolError::Damaged { .. } => Some("move the file away to go on without that input"),
            SpoolError::Io { .. } => None,
        };
        let failure = Self::new(error.to_string());
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<LossError> for Failure {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Spool(error) => error.into(),
            LossError::Store(error) => error.into(),
        }
    }
}

impl SpoolCommand {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self.command {
            Command::Queue(command) => command.run(context),
            Command::List(command) => command.run(context),
            Command::Process(command) => command.run(context),
            Command::Retry(command) => {
                let entry = spool(context, MAX_QUEUED)?.retry(&command.id)?;
                print(&entry, &[], command.json)
            }
            Command::Drop(command) => {
                let spool = spool(context, MAX_QUEUED)?;
                let entry = spool.drop_failed(&command.id, &command.reason)?;
                tell_losses(context, &spool)?;
                print(&entry, &[], command.json)
            }
        }
    }
}

/// The logs learn what was given up as soon as they can: until then it is told by the next command that takes in,
/// queues or drops.
fn tell_losses(context: &Context, spool: &Spool) -> Result<(), Failure> {
    if let Err(error) = spool.tell_losses(&context.store_or_new()?, &host_name(), wall_clock()) {
        let note =
            format!("no log tells of what was dropped yet: {error}; agentprov telemetry spool process tries again");
        writeln!(anstream::stderr(), "{}", styled(UNSURE, agentprov_graph::timeline::visible_text(&note)))?;
    }
    Ok(())
}

/// Queueing opens no database: the spool is beside it.
fn spool(context: &Context, max_queued: usize) -> Result<Spool, Failure> {
    Ok(Spool::new(&context.location()?.dir, max_queued))
}

fn print(entry: &Entry, dropped: &[Entry], json: bool) -> CommandResult {
    if json {
        render::json(&Batch { schema_version: schema::v1("telemetry_spool_batch"), spool_batch: entry, dropped })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = anstream::stdout().lock();
    writeln!(out, "{} {}", entry.id, entry.status)?;
    for entry in dropped {
        let rows = entry.lost.as_ref().and_then(|lost| lost.rows);
        let rows = rows.map_or_else(|| "unknown".to_owned(), |rows| rows.to_string());
        let reason = entry.drop_reason.as_deref().unwrap_or_default();
        writeln!(out, "{} {} reason={reason} lost_rows={rows}", entry.id, entry.status)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Queue {
    fn run(self, context: &Context) -> CommandResult {
        // The folder is made as that of every store, so that whoever lists it finds it.
        drop(context.store_or_new()?);
        let provided = self.scope.provided();
        let order = Order {
            format: self.format.to_string(),
            path: self.file.display().to_string(),
            run_id: provided.run,
            scope: provided.scope,
            policy_enabled: !self.no_policy,
            strict: self.rows.strict,
            drop_uncorrelated: self.rows.drop_uncorrelated,
            keep_raw: !self.rows.no_raw,
        };
        let spool = spool(context, self.max_queued)?;
        let queued = spool.queue(open(&self.file)?, order, self.drop_policy, wall_clock())?;
        if !queued.dropped.is_empty() {
            tell_losses(context, &spool)?;
        }
        print(&queued.entry, &queued.dropped, self.json)
    }
}

impl List {
    fn run(self, context: &Context) -> CommandResult {
        let mut batches = spool(context, MAX_QUEUED)?.list()?;
        batches.retain(|entry| self.run.is_none() || entry.order.run_id == self.run);
        if self.json {
            render::json(&Batches { schema_version: schema::v1("telemetry_spool"), batches })?;
            return Ok(ExitCode::SUCCESS);
        }
        let clock = context.clock();
        let mut columns =
            Columns::new(&["ID", "RUN", "FORMAT", "PATH", "STATUS", "ATTEMPTS", "INGESTED", "CREATED_AT", "ERROR"]);
        for entry in batches {
            columns.row(vec![
                entry.id,
                entry.order.run_id.map_or_else(|| "-".to_owned(), |run| run.to_string()),
                entry.order.format,
                agentprov_graph::timeline::visible_text(&entry.order.path),
                entry.status.to_string(),
                entry.attempts.to_string(),
                entry.ingested_count.to_string(),
                clock.show_text(&entry.created_at),
                agentprov_graph::timeline::visible_text(&entry.error.or(entry.drop_reason).unwrap_or_default()),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Process {
    /// Exit status 1 where an input failed.
    fn run(self, context: &Context) -> CommandResult {
        let intake = |rules: &Rules| {
            Intake::new(context, rules, &Scope::default(), &Rows::default(), Format::Auto, String::new())
        };
        let mut judged = intake(&self.rules)?;
        let mut unjudged = intake(&Rules::none())?;
        let spool = spool(context, MAX_QUEUED)?;
        spool.tell_losses(&context.store_or_new()?, &host_name(), wall_clock())?;
        let done = spool.process(self.limit, &wall_clock, &mut |entry, rows| {
            let intake = if entry.order.policy_enabled { &mut judged } else { &mut unjudged };
            take(intake, entry, rows)
        })?;
        let code = if done.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let document = document(done);
        if self.json {
            render::json(&document)?;
            return Ok(code);
        }
        let result = document.result;
        let mut out = anstream::stdout().lock();
        for batch in &result.batches {
            let manifest = batch.ingest_batch_id.as_deref().unwrap_or("-");
            let (ingested, failed) = (batch.ingested_count, batch.failed_count);
            writeln!(out, "{} processed batch={manifest} ingested={ingested} failed={failed}", batch.id)?;
        }
        writeln!(out, "processed={} failed={}", result.processed, result.failed)?;
        for error in &result.errors {
            writeln!(anstream::stderr(), "{}", styled(UNSURE, agentprov_graph::timeline::visible_text(error)))?;
        }
        Ok(code)
    }
}

fn take(intake: &mut Intake, entry: &Entry, rows: File) -> Result<Taken, String> {
    let order = &entry.order;
    let request = &mut intake.request;
    request.format = order.format.parse().map_err(|error| format!("format: {error}"))?;
    request.path.clone_from(&order.path);
    request.provided = order.provided();
    (request.strict, request.drop_uncorrelated, request.keep_raw) =
        (order.strict, order.drop_uncorrelated, order.keep_raw);
    let report = intake.take(rows, &mut |_| {}).map_err(|failure| failure.to_string())?;
    Ok(Taken {
        batch_id: report.batch_id,
        ingested: report.ingested,
        failed: report.failed,
        rows_truncated: report.row_results_truncated,
    })
}

fn document(done: Processed) -> ProcessDocument {
    let error = |entry: &Entry| format!("{}: {}", entry.id, entry.error.as_deref().unwrap_or_default());
    let result = ProcessResult {
        processed: done.taken.len(),
        failed: done.failed.len(),
        errors: done.failed.iter().map(error).collect(),
        batches: done
            .taken
            .into_iter()
            .map(|(entry, taken)| ProcessedBatch {
                id: entry.id,
                ingest_batch_id: taken.batch_id,
                ingested_count: taken.ingested,
                failed_count: taken.failed,
                row_results_truncated: taken.rows_truncated,
            })
            .collect(),
    };
    ProcessDocument { schema_version: schema::v1("telemetry_spool_process"), result }
}
