//! `agentprov evidence batch-summary`.

use crate::commands::record_batch::{BatchDocument, Item, kept_batches};
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, Columns};
use agentprov_graph::result_set::page_hash;
use agentprov_log::leaf_hash;
use agentprov_model::schema;
use clap::Args;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

/// Says what batches of recordings came to, newest first. Name what is wanted; several names narrow it down.
#[derive(Args, Debug, Serialize)]
pub(crate) struct BatchSummary {
    /// Only this batch
    #[arg(long = "batch", value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
    /// Only jobs of this run
    #[arg(long = "run", value_name = "RUN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    /// Only this job
    #[arg(long = "job", value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    /// Only jobs of this shard
    #[arg(long = "shard", value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<String>,
    /// Only the newest batch
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    latest: bool,
    /// Jobs to list at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Print a JSON document
    #[arg(long)]
    #[serde(skip)]
    json: bool,
}

#[derive(Serialize)]
struct SummaryDocument<'a> {
    schema_version: String,
    query: &'a BatchSummary,
    batch_count: u64,
    item_count: u64,
    passed: u64,
    failed: u64,
    skipped: u64,
    status_counts: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    shards: BTreeMap<String, u64>,
    run_ids: BTreeSet<String>,
    batches: Vec<Listed>,
    items: Vec<Item>,
    result_set_id: String,
    page_hash: String,
}

/// A batch without its items.
#[derive(Serialize)]
struct Listed {
    batch_id: String,
    input_sha256: String,
    started_at: String,
    ended_at: String,
    job_count: u64,
    passed: u64,
    failed: u64,
    skipped: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    shards: BTreeMap<String, u64>,
    result_set_id: String,
    page_hash: String,
    created_at: String,
}

impl BatchSummary {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let mut batches = kept_batches(context.store()?.dir());
        if let Some(wanted) = &self.batch_id {
            let known = batches.iter().map(|batch| batch.batch_id.clone()).take(3).collect::<Vec<_>>().join(", ");
            batches.retain(|batch| batch.batch_id == *wanted);
            if batches.is_empty() {
                let failure = Failure::new(format!("no batch '{wanted}'"));
                return Err(match known.is_empty() {
                    true => failure.hint("there are none yet; make one with: agentprov record batch --file JOBS"),
                    false => failure.hint(format!("the newest are: {known}")),
                });
            }
        }
        batches.retain(|batch| batch.items.iter().any(|item| self.wants(item)));
        if self.latest {
            batches.truncate(1);
        }
        let document = self.document(batches);
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut columns = Columns::new(&["BATCH", "JOB", "RUN", "STATUS", "EXIT", "WALL_MS", "CHANGED"]);
        for item in &document.items {
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            columns.row(vec![
                known(&item.batch_id),
                known(&item.job_id),
                known(&item.run_id),
                item.status.clone(),
                item.exit_code.to_string(),
                item.wall_ms.to_string(),
                item.changed_file_count.to_string(),
            ]);
        }
        columns.write(&mut anstream::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }

    fn wants(&self, item: &Item) -> bool {
        let fits = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        fits(&self.run_id, &item.run_id) && fits(&self.job_id, &item.job_id) && fits(&self.shard_id, &item.shard_id)
    }

    fn document(&self, batches: Vec<BatchDocument>) -> SummaryDocument<'_> {
        let all = batches.iter().flat_map(|batch| &batch.items).filter(|item| self.wants(item));
        let mut status_counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut shards: BTreeMap<String, u64> = BTreeMap::new();
        let mut run_ids = BTreeSet::new();
        let mut item_count = 0;
        for item in all.clone() {
            item_count += 1;
            *status_counts.entry(item.status.clone()).or_default() += 1;
            if item.status == "passed" {
                run_ids.extend(item.run_id.clone());
                item.shard_id.iter().for_each(|shard| *shards.entry(shard.clone()).or_default() += 1);
            }
        }
        let items: Vec<Item> = all.take(usize::try_from(self.limit).unwrap_or(usize::MAX)).cloned().collect();
        let of = |status: &str| status_counts.get(status).copied().unwrap_or_default();
        let ids: Vec<&str> = batches.iter().map(|batch| batch.batch_id.as_str()).collect();
        let asked = serde_json::to_string(&(self, ids)).unwrap_or_default();
        SummaryDocument {
            schema_version: schema::v1("record_batch_summary"),
            query: self,
            batch_count: batches.len() as u64,
            item_count,
            passed: of("passed"),
            failed: of("failed"),
            skipped: of("skipped"),
            shards,
            run_ids,
            result_set_id: format!("sha256:{}", leaf_hash(asked.as_bytes()).to_hex()),
            page_hash: page_hash(&items),
            status_counts,
            batches: batches.into_iter().map(listed).collect(),
            items,
        }
    }
}

fn listed(batch: BatchDocument) -> Listed {
    Listed {
        created_at: batch.ended_at.clone(),
        batch_id: batch.batch_id,
        input_sha256: batch.input_sha256,
        started_at: batch.started_at,
        ended_at: batch.ended_at,
        job_count: batch.job_count,
        passed: batch.passed,
        failed: batch.failed,
        skipped: batch.skipped,
        shards: batch.shards,
        result_set_id: batch.result_set_id,
        page_hash: batch.page_hash,
    }
}
