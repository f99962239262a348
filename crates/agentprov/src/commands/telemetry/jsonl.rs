//! `agentprov telemetry ingest-jsonl` and its forms for one sensor.

use super::input::Input;
use super::scope::{ScopeFlags, host_name, now};
use crate::commands::record_rules::load;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, UNSURE, styled};
use agentprov_ingest::receivers::{DetectedFormat, Format};
use agentprov_ingest::telemetry::{IngestRequest, IngestSummary, RowResult, RowStatus, ingest};
use agentprov_ingest::{Derived, Emit, Judge, Unjudged};
use agentprov_model::{ClassTable, EventId, Fact, RuleMode, What, schema};
use agentprov_policy::RuleJudge;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Rows and ids that one document lists; beyond them it counts.
const LISTED: usize = 1_000;
/// Failed rows that are told in text.
const TOLD: u64 = 10;

/// Takes in rows of JSON lines: understood, tied to scopes, judged, kept. Rows that are wrong are reported; the rest goes on.
#[derive(Args, Debug)]
pub(crate) struct IngestJsonl {
    /// The rows; - for standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Format of the rows: auto, native, falco, tetragon, loongcollector or auditd
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = parse_format)]
    format: Format,
    #[command(flatten)]
    how: How,
}

/// Takes in alerts of Falco, as `falco -o json_output=true` prints them.
#[derive(Args, Debug)]
pub(crate) struct IngestFalco {
    /// The alerts; - for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

/// What both take.
#[derive(Args, Debug)]
pub(super) struct How {
    #[command(flatten)]
    scope: ScopeFlags,
    /// Judge with the rules of this file [default: the built-in ones]
    #[arg(long, value_name = "FILE", conflicts_with = "no_policy")]
    rules: Option<PathBuf>,
    /// Do not judge
    #[arg(long)]
    no_policy: bool,
    /// Refuse rows that name a run, session or tool call; else these are left out of them
    #[arg(long)]
    strict: bool,
    /// Leave out rows that belong to no known scope
    #[arg(long)]
    drop_uncorrelated: bool,
    /// Go on as the file grows and is rotated
    #[arg(long)]
    follow: bool,
    /// With --follow: end after this many seconds without a new row
    #[arg(long, value_name = "SECONDS", requires = "follow")]
    idle_exit: Option<u64>,
    /// Print a document
    #[arg(long)]
    json: bool,
}

fn parse_format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|error: agentprov_ingest::receivers::UnknownFormat| error.to_string())
}

