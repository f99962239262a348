//! The in-toto Statement v1: who says what about which artifacts.

use crate::digest::{Algorithm, DigestSet};
use crate::json::{self, JsonError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `_type` of a statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Why verified bytes are no statement of the wanted kind.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StatementError {
    /// The document is no JSON in which every name has one value.
    #[error("the statement: {0}")]
    Json(#[from] JsonError),
    /// `_type` is another one.
    #[error("_type is {0:?}, not {STATEMENT_TYPE:?}")]
    Type(String),
    /// The predicate is of another kind.
    #[error("the predicate is of type {found:?}, not {wanted:?}")]
    PredicateType {
        /// What stands there.
        found: String,
        /// What the caller asked for.
        wanted: &'static str,
    },
    /// It is about nothing.
    #[error("the statement has no subject")]
    NoSubject,
    /// A member is missing or wrong.
    #[error("the statement: {0}")]
    Shape(String),
}

/// What a statement is about. Subjects are compared by digest; the name is for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// What people call it, for example a path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its digests.
    pub digest: DigestSet,
}

/// What a predicate is.
pub trait Predicate: Serialize + DeserializeOwned {
    /// `predicateType`.
    const TYPE: &'static str;
}

/// A statement with a predicate of a known type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement<P> {
    /// What it is about; never empty.
    pub subjects: Vec<Subject>,
    /// What is said.
    pub predicate: P,
}

#[derive(Serialize)]
struct Written<'a, P> {
    #[serde(rename = "_type")]
    statement_type: &'static str,
    subject: &'a [Subject],
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: &'a P,
}

#[derive(Deserialize)]
struct Read {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

impl<P: Predicate> Statement<P> {
    /// The bytes to sign.
    ///
    /// # Errors
    /// When it has no subject or can't be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        if self.subjects.is_empty() {
            return Err(StatementError::NoSubject);
        }
        serde_json::to_vec(&Written {
            statement_type: STATEMENT_TYPE,
            subject: &self.subjects,
            predicate_type: P::TYPE,
            predicate: &self.predicate,
        })
        .map_err(|error| StatementError::Shape(error.to_string()))
    }

    /// Reads bytes that were verified.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let shape = |error: serde_json::Error| StatementError::Shape(error.to_string());
        let read: Read = serde_json::from_value(json::parse(bytes)?).map_err(shape)?;
        if read.statement_type != STATEMENT_TYPE {
            return Err(StatementError::Type(read.statement_type));
        }
        if read.subject.is_empty() {
            return Err(StatementError::NoSubject);
        }
        if read.predicate_type != P::TYPE {
            return Err(StatementError::PredicateType { found: read.predicate_type, wanted: P::TYPE });
        }
        Ok(Self { subjects: read.subject, predicate: serde_json::from_value(read.predicate).map_err(shape)? })
    }
}

impl<P> Statement<P> {
    /// The subjects that have a digest of that algorithm.
    pub fn with(&self, algorithm: Algorithm) -> impl Iterator<Item = (&Subject, &str)> {
        self.subjects.iter().filter_map(move |subject| Some((subject, subject.digest.get(&algorithm)?)))
    }
}
