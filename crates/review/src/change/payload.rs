//! The posted form of a change: a list of lines, each with what is said about its author.

use agentprov_model::OsBytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Lines of one payload.
pub(super) const MAX_LINES: usize = 200_000;
/// Characters of one line.
const MAX_CONTENT: usize = 64 << 10;
/// Bytes of a path.
const MAX_PATH: usize = 4096;
/// Files of evidence.
const MAX_EVIDENCE: usize = 100;
/// Characters of an agent's name.
const MAX_AGENT: usize = 256;

/// A posted change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Payload {
    /// Name of the repository.
    pub repo: String,
    /// Number of the pull request; a text or a number.
    #[serde(deserialize_with = "text_or_number")]
    pub pr_number: String,
    /// Commit before.
    pub base_sha: String,
    /// Commit after.
    pub head_sha: String,
    /// Branch.
    #[serde(default)]
    pub branch: Option<String>,
    /// The lines.
    #[serde(default)]
    pub provenance_data: ProvenanceData,
    /// A unified diff, instead of the lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Evidence of who wrote the lines, each a file as it was exported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// The lines of a payload.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ProvenanceData {
    /// Anything; it is kept as it came.
    #[serde(default)]
    pub metadata: serde_json::Map<String, Value>,
    /// The lines.
    #[serde(default)]
    pub changed_lines: Vec<ChangedLine>,
}

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChangedLine {
    /// Path in the repository.
    pub file_path: String,
    /// Counted from 1; 0 speaks of the file as a whole.
    #[serde(deserialize_with = "whole_number")]
    pub line_number: u32,
    /// What became of it.
    pub change_type: LineChange,
    /// Language of the file.
    #[serde(default)]
    pub language: Option<String>,
    /// Text of the line, without its end.
    #[serde(default)]
    pub content: Option<String>,
    /// When it was written, as posted.
    #[serde(default)]
    pub timestamp: Option<Value>,
    /// Who committed it, as posted.
    #[serde(default)]
    pub author_identity: Option<String>,
    /// Who is said to have written it.
    pub attribution: PayloadAttribution,
    /// SHA-256 of the text, in hex.
    #[serde(default)]
    pub content_sha256: Option<String>,
    /// Signature over that hash, in base64.
    #[serde(default)]
    pub attestation_signature: Option<String>,
}

/// What became of a posted line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineChange {
    /// It is new.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

/// Who is said to have written a line.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct PayloadAttribution {
    /// Name of the agent; empty where nobody is named.
    pub agent_id: String,
    /// Version of the agent.
    #[serde(default)]
    pub agent_version: Option<String>,
    /// Session of the agent.
    #[serde(default)]
    pub agent_session_id: Option<String>,
    /// Commit.
    #[serde(default)]
    pub commit_sha: Option<String>,
    /// A mark that the agent left.
    #[serde(default)]
    pub provenance_marker: Option<String>,
}

/// A posted value that can't be taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {what}")]
pub struct PayloadError {
    /// Path of the field, such as `provenance_data.changed_lines.3.file_path`.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
    /// The change as a whole is more than is taken; a single value that is too large is wrong instead.
    pub too_large: bool,
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
        Float(f64),
    }
    // Up to here every whole number has one floating-point form.
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    match Either::deserialize(deserializer)? {
        Either::Text(text) => Ok(text),
        Either::Number(number) if number <= LARGEST as u64 => Ok(number.to_string()),
        Either::Float(number) if number.fract() == 0.0 && (0.0..=LARGEST).contains(&number) => {
            Ok((number as u64).to_string())
        }
        Either::Number(_) => Err(serde::de::Error::custom("it is too large")),
        Either::Float(_) => Err(serde::de::Error::custom("it is no whole number")),
    }
}

/// JSON has one kind of number: `12.0` is twelve.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    // The bounds were checked: nothing is cut off.
    if whole { Ok(number as u32) } else { Err(serde::de::Error::custom("it is no line number")) }
}

/// Why a path is not one of the repository.
pub(crate) fn check_path(path: &OsBytes) -> Result<(), &'static str> {
    let bytes = path.as_bytes();
    match () {
        () if bytes.is_empty() => Err("a path is empty"),
        () if bytes.len() > MAX_PATH => Err("a path is too long"),
        () if bytes.contains(&0) => Err("a path has a zero byte"),
        () if bytes.starts_with(b"/") => Err("a path has to be relative to the repository"),
        () if bytes.split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) => {
            Err("a path has an empty, '.' or '..' part")
        }
        () => Ok(()),
    }
}

