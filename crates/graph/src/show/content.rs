//! A content: where it is kept, and which versions left it behind.

use crate::error::GraphError;
use crate::show::ContentName;
use crate::versions::{Version, cause_name};
use agentprov_model::{FileState, Kept, OsBytes};
use agentprov_store::{Reader, RunRow, Seq};
use serde::Serialize;

/// A content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShowContent {
    /// SHA-256 of the bytes, hex; empty where only git's name is known.
    pub sha256: String,
    /// Git's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_blob: Option<String>,
    /// Length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// `stored`, `git`, `hash_only`, or `missing` where the store lost it.
    pub kept: &'static str,
    /// Bytes on disk, where it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Versions that left it behind, the oldest first.
    pub versions: Vec<ShownUse>,
}

/// A version that left a content behind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownUse {
    /// Run.
    pub run_id: String,
    /// Path below the workspace, else absolute.
    pub path: OsBytes,
    /// When.
    pub time: String,
    /// Everyone who may have written it.
    pub writers: Vec<String>,
    /// What made the version.
    pub cause: &'static str,
    /// Fact.
    pub event_id: String,
}

pub(super) fn show_content(
    reader: &Reader,
    name: ContentName,
    uses: &[(RunRow, Vec<Seq>)],
) -> Result<ShowContent, GraphError> {
    let mut versions = Vec::new();
    let mut content = None;
    for (run, seqs) in uses {
        for &seq in seqs {
            let Some(version) = Version::from_fact(seq, reader.fact(run.no, seq)?) else { continue };
            if let FileState::File { content: found, .. } = &version.after {
                content = Some(found.clone());
            }
            versions.push(ShownUse {
                run_id: run.id.to_string(),
                time: version.at.to_rfc3339(),
                writers: version.writers.iter().map(ToString::to_string).collect(),
                cause: cause_name(&version.cause),
                event_id: version.event.to_string(),
                path: version.workspace_path.unwrap_or(version.path),
            });
        }
    }
    let sha256 = match (name, &content) {
        (ContentName::Sha256(id), _) => Some(id),
        (ContentName::Git(_), content) => content.as_ref().map(|content| content.sha256),
    };
    let row = sha256.map(|id| reader.blob_row(&id)).transpose()?.flatten();
    let on_disk = sha256.and_then(|id| reader.store().blobs().stored_size(&id));
    let git = content.as_ref().and_then(|content| content.git);
    let kept = match (&content.as_ref().map(|content| content.kept), &row, on_disk) {
        (_, _, Some(_)) => "stored",
        (Some(Kept::Stored), ..) => "missing",
        (_, Some(row), None) if row.stored.is_some() => "missing",
        (Some(Kept::Git), ..) | (None, Some(_), None) => "git",
        (Some(Kept::HashOnly(_)), ..) | (None, None, None) => "hash_only",
    };
    Ok(ShowContent {
        sha256: sha256.map(|id| id.to_hex()).unwrap_or_default(),
        git_blob: match name {
            ContentName::Git(id) => Some(id.to_string()),
            ContentName::Sha256(_) => git.map(|git| git.to_string()),
        },
        bytes: content.as_ref().map(|content| content.size).or(row.as_ref().map(|row| row.size)),
        kept,
        stored_bytes: on_disk,
        versions,
    })
}
