//! What a batch comes to, and where it is kept: a file beside the store that names runs. The runs hold the evidence.

use crate::failure::Failure;
use agentprov_graph::result_set::page_hash;
use agentprov_log::leaf_hash;
use agentprov_model::{EventTime, schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Folder of the documents, in the data dir.
const FOLDER: &str = "batches";

/// The document of one batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BatchDocument {
    pub(crate) schema_version: String,
    pub(crate) batch_id: String,
    pub(crate) input_sha256: String,
    pub(crate) started_at: String,
    pub(crate) ended_at: String,
    pub(crate) job_count: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) status_counts: BTreeMap<String, u64>,
    pub(crate) run_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) shards: BTreeMap<String, u64>,
    pub(crate) items: Vec<Item>,
    pub(crate) result_set_id: String,
    pub(crate) page_hash: String,
}

/// One job of a batch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Item {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch_id: Option<String>,
    pub(crate) index: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempt_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tool_call_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workdir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    pub(crate) status: String,
    pub(crate) exit_code: i64,
    pub(crate) wall_ms: u64,
    pub(crate) changed_file_count: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changed_files: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evidence_manifest_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) explain_command: Option<String>,
}

impl Item {
    /// Takes over what the manifest of the recording says.
    pub(super) fn with_manifest(mut self, manifest: &Value) -> Self {
        let text = |key: &str| manifest[key].as_str().map(str::to_owned);
        self.run_id = text("run_id").or(self.run_id);
        self.attempt_id = text("attempt_id");
        self.tool_call_id = text("tool_call_id");
        self.process_id = text("process_id");
        self.workdir = text("workdir").or(self.workdir);
        self.command = text("command").or(self.command);
        self.status = text("status").unwrap_or(self.status);
        self.error = text("failure_reason");
        self.exit_code = manifest["exit_code"].as_i64().unwrap_or(125);
        self.wall_ms = manifest["wall_ms"].as_u64().unwrap_or_default();
        self.changed_file_count = manifest["changed_file_count"].as_u64().unwrap_or_default();
        let changed = manifest["changed_files"].as_array().into_iter().flatten();
        self.changed_files = changed.filter_map(|path| path.as_str().map(str::to_owned)).collect();
        if let Some(run) = &self.run_id {
            self.evidence_manifest_command = Some(format!("evidence manifest --run {run} --json"));
            self.explain_command =
                self.tool_call_id.as_ref().map(|call| format!("graph explain --run {run} --tool-call {call} --json"));
        }
        self
    }

    /// One line for people and scripts.
    pub(super) fn line(&self) -> String {
        let known = |value: &Option<String>| value.clone().unwrap_or_default();
        let error = self.error.as_ref().map(|error| format!(" error={error}")).unwrap_or_default();
        format!(
            "job_id={} run_id={} status={} exit={} wall_ms={} changed_files={}{error}",
            known(&self.job_id),
            known(&self.run_id),
            self.status,
            self.exit_code,
            self.wall_ms,
            self.changed_file_count,
        )
    }
}

impl BatchDocument {
    pub(super) fn new(input: &[u8], started: EventTime, ended: EventTime, mut items: Vec<Item>) -> Self {
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        let input_sha256 = hex(&Sha256::digest(input));
        let named = [input_sha256.as_bytes(), &started.as_nanos().to_be_bytes(), &std::process::id().to_be_bytes()];
        let batch_id = format!("recbatch-{}", hex(&Sha256::digest(named.concat())[..6]));
        items.iter_mut().for_each(|item| item.batch_id = Some(batch_id.clone()));
        let mut status_counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut shards: BTreeMap<String, u64> = BTreeMap::new();
        let mut run_ids = BTreeSet::new();
        for item in &items {
            *status_counts.entry(item.status.clone()).or_default() += 1;
            if item.status == "passed" {
                run_ids.extend(item.run_id.clone());
                item.shard_id.iter().for_each(|shard| *shards.entry(shard.clone()).or_default() += 1);
            }
        }
        let of = |status: &str| status_counts.get(status).copied().unwrap_or_default();
        Self {
            schema_version: schema::v1("record_batch"),
            input_sha256,
            started_at: started.to_rfc3339(),
            ended_at: ended.to_rfc3339(),
            job_count: items.len() as u64,
            passed: of("passed"),
            failed: of("failed"),
            skipped: of("skipped"),
            run_ids: run_ids.into_iter().collect(),
            shards,
            result_set_id: format!("sha256:{}", leaf_hash(batch_id.as_bytes()).to_hex()),
            page_hash: page_hash(&items),
            status_counts,
            items,
            batch_id,
        }
    }

    /// One line for people and scripts.
    pub(super) fn line(&self) -> String {
        format!(
            "batch_id={} jobs={} passed={} failed={} skipped={}",
            self.batch_id, self.job_count, self.passed, self.failed, self.skipped
        )
    }

    /// Keeps the document, so that `evidence batch-summary` finds it.
    pub(super) fn keep(&self, data_dir: &Path) -> Result<(), Failure> {
        let folder = data_dir.join(FOLDER);
        let path = folder.join(format!("{}.json", self.batch_id));
        let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, serde_json::to_vec(self)?));
        written.map_err(|error| {
            Failure::new(format!("can't keep the document of the batch in {}: {error}", path.display()))
        })
    }
}

/// Documents of the batches of a store, newest first. A file that can't be read is none.
pub(crate) fn kept_batches(data_dir: &Path) -> Vec<BatchDocument> {
    let files = std::fs::read_dir(data_dir.join(FOLDER)).into_iter().flatten().flatten();
    let read = files.filter_map(|file| serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok());
    let mut batches: Vec<BatchDocument> = read.collect();
    batches.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| a.batch_id.cmp(&b.batch_id)));
    batches
}