impl Payload {
    /// Checks everything that the types do not.
    ///
    /// # Errors
    /// The first value that can't be taken.
    pub fn check(&self) -> Result<(), PayloadError> {
        let lines = &self.provenance_data.changed_lines;
        let error = |field: &str, what: &str| PayloadError { field: field.into(), what: what.into(), too_large: false };
        if self.repo.is_empty() {
            return Err(error("repo", "it is empty"));
        }
        if self.pr_number.is_empty() || !self.pr_number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error("pr_number", "it is not a number"));
        }
        if lines.len() > MAX_LINES {
            return Err(too_many(lines.len(), "provenance_data.changed_lines"));
        }
        if self.diff.is_some() && !lines.is_empty() {
            return Err(error("diff", "there are lines too: post the one or the other"));
        }
        if self.evidence.len() > MAX_EVIDENCE {
            return Err(error("evidence", "there are too many files"));
        }
        for (index, line) in lines.iter().enumerate() {
            line.check().map_err(|(field, what)| PayloadError {
                field: format!("provenance_data.changed_lines.{index}.{field}"),
                what: what.into(),
                too_large: false,
            })?;
        }
        Ok(())
    }
}

/// More lines than are taken.
pub(super) fn too_many(lines: usize, field: &str) -> PayloadError {
    PayloadError { field: field.to_owned(), what: format!("{lines} lines, more than {MAX_LINES}"), too_large: true }
}

impl ChangedLine {
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        check_path(&OsBytes::from(self.file_path.as_str())).map_err(|what| ("file_path", what))?;
        if self.line_number as usize > super::diff_text::MAX_LINE {
            return Err(("line_number", "it is too large"));
        }
        if self.attribution.agent_id.chars().count() > MAX_AGENT {
            return Err(("attribution.agent_id", "it is too long"));
        }
        if !matches!(&self.timestamp, None | Some(Value::String(_) | Value::Number(_))) {
            return Err(("timestamp", "it is neither a text nor a number"));
        }
        let hash = self.content_sha256.as_deref().filter(|hash| !hash.is_empty());
        if let Some(hash) = hash
            && (hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(("content_sha256", "it is no SHA-256 in hex"));
        }
        let Some(content) = self.content.as_deref().filter(|content| !content.is_empty()) else {
            let signature = self.attestation_signature.as_deref().filter(|signature| !signature.is_empty());
            return match (signature, hash) {
                (Some(_), None) => Err(("attestation_signature", "there is no hash that it could sign")),
                _ => Ok(()),
            };
        };
        if content.chars().count() > MAX_CONTENT {
            return Err(("content", "it is too long"));
        }
        if content.contains('\n') {
            return Err(("content", "it has more than one line"));
        }
        let actual = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
        if hash.is_some_and(|hash| !hash.eq_ignore_ascii_case(&actual)) {
            return Err(("content_sha256", "it is not the hash of the content"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payload(line: Value) -> Result<(), String> {
        let mut full =
            json!({"file_path": "a.py", "line_number": 1, "change_type": "added", "attribution": {"agent_id": "x"}});
        for (key, value) in line.as_object().unwrap() {
            full[key] = value.clone();
        }
        let body = json!({"repo": "o/r", "pr_number": 7, "base_sha": "a", "head_sha": "b",
                          "provenance_data": {"changed_lines": [full]}});
        let payload: Payload = serde_json::from_value(body).map_err(|error| error.to_string())?;
        payload.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_types_let_through_is_checked() {
        assert_eq!(payload(json!({})), Ok(()));
        for bad in ["", "/etc/passwd", "a/../b", "a//b", "./a", "a/", "a\0b"] {
            assert!(payload(json!({"file_path": bad})).unwrap_err().contains("changed_lines.0.file_path"), "{bad:?}");
        }
        assert!(payload(json!({"line_number": -1})).is_err());
        assert!(payload(json!({"line_number": 4_000_000})).unwrap_err().contains("line_number"));
        assert!(payload(json!({"content": "a\nb"})).unwrap_err().contains("more than one line"));
        let hash = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert_eq!(payload(json!({"content": "a", "content_sha256": hash.to_uppercase()})), Ok(()));
        assert!(payload(json!({"content": "b", "content_sha256": hash})).is_err());
        assert!(payload(json!({"attestation_signature": "AA=="})).unwrap_err().contains("attestation_signature"));
        assert_eq!(payload(json!({"attestation_signature": ""})), Ok(()));
        assert!(payload(json!({"change_type": "Added"})).is_err());
        assert!(payload(json!({"timestamp": {}})).unwrap_err().contains("timestamp"));
        assert_eq!(payload(json!({"timestamp": 1.5})), Ok(()));
    }
}
