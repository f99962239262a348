//! What each engine is and which rules it applies, so that a decision can name them.

use agentprov_model::EventTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// One engine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Capability {
    /// Its name.
    pub name: String,
    /// The key under which it reports.
    pub rule_key: String,
    /// The category of its findings, `general` where they have several.
    pub category: String,
    /// What it does, in one sentence.
    pub description: String,
    /// The last part of the path of its configuration; the folders before it are nobody's business.
    pub config_path: Option<String>,
    /// SHA-256 of the configuration that is applied.
    pub config_sha256: Option<String>,
    /// When the configuration was changed last.
    pub last_modified: Option<String>,
    /// The version of the engine.
    pub engine_version: Option<String>,
    /// How many rules it has.
    pub rule_count: Option<u64>,
    /// SHA-256 over all rules that it applies.
    pub digest: Option<String>,
    /// Why it can't run; absent where it can.
    pub problem: Option<String>,
}

impl Capability {
    /// An engine of which only this is known.
    pub(super) fn named(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            rule_key: name.to_owned(),
            category: "general".into(),
            description: description.to_owned(),
            config_path: None,
            config_sha256: None,
            last_modified: None,
            engine_version: None,
            rule_count: None,
            digest: None,
            problem: None,
        }
    }
}

/// The last part of a path.
pub(super) fn base_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// When a file was changed last.
pub(super) fn last_modified(path: &Path) -> Option<String> {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(|nanos| EventTime::from_nanos(nanos).to_rfc3339())
}

/// SHA-256 in hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
