//! The short name of a finding.

use crate::finding::Fingerprint;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `fd_` and the first 128 bits of the fingerprint in hex: the same in every review of the same lines.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FindingId(String);

/// Hexadecimal digits of an id.
const DIGITS: usize = 32;

/// A text that is no id of a finding.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is no id of a finding: those are fd_ and {DIGITS} hexadecimal digits, as a review prints them")]
pub struct FindingIdError(String);

impl FindingId {
    /// The id of a finding with this fingerprint.
    pub fn of(fingerprint: &Fingerprint) -> Self {
        Self(format!("fd_{}", &fingerprint.to_string()[..DIGITS]))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FindingId {
    type Err = FindingIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("fd_").unwrap_or_default();
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() == DIGITS && digits.bytes().all(hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(FindingIdError(text.to_owned()))
    }
}

impl TryFrom<String> for FindingId {
    type Error = FindingIdError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FindingId> for String {
    fn from(id: FindingId) -> Self {
        id.0
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::RuleId;

    #[test]
    fn an_id_reads_back_and_nothing_else_is_one() {
        let id = FindingId::of(&Fingerprint::of(&RuleId::from_static("r"), "a", "x", 0));
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        for bad in ["fd_", "fd_00", &id.as_str()[3..], &id.as_str().to_uppercase()] {
            assert!(bad.parse::<FindingId>().is_err(), "{bad}");
        }
    }
}
