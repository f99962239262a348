//! Whether an envelope is signed by who is believed.

use crate::envelope::{Envelope, EnvelopeError, EnvelopeSignature, pae};
use crate::json::JsonError;
use crate::trust::{TrustPolicy, TrustedKey, key_id};
use std::collections::BTreeSet;

/// What became of one signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SignatureState {
    /// By a key that is believed.
    Valid,
    /// By none of the keys, and it names none of them.
    UnknownKey,
    /// By a key whose time is not now.
    Expired,
    /// By a key that was withdrawn.
    Revoked,
    /// It names a key that is believed and is not by it.
    Forged,
}

/// Why an envelope does not count. Each is an outcome of its own.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// It ends in the middle.
    #[error("the file was cut: {0}")]
    Truncated(String),
    /// It can't be read as what it should be.
    #[error("malformed: {0}")]
    Malformed(String),
    /// There is no signature.
    #[error("it is not signed")]
    Unsigned,
    /// A signature names a trusted key and is not by it.
    #[error("a signature names a trusted key and is not by it: the content or the signature was altered")]
    Forged,
    /// A trusted key signed outside its time.
    #[error("it is signed by a key whose time is over or has not begun")]
    Expired,
    /// A trusted key that was withdrawn signed.
    #[error("it is signed by a key that was revoked")]
    Revoked,
    /// No signature is by a key that is trusted.
    #[error("it is signed by no key that is trusted")]
    UnknownKey,
    /// Fewer trusted keys than are needed.
    #[error("signed by {have} of the {need} trusted keys that are needed")]
    TooFewKeys {
        /// Distinct public keys with a valid signature.
        have: usize,
        /// As the policy asks.
        need: usize,
    },
    /// Well signed, as something else.
    #[error("it is well signed, but of type {found:?}")]
    WrongType {
        /// The payload type.
        found: String,
    },
    /// The signature is over the bare payload: it fits no type and no commit.
    #[error("the signature covers the payload without its type (the form of an older service); it binds no commit")]
    LegacyUnbound,
}

impl Failure {
    /// The name as it stands in documents.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Truncated(_) => "truncated",
            Self::Malformed(_) => "malformed",
            Self::Unsigned => "unsigned",
            Self::Forged => "invalid-signature",
            Self::Expired => "expired-key",
            Self::Revoked => "revoked-key",
            Self::UnknownKey => "unknown-key",
            Self::TooFewKeys { .. } => "too-few-keys",
            Self::WrongType { .. } => "wrong-type",
            Self::LegacyUnbound => "legacy_unbound",
        }
    }
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Json(JsonError::Truncated(_)) => Self::Truncated(error.to_string()),
            _ => Self::Malformed(error.to_string()),
        }
    }
}

/// Bytes whose signatures were checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The payload, as signed.
    pub payload: Vec<u8>,
    /// Its type, as signed.
    pub payload_type: String,
    /// Key ids of the distinct keys that signed, in order.
    pub key_ids: Vec<String>,
    /// What became of each signature, in the order of the envelope.
    pub signatures: Vec<SignatureState>,
}

/// Checks the signatures, then that the payload is of one of `types`. The payload is parsed by nobody before.
///
/// # Errors
/// [`Failure`].
pub fn verify(envelope: &Envelope, policy: &TrustPolicy, types: &[&str]) -> Result<Verified, Failure> {
    if envelope.signatures.is_empty() {
        return Err(Failure::Unsigned);
    }
    let message = pae(&envelope.payload_type, &envelope.payload);
    let mut signers = BTreeSet::new();
    let mut states = Vec::with_capacity(envelope.signatures.len());
    for signature in &envelope.signatures {
        let (state, signer) = judge(signature, &message, policy);
        states.push(state);
        signers.extend(signer.map(|trusted| (trusted.key.public_key(), key_id(&trusted.key))));
    }
    let need = policy.threshold.max(1);
    if signers.len() < need {
        return Err(shortfall(envelope, policy, &states, signers.len(), need));
    }
    if !types.contains(&envelope.payload_type.as_str()) {
        return Err(Failure::WrongType { found: envelope.payload_type.clone() });
    }
    Ok(Verified {
        payload: envelope.payload.clone(),
        payload_type: envelope.payload_type.clone(),
        key_ids: signers.into_iter().map(|(_, id)| id).collect(),
        signatures: states,
    })
}

/// The state of a signature, and the key where it counts. Every key is tried: the key id only tells, where none
/// fits, whether somebody claims to be one of them.
fn judge<'p>(
    signature: &EnvelopeSignature,
    message: &[u8],
    policy: &'p TrustPolicy,
) -> (SignatureState, Option<&'p TrustedKey>) {
    let by: Vec<&TrustedKey> =
        policy.keys.iter().filter(|trusted| trusted.key.signed_bytes(message, &signature.signature)).collect();
    // A key may be listed twice; that it was withdrawn in one entry counts for all.
    if by.iter().any(|trusted| trusted.revoked) {
        return (SignatureState::Revoked, None);
    }
    if let Some(trusted) = by.iter().find(|trusted| trusted.is_valid_at(policy.at)) {
        return (SignatureState::Valid, Some(trusted));
    }
    if !by.is_empty() {
        return (SignatureState::Expired, None);
    }
    let named = !signature.key_id.is_empty()
        && policy
            .keys
            .iter()
            .any(|trusted| key_id(&trusted.key) == signature.key_id || trusted.key.name() == signature.key_id);
    (if named { SignatureState::Forged } else { SignatureState::UnknownKey }, None)
}

fn shortfall(
    envelope: &Envelope,
    policy: &TrustPolicy,
    states: &[SignatureState],
    have: usize,
    need: usize,
) -> Failure {
    let bare = |trusted: &TrustedKey| {
        envelope.signatures.iter().any(|one| trusted.key.signed_bytes(&envelope.payload, &one.signature))
    };
    match states.iter().max() {
        _ if have > 0 && !states.contains(&SignatureState::Forged) => Failure::TooFewKeys { have, need },
        _ if policy.keys.iter().any(bare) => Failure::LegacyUnbound,
        Some(SignatureState::Forged) => Failure::Forged,
        Some(SignatureState::Revoked) => Failure::Revoked,
        Some(SignatureState::Expired) => Failure::Expired,
        Some(SignatureState::Valid) => Failure::TooFewKeys { have, need },
        Some(SignatureState::UnknownKey) | None => Failure::UnknownKey,
    }
}
