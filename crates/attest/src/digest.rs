//! Digests of a subject, each under its algorithm.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An algorithm of a digest set. Names that in-toto does not list are kept as they are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Algorithm {
    /// SHA-256 of the bytes.
    Sha256,
    /// SHA-512 of the bytes.
    Sha512,
    /// A git commit.
    GitCommit,
    /// A git tree.
    GitTree,
    /// A git blob.
    GitBlob,
    /// A git tag.
    GitTag,
    /// A digest over a folder, as Go's h1.
    DirHash,
    /// Another one.
    Other(String),
}

impl Algorithm {
    /// As in-toto names it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::GitCommit => "gitCommit",
            Self::GitTree => "gitTree",
            Self::GitBlob => "gitBlob",
            Self::GitTag => "gitTag",
            Self::DirHash => "dirHash",
            Self::Other(name) => name,
        }
    }

    /// Whether a value can be of this algorithm: lower-case hex of the right length.
    fn accepts(&self, value: &str) -> bool {
        let hex = !value.is_empty() && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match self {
            Self::Sha256 => hex && value.len() == 64,
            Self::Sha512 => hex && value.len() == 128,
            Self::GitCommit | Self::GitTree | Self::GitBlob | Self::GitTag => hex && matches!(value.len(), 40 | 64),
            Self::DirHash | Self::Other(_) => !value.is_empty(),
        }
    }
}

impl From<String> for Algorithm {
    fn from(name: String) -> Self {
        match name.as_str() {
            "sha256" => Self::Sha256,
            "sha512" => Self::Sha512,
            "gitCommit" => Self::GitCommit,
            "gitTree" => Self::GitTree,
            "gitBlob" => Self::GitBlob,
            "gitTag" => Self::GitTag,
            "dirHash" => Self::DirHash,
            _ => Self::Other(name),
        }
    }
}

impl From<Algorithm> for String {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.as_str().to_owned()
    }
}

/// Why digests are refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DigestError {
    /// None at all.
    #[error("there is no digest")]
    Empty,
    /// A value that can't be of its algorithm.
    #[error("{value:?} is no {algorithm} digest")]
    Value {
        /// As in-toto names it.
        algorithm: String,
        /// As given.
        value: String,
    },
}

/// Digests of one thing. There is at least one, and each fits its algorithm.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Algorithm, String>", into = "BTreeMap<Algorithm, String>")]
pub struct DigestSet(BTreeMap<Algorithm, String>);

impl DigestSet {
    /// From pairs.
    ///
    /// # Errors
    /// [`DigestError`].
    pub fn new(digests: impl IntoIterator<Item = (Algorithm, String)>) -> Result<Self, DigestError> {
        Self::try_from(digests.into_iter().collect::<BTreeMap<_, _>>())
    }

    /// The digest of that algorithm.
    pub fn get(&self, algorithm: &Algorithm) -> Option<&str> {
        self.0.get(algorithm).map(String::as_str)
    }

    /// Whether both are of the same thing: an accepted algorithm agrees, and none that both have disagrees.
    pub fn matches(&self, other: &Self, accepted: &[Algorithm]) -> bool {
        let shared = || self.0.iter().filter_map(|(name, value)| Some((name, value, other.0.get(name)?)));
        shared().any(|(name, one, two)| one == two && accepted.contains(name))
            && shared().all(|(_, one, two)| one == two)
    }
}

impl TryFrom<BTreeMap<Algorithm, String>> for DigestSet {
    type Error = DigestError;

    fn try_from(digests: BTreeMap<Algorithm, String>) -> Result<Self, DigestError> {
        if digests.is_empty() {
            return Err(DigestError::Empty);
        }
        match digests.iter().find(|(algorithm, value)| !algorithm.accepts(value)) {
            Some((algorithm, value)) => {
                Err(DigestError::Value { algorithm: algorithm.as_str().to_owned(), value: value.clone() })
            }
            None => Ok(Self(digests)),
        }
    }
}

impl From<DigestSet> for BTreeMap<Algorithm, String> {
    fn from(set: DigestSet) -> Self {
        set.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Result<DigestSet, DigestError> {
        DigestSet::new(pairs.iter().map(|(name, value)| (Algorithm::from((*name).to_owned()), (*value).to_owned())))
    }

    #[test]
    fn values_fit_their_algorithm() {
        let commit = "a".repeat(40);
        assert!(set(&[("gitCommit", &commit)]).is_ok());
        assert!(set(&[("gitCommit", &commit.to_uppercase())]).is_err());
        assert!(set(&[("sha256", &commit)]).is_err());
        assert_eq!(set(&[]), Err(DigestError::Empty));
        assert!(set(&[("x", "anything")]).is_ok());
    }

    #[test]
    fn one_that_disagrees_spoils_the_match() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let (x, y) = ("a".repeat(64), "b".repeat(64));
        let one = set(&[("gitBlob", &a), ("sha256", &x)]).unwrap();
        let accepted = [Algorithm::GitBlob, Algorithm::Sha256];
        assert!(one.matches(&set(&[("gitBlob", &a)]).unwrap(), &accepted));
        assert!(!one.matches(&set(&[("gitBlob", &a), ("sha256", &y)]).unwrap(), &accepted));
        assert!(!one.matches(&set(&[("gitBlob", &b)]).unwrap(), &accepted));
        assert!(!one.matches(&set(&[("gitBlob", &a)]).unwrap(), &[Algorithm::Sha256]));
    }
}
