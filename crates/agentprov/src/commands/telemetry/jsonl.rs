//! `agentprov telemetry ingest-jsonl` and `ingest-falco`.

use super::input::{Intake, Rows, Rules};
use super::scope::Scope;
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, UNSURE, styled};
use agentprov_ingest::receivers::{DetectedFormat, Format};
use agentprov_ingest::telemetry::{Follower, IngestReport};
use agentprov_model::schema;
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often a followed file is looked at.
const POLL: Duration = Duration::from_millis(200);
/// Failed rows that are named on standard error.
const NAMED_FAILURES: usize = 5;

/// Takes rows in, each judged and kept as it comes. A row that can't be understood gets its result and the rest goes
/// on; the same input again changes nothing.
#[derive(Args, Debug)]
pub(crate) struct IngestJsonl {
    /// The rows, one a line; - for standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Go on with what is added to the file, across rotations; an earlier --follow of it is resumed where it stopped
    #[arg(long)]
    follow: bool,
    /// With --follow: end when nothing was added for so many seconds [default: never]
    #[arg(long, value_name = "SECONDS", requires = "follow")]
    until_idle: Option<u64>,
    /// What the rows are: auto, native, falco, tetragon, loongcollector or auditd
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Auto)]
    format: Format,
    #[command(flatten)]
    rows: Rows,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    rules: Rules,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// Takes Falco's JSON output in, live: `falco -o json_output=true | agentprov telemetry ingest-falco`.
#[derive(Args, Debug)]
pub(crate) struct IngestFalco {
    /// The rows, one a line; - for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    rows: Rows,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    rules: Rules,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct FalcoDocument {
    schema_version: String,
    policy_decisions: u64,
    batch: IngestReport,
}

impl IngestJsonl {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let path = self.file.display().to_string();
        let mut intake = Intake::new(context, &self.rules, &self.scope, &self.rows, self.format, path)?;
        if self.follow {
            self.keep_following(&mut intake)?;
            return Ok(ExitCode::SUCCESS);
        }
        let report = intake.take(open(&self.file)?, &mut |_| {})?;
        if self.json {
            render::json(&report)?;
        } else {
            print(&report)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl IngestJsonl {
    /// One report for each piece, as it comes: a line of JSON or of text.
    fn keep_following(&self, intake: &mut Intake) -> Result<(), Failure> {
        if self.file == Path::new("-") {
            return Err(Failure::usage("--follow needs a file; standard input is read as it comes without it"));
        }
        let unreadable = |error| Failure::new(format!("{}: {error}", self.file.display()));
        let mut follower = Follower::new(&self.file, &intake.follow_folder()).map_err(unreadable)?;
        let mut idle_since = Instant::now();
        loop {
            if let Some(piece) = follower.next_piece().map_err(unreadable)? {
                intake.request.from_offset = piece.from_offset;
                let report = intake.take(piece.bytes.as_slice(), &mut |_| {})?;
                follower.done(&piece).map_err(unreadable)?;
                if self.json {
                    writeln!(std::io::stdout(), "{}", serde_json::to_string(&report)?)?;
                } else {
                    print(&report)?;
                }
                idle_since = Instant::now();
                continue;
            }
            if self.until_idle.is_some_and(|seconds| idle_since.elapsed() >= Duration::from_secs(seconds)) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }
}

impl IngestFalco {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let path = self.file.display().to_string();
        let format = Format::Fixed(DetectedFormat::Falco);
        let intake = Intake::new(context, &self.rules, &self.scope, &self.rows, format, path)?;
        let report = intake.take(open(&self.file)?, &mut |_| {})?;
        if self.json {
            let policy_decisions = report.policy_decisions;
            render::json(&FalcoDocument {
                schema_version: schema::v1("falco_ingest"),
                policy_decisions,
                batch: report,
            })?;
        } else {
            print(&report)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn open(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display())).hint("name a file of rows, or - for standard input")
    })?;
    Ok(Box::new(file))
}

/// One line for programs; what went wrong is named on standard error.
pub(super) fn print(report: &IngestReport) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    write!(
        out,
        "batch={} format={} path={} read={} ingested={} skipped={} failed={} policy_decisions={}",
        report.batch_id.as_deref().unwrap_or("-"),
        report.format,
        agentprov_graph::timeline::visible_text(&report.path),
        report.read,
        report.ingested,
        report.skipped,
        report.failed,
        report.policy_decisions,
    )?;
    let extras = [
        ("known", report.known),
        ("unresolved", report.receiver_summary.unresolved),
        ("dropped_uncorrelated", report.dropped_uncorrelated),
        ("loss_records", report.loss_records),
    ];
    for (name, count) in extras.into_iter().filter(|(_, count)| *count > 0) {
        write!(out, " {name}={count}")?;
    }
    writeln!(out)?;
    let mut stderr = anstream::stderr().lock();
    for error in report.errors.iter().take(NAMED_FAILURES) {
        writeln!(stderr, "{}", styled(UNSURE, agentprov_graph::timeline::visible_text(error)))?;
    }
    let more = report.failed.saturating_sub(NAMED_FAILURES as u64);
    if more > 0 {
        writeln!(stderr, "{}", styled(UNSURE, format!("and {more} more failed rows; --json lists them")))?;
    }
    Ok(())
}
