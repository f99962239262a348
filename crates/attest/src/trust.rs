//! Which keys are believed, and when.

use agentprov_log::VerifierKey;
use agentprov_model::EventTime;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// How an envelope names a key: lower-case hex of the SHA-256 of its SPKI. A hint, never a decision.
pub fn key_id(key: &VerifierKey) -> String {
    HEXLOWER.encode(&Sha256::digest(key.to_spki()))
}

/// A key that is believed within its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedKey {
    /// The public key.
    pub key: VerifierKey,
    /// Signatures count from then on.
    pub valid_from: Option<EventTime>,
    /// Signatures count before then.
    pub valid_until: Option<EventTime>,
    /// It was withdrawn: nothing that it signed counts, whenever that was.
    pub revoked: bool,
}

impl TrustedKey {
    /// A key that is believed at any time.
    pub fn always(key: VerifierKey) -> Self {
        Self { key, valid_from: None, valid_until: None, revoked: false }
    }

    /// Whether its time includes `at`.
    pub fn is_valid_at(&self, at: EventTime) -> bool {
        self.valid_from.is_none_or(|from| from <= at) && self.valid_until.is_none_or(|until| at < until)
    }
}

/// Whose signatures are needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustPolicy {
    /// The keys.
    pub keys: Vec<TrustedKey>,
    /// How many distinct public keys have to have signed; 0 is taken for 1.
    pub threshold: usize,
    /// The time at which the keys have to be valid.
    pub at: EventTime,
}

impl TrustPolicy {
    /// One of these keys, whenever it signed.
    pub fn any_of(keys: impl IntoIterator<Item = VerifierKey>, at: EventTime) -> Self {
        Self { keys: keys.into_iter().map(TrustedKey::always).collect(), threshold: 1, at }
    }
}
