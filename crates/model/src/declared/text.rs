//! Texts that are named, not kept.

use super::call::LineHash;
use crate::hmac::{RunningHmac, hmac_sha256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The store's secret for keyed hashes of commands and texts. Whoever has only the facts can't try guesses against them.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandKey([u8; 32]);

impl CommandKey {
    /// From the secret bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Hash of a command, blanks around it left aside: agents trim what they run.
    pub fn command(&self, text: &[u8]) -> CommandDigest {
        CommandDigest(hmac_sha256(&self.0, text.trim_ascii()))
    }

    /// Hash and length of a text.
    pub fn text(&self, text: &[u8]) -> TextDigest {
        TextDigest { keyed: CommandDigest(hmac_sha256(&self.0, text)), bytes: text.len() as u64 }
    }

    /// Hash and length of a text that comes in pieces.
    pub fn running_text(&self) -> RunningText {
        RunningText { code: RunningHmac::new(&self.0), bytes: 0 }
    }

    /// Hash of one line of an edit, cut to 64 bits.
    pub fn line(&self, line: &[u8]) -> LineHash {
        let code = hmac_sha256(&self.0, line);
        let mut short = [0; 8];
        short.copy_from_slice(&code[..8]);
        LineHash(short)
    }
}

/// A text of which pieces are still to come.
#[derive(Clone)]
pub struct RunningText {
    code: RunningHmac,
    bytes: u64,
}

impl RunningText {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.code.update(piece);
        self.bytes += piece.len() as u64;
    }

    /// Hash and length of what was taken so far.
    pub fn digest(&self) -> TextDigest {
        TextDigest { keyed: CommandDigest(self.code.clone().finish()), bytes: self.bytes }
    }
}

impl fmt::Debug for CommandKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandKey(..)")
    }
}

/// HMAC-SHA256 of a raw command under the store's key: redaction makes different commands equal, this does not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandDigest([u8; 32]);

impl CommandDigest {
    /// The raw code.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for CommandDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for CommandDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CommandDigest {
    type Err = crate::ids::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || crate::ids::IdError::Form(text.to_owned(), "64 lower-case hex digits");
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| form())?;
        Ok(Self(bytes.try_into().map_err(|_| form())?))
    }
}

impl Serialize for CommandDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CommandDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text by keyed hash and length.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextDigest {
    /// Keyed hash of the exact bytes.
    pub keyed: CommandDigest,
    /// Length in bytes.
    pub bytes: u64,
}
