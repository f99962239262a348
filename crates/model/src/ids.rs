//! Names of things. Each is a newtype, so that a run can't stand where an attempt belongs. A chosen name is shared, not
//! copied: the same few stand on every event of a run.

use crate::time::EventTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_LENGTH`] bytes.
    #[error("an id has at most {MAX_ID_LENGTH} bytes, this one has {0}")]
    TooLong(usize),
    /// A character that would break refs, URLs or shell words.
    #[error("'{0}' is not allowed in an id: use letters, digits and . _ : @ + - /")]
    Character(char),
    /// The first character must be a letter, a digit or '_'.
    #[error("an id starts with a letter, a digit or '_', not '{0}'")]
    Start(char),
    /// A path segment that could leave a directory.
    #[error("an id must not contain the segments '.', '..' or an empty one")]
    Segment,
    /// The text does not have the form of this kind of id.
    #[error("'{0}' does not have the form {1}")]
    Form(String, &'static str),
}

/// Longest id that a caller may choose, in bytes.
pub const MAX_ID_LENGTH: usize = 128;

fn check_chosen(text: &str) -> Result<(), IdError> {
    let first = text.chars().next().ok_or(IdError::Empty)?;
    if text.len() > MAX_ID_LENGTH {
        return Err(IdError::TooLong(text.len()));
    }
    if !first.is_ascii_alphanumeric() && first != '_' {
        return Err(IdError::Start(first));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:@+-/".contains(c);
    if let Some(bad) = text.chars().find(|&c| !allowed(c)) {
        return Err(IdError::Character(bad));
    }
    if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(IdError::Segment);
    }
    Ok(())
}

macro_rules! chosen_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and takes it.
            ///
            /// # Errors
            /// [`IdError`] when the text is empty, too long or has characters that an id may not have.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check_chosen(&text)?;
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for Arc<str> {
            fn from(id: $name) -> Arc<str> {
                id.0
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }
    };
}

chosen_id!(
    /// One recorded or ingested execution; owner of one log.
    RunId
);
chosen_id!(
    /// One try within a run: a sealed segment of its log.
    AttemptId
);
chosen_id!(
    /// An agent's session.
    SessionId
);
chosen_id!(
    /// One tool call of an agent.
    ToolCallId
);
chosen_id!(
    /// A process by the name that the application gave it; no runtime identity.
    LogicalProcessId
);
chosen_id!(
    /// Attempts from one starting point.
    RolloutId
);
chosen_id!(
    /// A kept state of a workspace.
    SnapshotId
);
chosen_id!(
    /// What ties runtime identities to a scope.
    BindingId
);
chosen_id!(
    /// One ingest of telemetry.
    BatchId
);
chosen_id!(
    /// A store, drawn once when it is made; part of every checkpoint origin.
    StoreId
);

/// Ordinal of an attempt in its run, from 1. Zero marks facts about the run itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(pub u32);

impl fmt::Display for AttemptNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Id of a fact: 48 bits of event time, then 80 bits of a hash of its identity.
///
/// The time prefix keeps ids near-sequential, so that one B-tree serves both order and
/// look-up; the hash makes the same input yield the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

/// Nanoseconds are shifted right by this many bits to make the 48-bit prefix
/// (16.4 us steps; the prefix lasts until the year 2116).
pub const EVENT_TIME_SHIFT: u32 = 14;

impl EventId {
    /// Derives the id from the event time and the parts that identify the event at its source.
    pub fn derive(at: EventTime, identity: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in identity {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&Self::time_prefix(at));
        bytes[6..].copy_from_slice(&digest[..10]);
        Self(bytes)
    }

    /// The six bytes with which every id of this instant starts.
    pub fn time_prefix(at: EventTime) -> [u8; 6] {
        let steps = u64::try_from(at.as_nanos()).unwrap_or(0) >> EVENT_TIME_SHIFT;
        let bytes = steps.to_be_bytes();
        [bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]
    }

    /// The raw bytes, in B-tree order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From raw bytes, as the store keeps them.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

const EVENT_PREFIX: &str = "evt-";

/// An event id in letters, without memory of its own.
#[derive(Clone, Copy, Debug)]
pub struct EventIdText([u8; 36]);

impl EventIdText {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl EventId {
    /// The id as documents print it.
    pub fn to_text(self) -> EventIdText {
        let mut text = [0u8; 36];
        text[..4].copy_from_slice(EVENT_PREFIX.as_bytes());
        data_encoding::HEXLOWER.encode_mut(&self.0, &mut text[4..]);
        EventIdText(text)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_text().as_str())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let form = || IdError::Form(text.to_owned(), "evt-<32 hex digits>");
        let hex = text.strip_prefix(EVENT_PREFIX).ok_or_else(form)?;
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).map_err(|_| form())?;
        Ok(Self(bytes.try_into().map_err(|_| form())?))
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.to_text().as_str())
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_that_could_do_harm_are_refused() {
        for bad in ["", "-x", "a b", "../x", "a/../b", "a//b", "a|b", "ä", "a\n"] {
            assert!(RunId::new(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["fix-42", "a", "team/run.1", "_x", "R:1@h+2"] {
            assert!(RunId::new(good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn event_ids_sort_by_time_and_round_trip() {
        let early = EventId::derive(EventTime::from_nanos(1_700_000_000_000_000_000), &[b"z"]);
        let late = EventId::derive(EventTime::from_nanos(1_700_000_000_000_100_000), &[b"a"]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<EventId>(), Ok(early));
        let json = serde_json::to_string(&early).expect("serialises");
        assert_eq!(serde_json::from_str::<EventId>(&json).expect("parses"), early);
    }

    #[test]
    fn identity_parts_do_not_run_together() {
        let at = EventTime::from_nanos(1);
        assert_ne!(EventId::derive(at, &[b"ab", b"c"]), EventId::derive(at, &[b"a", b"bc"]));
    }
}
