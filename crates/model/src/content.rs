//! File contents: named by hash, kept or not.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// From the raw digest.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw digest.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Lower-case hex.
            pub fn to_hex(&self) -> String {
                data_encoding::HEXLOWER.encode(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl FromStr for $name {
            type Err = crate::ids::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let form = || crate::ids::IdError::Form(text.to_owned(), "lower-case hex of the right length");
                let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| form())?;
                Ok(Self(bytes.try_into().map_err(|_| form())?))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = [0u8; 2 * $len];
                data_encoding::HEXLOWER.encode_mut(&self.0, &mut text);
                serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_bytes!(
    /// SHA-256 of the raw bytes: how we name a content.
    ContentId, 32
);
hex_bytes!(
    /// SHA-1 of `blob <size>\0<bytes>`: how a SHA-1 git repository names the same content.
    GitSha1, 20
);
hex_bytes!(
    /// SHA-256 of `blob <size>\0<bytes>`: how a SHA-256 git repository names the same content.
    GitSha256, 32
);

/// How git names a content; which form depends on the repository's object format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GitBlobId {
    /// Repository with `extensions.objectFormat` unset or `sha1`.
    Sha1(GitSha1),
    /// Repository with `extensions.objectFormat = sha256`.
    Sha256(GitSha256),
}

impl GitBlobId {
    /// The raw digest, 20 or 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(id) => id.as_bytes(),
            Self::Sha256(id) => id.as_bytes(),
        }
    }
}

impl fmt::Display for GitBlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha1(id) => id.fmt(f),
            Self::Sha256(id) => id.fmt(f),
        }
    }
}

/// A content that was read to its end, and what became of its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256 of the bytes.
    pub sha256: ContentId,
    /// The name git gives to the same bytes; absent outside git work trees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitBlobId>,
    /// Length in bytes.
    pub size: u64,
    /// Where the bytes are.
    pub kept: Kept,
}

/// Where the bytes of a content are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// In the store's blob folder.
    Stored,
    /// In the git object store of the workspace; not copied.
    Git,
    /// Nowhere: only the name and the hash were kept, for this reason.
    HashOnly(HashOnly),
}

/// Why only the hash of a content was kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashOnly {
    /// The path is git-ignored.
    Ignored,
    /// The path is one of git's own bulk files (objects, index, logs).
    GitInternal,
    /// The file lies outside the workspace.
    OutsideWorkspace,
    /// The file is larger than the limit per file.
    TooLarge,
    /// The run's byte budget is spent.
    RunBudget,
    /// The store's byte budget is spent.
    StoreBudget,
    /// The store could not take the bytes (for example a full disk).
    StoreFailed,
    /// Content capture was switched off.
    SwitchedOff,
}

impl HashOnly {
    /// One clause for people: "only the hash was kept: ...".
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Ignored => "the path is ignored by git",
            Self::GitInternal => "the file is git's own bulk data",
            Self::OutsideWorkspace => "the file is outside the workspace",
            Self::TooLarge => "the file is larger than the limit per file",
            Self::RunBudget => "the byte budget of the run is spent",
            Self::StoreBudget => "the byte budget of the store is spent",
            Self::StoreFailed => "the store could not take the bytes",
            Self::SwitchedOff => "content capture was switched off",
        }
    }
}
