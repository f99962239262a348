//! What all commands that take telemetry in have in common: rules, request, and the call.

use super::scope::Scope;
use crate::commands::record_rules::{Acting, Means, load};
use crate::context::Context;
use crate::failure::Failure;
use agentprov_ingest::hooks::wall_clock;
use agentprov_ingest::receivers::Format;
use agentprov_ingest::telemetry::{IngestError, IngestReport, IngestRequest, RowResult, ingest};
use agentprov_ingest::{Judge, Unjudged};
use agentprov_model::{ClassTable, RuleMode};
use agentprov_policy::{RuleSet, TelemetryJudge};
use agentprov_store::Store;
use clap::Args;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Folder of what responses to reported events leave behind.
const RESPONSES: &str = "telemetry";

/// Rules that judge what comes in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rules")]
pub(super) struct Rules {
    /// Judge with the rules of this file [default: the built-in ones]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Do not judge
    #[arg(long, conflicts_with = "rules")]
    no_policy: bool,
    #[command(flatten)]
    acting: Acting,
}

impl Rules {
    /// Does not judge.
    pub(super) fn none() -> Self {
        Self { rules: None, no_policy: true, acting: Acting::detect() }
    }

    pub(super) fn load(&self) -> Result<Option<Arc<RuleSet>>, Failure> {
        if self.no_policy {
            return Ok(None);
        }
        load(self.rules.as_deref()).map(|rules| Some(Arc::new(rules)))
    }
}

/// What becomes of odd rows.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Rows {
    /// Refuse rows that name application context, such as a run_id
    #[arg(long)]
    pub(super) strict: bool,
    /// Leave out rows that bind to no scope
    #[arg(long)]
    pub(super) drop_uncorrelated: bool,
    /// Keep only what was understood of each row, not the row itself
    #[arg(long)]
    pub(super) no_raw: bool,
}

/// Takes inputs in.
pub(super) struct Intake {
    store: Store,
    rules: Option<Arc<RuleSet>>,
    /// Where rules act.
    means: Option<Means>,
    pub(super) request: IngestRequest,
}

impl Intake {
    /// Mistakes in rules are found before anything is read.
    pub(super) fn new(
        context: &Context,
        rules: &Rules,
        scope: &Scope,
        rows: &Rows,
        format: Format,
        path: String,
    ) -> Result<Self, Failure> {
        let acting = &rules.acting;
        let rules = rules.load()?;
        let table = match &rules {
            Some(rules) => rules.table().clone(),
            None => ClassTable::builtin().clone(),
        };
        let request = IngestRequest {
            format,
            path,
            from_offset: 0,
            provided: scope.provided(),
            strict: rows.strict,
            drop_uncorrelated: rows.drop_uncorrelated,
            keep_raw: !rows.no_raw,
            host: host_name(),
            table: Arc::new(table),
        };
        let store = context.store_or_new()?;
        let means = match acting.mode() {
            RuleMode::Detect => None,
            RuleMode::Enforce => Some(acting.means(&store, RESPONSES)?),
        };
        Ok(Self { store, rules, means, request })
    }

    /// Where it is kept how far followed files were read.
    pub(super) fn follow_folder(&self) -> PathBuf {
        self.store.dir().join("follow")
    }

    fn judge(&self) -> Result<Box<dyn Judge>, Failure> {
        let Some(rules) = &self.rules else { return Ok(Box::new(Unjudged)) };
        let judge = TelemetryJudge::new(Arc::clone(rules));
        let Some(means) = &self.means else { return Ok(Box::new(judge)) };
        let responder =
            means.start().map_err(|error| Failure::new(format!("can't start the thread for responses: {error}")))?;
        Ok(Box::new(judge.with_responder(responder)))
    }

    /// Takes an input in; `on_row` hears of each row when it is safe.
    pub(super) fn take(
        &self,
        input: impl Read + Send,
        on_row: &mut dyn FnMut(&RowResult),
    ) -> Result<IngestReport, Failure> {
        let judge = self.judge()?;
        let mut report = IngestReport::default();
        let summary = ingest(&self.store, input, &self.request, judge, &wall_clock, &mut |row| {
            report.row(row);
            on_row(row);
        })
        .map_err(|error| match error {
            IngestError::Store(error) => Failure::from(error),
            IngestError::Input { .. } | IngestError::Thread => Failure::new(error.to_string())
                .hint("what came before is kept; take the same input in again to complete it"),
        })?;
        Ok(report.finish(&self.request, &summary))
    }
}

/// This host, as sensors on it name it.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
