//! Whose word a verification rests on.

use agentprov_log::{Checkpoint, CheckpointError, NoteError, SignedNote, VerifierKey, note};
use agentprov_store::state_head::{self, StateHead};
use agentprov_store::{Store, StoreError};
use serde::Serialize;

/// What this user account remembers of a store, outside its data dir.
#[derive(Clone, Debug)]
pub enum Remembered {
    /// The last head of the ledger, and the keys that signed for the store.
    Head(StateHead),
    /// Nothing.
    Nothing,
    /// It could not be read, for this reason.
    Unreadable(String),
}

impl Remembered {
    /// Reads what is remembered of the store in the user's state folder.
    pub fn load(store: &Store) -> Self {
        let Some(folder) = state_head::folder() else { return Self::Nothing };
        match state_head::read(&folder, store.id()) {
            Ok(Some(head)) => Self::Head(head),
            Ok(None) => Self::Nothing,
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    pub(super) fn head(&self) -> Option<&StateHead> {
        match self {
            Self::Head(head) => Some(head),
            Self::Nothing | Self::Unreadable(_) => None,
        }
    }
}

/// Where the trusted keys come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustLevel {
    /// The store says itself which keys are its own.
    SelfAsserted,
    /// This user account saw the key sign for the store before, and keeps it outside the store.
    Pinned,
    /// The caller named the key.
    Named,
}

impl TrustLevel {
    /// What the level means, for people.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::SelfAsserted => {
                "the store itself says that the key is its own: whoever can rewrite the store can rewrite that too"
            }
            Self::Pinned => "this account saw the key sign for the store before, and remembers it outside the store",
            Self::Named => "the key was named by the caller",
        }
    }
}

/// What no signature here can prove.
pub const LIMITS: [&str; 3] = [
    "whoever records can leave things out before they are recorded: coverage and gaps say what the recorder knows of that",
    "the key is only as safe as the account that owns it: a process of the same user can read it and sign",
    "no witness on another machine has cosigned: what was never seen elsewhere can be made up anew by the key's owner",
];

/// Whose word a verification rests on, for documents.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Trust {
    /// Where the trusted keys come from; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<TrustLevel>,
    /// What that means.
    pub meaning: String,
    /// The trusted keys, as C2SP vkeys.
    pub keys: Vec<String>,
    /// What a signature cannot prove.
    pub cannot_prove: Vec<&'static str>,
}

/// The keys that are believed.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) trusted: Vec<VerifierKey>,
    level: Option<TrustLevel>,
}

impl Keys {
    /// Named keys where there are any, else pinned ones, else the store's own list. The store's list never adds to
    /// the others: whoever rewrites the store would put a key there.
    pub(super) fn choose(store: &Store, remembered: &Remembered, named: &[VerifierKey]) -> Result<Self, StoreError> {
        let pinned = remembered.head().map(|head| head.vkeys.as_slice()).unwrap_or_default();
        let pinned: Vec<VerifierKey> = pinned.iter().filter_map(|vkey| VerifierKey::parse(vkey).ok()).collect();
        if !named.is_empty() {
            return Ok(Self { trusted: named.to_vec(), level: Some(TrustLevel::Named) });
        }
        if !pinned.is_empty() {
            return Ok(Self { trusted: pinned, level: Some(TrustLevel::Pinned) });
        }
        let own = match store.verifier_keys() {
            Ok(own) => own,
            Err(StoreError::Damaged(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let level = (!own.is_empty()).then_some(TrustLevel::SelfAsserted);
        Ok(Self { trusted: own, level })
    }

    pub(super) fn trust(&self) -> Trust {
        let meaning = self.level.map_or("no key of the store is known", TrustLevel::explain);
        Trust {
            level: self.level,
            meaning: meaning.to_owned(),
            keys: self.trusted.iter().map(ToString::to_string).collect(),
            cannot_prove: LIMITS.to_vec(),
        }
    }

    /// Opens a signed head. A well-signed one of another log comes as `Err` with its own outcome.
    pub(super) fn open(&self, note: &str, origin: &str) -> Result<Checkpoint, CheckpointError> {
        if note.is_empty() {
            return Err(CheckpointError::Unsigned);
        }
        Checkpoint::open(note, Some(origin), &self.trusted)
    }

    /// Which trusted keys signed the note.
    pub(super) fn signers(&self, text: &str) -> Result<Vec<String>, NoteError> {
        let parsed = SignedNote::parse(text)?;
        Ok(note::verify(&parsed, &self.trusted)?.into_iter().map(ToString::to_string).collect())
    }
}
