//! What is signed of one line.

use crate::attribution::claim::Author;
use crate::change::RepositoryId;
use crate::lines::LineNumber;
use agentprov_model::{Basis, ContentId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Type of the payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.agentprov.line-claim.v1+json";

/// A claim on one line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct LineClaim {
    pub(super) repository: RepositoryId,
    /// The commit that brought the line.
    pub(super) commit: String,
    /// Path in that commit.
    pub(super) path: String,
    /// Number in that file.
    pub(super) line: LineNumber,
    /// SHA-256 of the line with its end.
    pub(super) sha256: ContentId,
    pub(super) author: Author,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// On what ground whoever signed says so.
    pub(super) basis: Basis,
    /// The run and the fact in it by which they know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fact: Option<String>,
    /// The public key of whoever signed, as a C2SP verifier key.
    pub(super) key: String,
}

/// The name of a line's content.
pub(super) fn name_of(line: &[u8]) -> ContentId {
    ContentId::from_bytes(Sha256::digest(line).into())
}
