//! The document, and the two forms in which it stands in a file.

use crate::attribution::claim::LineSide;
use crate::lines::LineNumber;
use agentprov_model::schema;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Type of the payload in a signed file.
pub const PAYLOAD_TYPE: &str = "application/vnd.agentprov.attribution-evidence+json";

/// Schema of the document.
pub(super) fn schema() -> String {
    schema::v1("attribution_evidence")
}

/// What a file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) schema_version: String,
    /// Commits and tree of the change.
    pub(super) base: String,
    pub(super) head: String,
    pub(super) tree: String,
    /// Public keys of the store, as C2SP verifier keys.
    pub(super) keys: Vec<String>,
    pub(super) logs: Vec<LogPart>,
    pub(super) files: Vec<FilePart>,
}

/// Facts of one run's log, and the head under which they are proved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogPart {
    pub(super) run_id: String,
    /// Signed note.
    pub(super) checkpoint: String,
    pub(super) facts: Vec<FactPart>,
}

/// A fact and its path in the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactPart {
    pub(super) seq: u64,
    /// Base64 of the bytes that were hashed.
    pub(super) body: String,
    /// Base64 hashes, the leaf's sibling first.
    pub(super) proof: Vec<String>,
}

/// Lines of a file of the change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePart {
    pub(super) path: String,
    /// Content that added lines are counted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blob: Option<String>,
    /// Content that removed lines are counted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) old_blob: Option<String>,
    /// By side, then by number; they do not overlap.
    pub(super) lines: Vec<LinesPart>,
}

/// Lines with the same writers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinesPart {
    pub(super) side: LineSide,
    pub(super) first: LineNumber,
    pub(super) last: LineNumber,
    pub(super) claims: Vec<FactRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) earlier: Vec<FactRef>,
}

/// The version fact with which lines came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactRef {
    /// Place in the list of logs.
    pub(super) log: usize,
    pub(super) seq: u64,
    /// The content was not recorded itself; the line is preserved from recorded versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) preserved: bool,
}

/// A file without a signature: the digest tells what was damaged on the way, not who made it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unsigned {
    pub(super) digest: String,
    pub(super) evidence: Document,
}

impl Unsigned {
    pub(super) fn new(evidence: Document) -> Result<Self, serde_json::Error> {
        Ok(Self { digest: digest(&evidence)?, evidence })
    }
}

/// Digest of the one spelling of a document.
pub(super) fn digest(document: &Document) -> Result<String, serde_json::Error> {
    Ok(format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(document)?))))
}
