//! One content-addressed object.

use crate::diff::rollout_id;
use agentprov_model::EventTime;
use agentprov_store::RunRow;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// An object: its row and the bytes of its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// The row.
    pub row: ObjectRow,
    /// The file.
    pub bytes: Vec<u8>,
}

/// An object in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ObjectRow {
    /// `sha256:` and the SHA-256 of the file.
    pub hash: String,
    /// Kind.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it describes.
    pub source_id: String,
    /// The run.
    pub run_id: String,
    /// Group of attempts.
    pub rollout_id: String,
    /// Hashes of its parents, joined by commas.
    pub parent_hashes: String,
    /// The file below the data dir, whether it was written or not.
    pub path: String,
    /// Length of the file.
    pub size_bytes: u64,
    /// When the thing that it describes began or happened.
    pub created_at: String,
}

/// What stands in the file.
#[derive(Serialize)]
struct Content<'a, B> {
    schema_version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    source_id: &'a str,
    run_id: &'a str,
    parents: &'a [String],
    created_at: String,
    body: &'a B,
}

impl Object {
    /// Makes the object of a thing.
    pub fn new(
        run: &RunRow,
        kind: &'static str,
        source_id: impl Into<String>,
        parents: &[String],
        at: EventTime,
        body: &impl Serialize,
    ) -> Self {
        let source_id = source_id.into();
        let content = Content {
            schema_version: "agentprovenance.object/v1",
            kind,
            source_id: &source_id,
            run_id: run.id.as_str(),
            parents,
            created_at: at.to_rfc3339(),
            body,
        };
        let mut bytes = serde_json::to_vec(&content).unwrap_or_default();
        bytes.push(b'\n');
        let hex = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
        let row = ObjectRow {
            path: object_path(&hex),
            hash: format!("sha256:{hex}"),
            kind,
            source_id,
            run_id: run.id.to_string(),
            rollout_id: rollout_id(run),
            parent_hashes: parents.join(","),
            size_bytes: bytes.len() as u64,
            created_at: at.to_rfc3339(),
        };
        Self { row, bytes }
    }
}

/// File of an object below the data dir.
pub fn object_path(hex: &str) -> String {
    format!("provenance/objects/sha256/{}/{hex}.json", hex.get(..2).unwrap_or_default())
}
