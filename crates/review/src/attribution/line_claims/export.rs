//! Writes signed claims.

use crate::attribution::line_claims::document::{LineClaim, PAYLOAD_TYPE, name_of};
use crate::attribution::records::{CommitLines, OwnedRange};
use crate::change::RepositoryId;
use crate::lines::LineNumber;
use agentprov_attest::Envelope;
use agentprov_graph::diff::split_lines;
use agentprov_log::SignerKey;

/// Why claims can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LineClaimError {
    /// As JSON.
    #[error("the claims can't be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// A claim for each line of these commits that has one owner, each a signed envelope in a line of its own.
///
/// # Errors
/// [`LineClaimError`].
pub fn export_line_claims(
    commits: &[CommitLines],
    repository: &RepositoryId,
    key: &SignerKey,
) -> Result<String, LineClaimError> {
    let mut text = String::new();
    for commit in commits {
        for (path, ranges) in &commit.files {
            for range in ranges {
                for (line, content) in range.lines() {
                    let claim = claim(repository, (&commit.commit.id, path, line, content), range, key);
                    text += &Envelope::sign(PAYLOAD_TYPE, serde_json::to_vec(&claim)?, key).to_json()?;
                    text.push('\n');
                }
            }
        }
    }
    Ok(text)
}

fn claim(
    repository: &RepositoryId,
    (commit, path, line, content): (&str, &str, LineNumber, &[u8]),
    range: &OwnedRange,
    key: &SignerKey,
) -> LineClaim {
    let deed = range.claim.deed.as_ref();
    LineClaim {
        repository: repository.clone(),
        commit: commit.to_owned(),
        path: path.to_owned(),
        line,
        sha256: name_of(content),
        author: range.claim.author.clone(),
        session: range.session().map(str::to_owned),
        model: range.claim.model.clone(),
        basis: range.claim.basis,
        run: deed.map(|deed| deed.run_id.clone()),
        fact: deed.map(|deed| deed.event_id.clone()),
        key: key.verifier().to_string(),
    }
}

impl OwnedRange {
    /// Its lines with their numbers.
    fn lines(&self) -> impl Iterator<Item = (LineNumber, &[u8])> {
        let numbers = (self.first.index()..).map(LineNumber::after);
        numbers.zip(split_lines(&self.text))
    }
}
