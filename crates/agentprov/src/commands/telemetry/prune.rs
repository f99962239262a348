//! `agentprov telemetry prune`.

use crate::age::{Age, parse_age};
use crate::commands::rm::who;
use crate::context::Context;
use crate::failure::CommandResult;
use crate::render;
use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::telemetry::{PruneRequest, prune};
use agentprov_model::{EventTime, schema};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Removes the bodies of old reported events that no decision, risk, response or later resolution refers to.
///
/// Their leaf hashes stay in the log, and a fact says which bodies are gone, since when and by whom: `verify` passes and
/// counts them. What rows said in windows of time stays counted. Facts of recordings are not touched.
#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// Only events of this run [default: every run]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Age of the youngest event that goes, such as 10m, 12h or 30d
    #[arg(long, value_name = "AGE", value_parser = parse_age, default_value = "10m")]
    older_than: Age,
    /// Events to remove at most, the oldest first
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_delete: u64,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct RetentionDocument {
    schema_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    cutoff: String,
    max_delete: u64,
    scanned: u64,
    deleted: u64,
    protected: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deleted_ids: Vec<String>,
    freed_bytes: u64,
    dry_run: bool,
}

impl Prune {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let (run_id, runs) = match &self.run {
            Some(name) => {
                let (_, selected) = context.run(Some(name))?;
                (Some(selected.run.id.to_string()), vec![selected.run.id])
            }
            None => {
                let runs = context.store()?.reader()?.runs()?;
                (None, runs.into_iter().filter(|run| run.removed.is_none()).map(|run| run.id).collect())
            }
        };
        let now = wall_clock();
        let age = i64::try_from(self.older_than.duration.as_nanos()).unwrap_or(i64::MAX);
        let cutoff = EventTime::from_nanos(now.as_nanos().saturating_sub(age));
        let request = PruneRequest { cutoff, most: self.max_delete, by: who(), dry_run: self.dry_run };
        let report = prune(&context.store()?, &runs, &request, now)?;
        let document = RetentionDocument {
            schema_version: schema::v1("telemetry_retention"),
            run_id,
            cutoff: cutoff.to_rfc3339(),
            max_delete: self.max_delete,
            scanned: report.scanned,
            deleted: report.deleted.len() as u64,
            protected: report.protected,
            deleted_ids: report.deleted.iter().map(ToString::to_string).collect(),
            freed_bytes: report.freed,
            dry_run: self.dry_run,
        };
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut out = anstream::stdout();
        let would = if self.dry_run { " (dry run: nothing was removed)" } else { "" };
        writeln!(
            out,
            "cutoff={} scanned={} deleted={} protected={} freed_bytes={}{would}",
            document.cutoff, document.scanned, document.deleted, document.protected, document.freed_bytes
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