impl IngestJsonl {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let json = self.how.json;
        let report = take_in(context, self.format, &self.file, self.how)?;
        if json {
            render::json(&report)?
        } else {
            report.print()?
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The contract's document about alerts of Falco.
#[derive(Serialize)]
struct FalcoDocument {
    schema_version: String,
    batch: Report,
    policy_decisions: u64,
}

impl IngestFalco {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let json = self.how.json;
        let report = take_in(context, Format::Fixed(DetectedFormat::Falco), &self.file, self.how)?;
        if !json {
            report.print()?;
            return Ok(ExitCode::SUCCESS);
        }
        let policy_decisions = report.policy_decisions;
        render::json(&FalcoDocument { schema_version: schema::v1("falco_ingest"), batch: report, policy_decisions })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn take_in(context: &Context, format: Format, file: &std::path::Path, how: How) -> Result<Report, Failure> {
    let follow = how.follow.then(|| how.idle_exit.map(Duration::from_secs));
    let input = Input::open(file, follow)?;
    let decisions = Decisions::default();
    let judge: Box<dyn Judge> = if how.no_policy {
        Box::new(Unjudged)
    } else {
        let rules = Arc::new(load(how.rules.as_deref())?);
        Box::new(Watched { judge: RuleJudge::new(rules, RuleMode::Detect), seen: decisions.clone() })
    };
    let store = context.store_or_new()?;
    let request = IngestRequest {
        format,
        path: input.name.clone(),
        provided: how.scope.provided(),
        strict: how.strict,
        drop_uncorrelated: how.drop_uncorrelated,
        keep_raw: true,
        label: None,
        manifest: true,
        live: input.live,
        host: host_name()?,
        table: Arc::new(ClassTable::default()),
    };
    let mut report = Report { format: request.format.to_string(), path: input.name.clone(), ..Report::default() };
    let summary = ingest(&store, input.reader, &request, judge, &now, &mut |row| report.add(row)).map_err(|error| {
        Failure::new(error.to_string()).hint("what was committed stays; take the same input in again to complete it")
    })?;
    report.finish(&summary, &decisions);
    Ok(report)
}

/// Decisions that a judge made, the first of them by id.
#[derive(Clone, Default)]
struct Decisions(Arc<Mutex<(u64, Vec<EventId>)>>);

/// A judge, and a list of what it decided.
struct Watched {
    judge: RuleJudge,
    seen: Decisions,
}

impl Judge for Watched {
    fn judge(&mut self, fact: &Fact, emit: &mut Emit<'_>) {
        let seen = &self.seen;
        self.judge.judge(fact, &mut |derived: Derived| {
            let decided = matches!(derived.what, What::Decision(_));
            let id = emit(derived);
            if decided {
                let mut seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
                seen.0 += 1;
                if seen.1.len() < LISTED {
                    seen.1.push(id);
                }
            }
            id
        });
    }

    fn applied(&self) -> Option<What> {
        Judge::applied(&self.judge)
    }

    fn finish(&mut self, emit: &mut Emit<'_>) {
        self.judge.finish(emit);
    }
}

/// What became of an input, in the contract's words.
#[derive(Default, Serialize)]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
    format: String,
    path: String,
    file_sha256: String,
    read: u64,
    ingested: u64,
    skipped: u64,
    failed: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    event_ids: Vec<String>,
    event_ids_sha256: String,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_uncorrelated: u64,
    policy_decisions: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policy_decision_ids: Vec<String>,
    receiver_summary: ReceiverSummary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    row_results: Vec<Row>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    row_results_truncated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
    /// Events that were there already, of the ingested ones.
    known: u64,
    /// Batches by log: events go to the log of the run they belong to, else to that of their host and source.
    batch_ids: Vec<String>,
    /// Rows that tell of losses of their source.
    loss_records: u64,
    /// True where there are more events than `event_ids` lists.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    event_ids_truncated: bool,
}

#[derive(Default, Serialize)]
struct ReceiverSummary {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    detected_formats: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    event_types: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    identity_keys: BTreeMap<String, u64>,
    resolved: u64,
    unresolved: u64,
    skipped: u64,
    failed: u64,
}

#[derive(Serialize)]
struct Row {
    line: u64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected_format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_event_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    identity_keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Places of application context in the row, which was not believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    context_dropped: Vec<String>,
    /// The log that the event stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Methods of events that belong to no scope.
const UNRESOLVED: [&str; 2] = ["unresolved", "ambiguous"];

impl Report {
    fn add(&mut self, row: &RowResult) {
        let summary = &mut self.receiver_summary;
        if let Some(format) = row.format {
            *summary.detected_formats.entry(format.name()).or_default() += 1;
        }
        if row.status == RowStatus::Ingested {
            if let Some(kind) = row.event_type {
                *summary.event_types.entry(kind.name()).or_default() += 1;
            }
            for key in &row.identity_keys {
                let name = key.split_once('=').map_or(key.as_str(), |(name, _)| name);
                *summary.identity_keys.entry(name.to_owned()).or_default() += 1;
            }
            let open =
                row.correlation_method.is_none_or(|method| UNRESOLVED.iter().any(|open| method.starts_with(open)));
            if open {
                summary.unresolved += 1
            } else {
                summary.resolved += 1
            }
            match row.event_id {
                Some(id) if self.event_ids.len() < LISTED => self.event_ids.push(id.to_string()),
                _ => self.event_ids_truncated = true,
            }
        }
        if let (RowStatus::Failed, Some(error)) = (row.status, &row.error)
            && self.errors.len() < LISTED
        {
            self.errors.push(format!("line {}: {error}", row.line));
        }
        if self.row_results.len() == LISTED {
            self.row_results_truncated = true;
            return;
        }
        self.row_results.push(Row {
            line: row.line,
            status: row.status.name(),
            detected_format: row.format.map(DetectedFormat::name),
            event_id: row.event_id.map(|id| id.to_string()),
            event_type: row.event_type.map(|kind| kind.name()),
            source: row.source.as_ref().map(ToString::to_string),
            raw_event_id: row.raw_event_id.clone(),
            identity_keys: row.identity_keys.clone(),
            correlation_method: row.correlation_method,
            error: row.error.clone(),
            context_dropped: row.context_dropped.clone(),
            run_id: row.log.as_ref().map(ToString::to_string),
        });
    }

    fn finish(&mut self, summary: &IngestSummary, decisions: &Decisions) {
        self.batch_ids = summary.batches.iter().map(ToString::to_string).collect();
        self.batch_id = self.batch_ids.first().cloned();
        self.file_sha256 = summary.input_sha256.to_hex();
        let rows = &summary.rows;
        (self.read, self.ingested, self.skipped, self.failed) = (rows.read, rows.ingested, rows.skipped, rows.failed);
        self.receiver_summary.skipped = rows.skipped;
        self.receiver_summary.failed = rows.failed;
        self.dropped_uncorrelated = rows.dropped_uncorrelated;
        self.loss_records = rows.loss_records;
        self.known = summary.known;
        self.event_ids_sha256 = summary.event_ids_sha256.to_hex();
        let seen = decisions.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.policy_decisions = seen.0;
        self.policy_decision_ids = seen.1.iter().map(ToString::to_string).collect();
    }

    fn print(&self) -> Result<(), Failure> {
        let mut notes = anstream::stderr().lock();
        for error in self.errors.iter().take(TOLD as usize) {
            writeln!(notes, "{}", styled(UNSURE, error))?;
        }
        if self.failed > TOLD {
            writeln!(notes, "{}", styled(UNSURE, format!("and {} more; --json lists them", self.failed - TOLD)))?;
        }
        if self.loss_records > 0 {
            let text = format!("the source lost events: {}", render::count(self.loss_records, "record"));
            writeln!(notes, "{}", styled(UNSURE, text))?;
        }
        writeln!(
            anstream::stdout(),
            "batch={} format={} file={} read={} ingested={} skipped={} failed={} policy_decisions={} known={} unresolved={} dropped={}",
            self.batch_id.as_deref().unwrap_or_default(),
            self.format,
            self.path,
            self.read,
            self.ingested,
            self.skipped,
            self.failed,
            self.policy_decisions,
            self.known,
            self.receiver_summary.unresolved,
            self.dropped_uncorrelated,
        )?;
        Ok(())
    }
}
