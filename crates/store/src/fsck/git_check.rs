//! Contents that git holds: read back and hashed.

use crate::blobs::git_blob;
use agentprov_model::content::{GitSha1, GitSha256};
use agentprov_model::{ContentId, GitBlobId};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

fn parse(bytes: &[u8]) -> Option<GitBlobId> {
    if let Ok(bytes) = <[u8; 20]>::try_from(bytes) {
        return Some(GitBlobId::Sha1(GitSha1::from_bytes(bytes)));
    }
    <[u8; 32]>::try_from(bytes).ok().map(|bytes| GitBlobId::Sha256(GitSha256::from_bytes(bytes)))
}

/// True where the git repository of one of the workspaces has the blob with exactly this content.
pub(super) fn holds(workspaces: &[PathBuf], git: &[u8], id: &ContentId) -> bool {
    let Some(git) = parse(git) else { return false };
    workspaces.iter().any(|workspace| {
        git_blob(workspace, &git).is_some_and(|bytes| ContentId::from_bytes(Sha256::digest(&bytes).into()) == *id)
    })
}
