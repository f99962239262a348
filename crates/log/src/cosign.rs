//! Ed25519 cosignatures, type 0x04 (C2SP tlog-cosignature, "Ed25519 signed message").
//!
//! A cosignature says: at this time, the largest consistent tree that I saw of this log had this
//! root. The message does not name the cosigner, so one public key is one witness, whatever names
//! it appears under; every count in this file is of public keys.

use crate::checkpoint::Checkpoint;
use crate::note::{KeyError, KeyType, NoteSignature, SignedNote, SignerKey, VerifierKey};

/// The latest time that a cosignature may carry (2^63 - 1).
pub const MAX_TIME: u64 = i64::MAX as u64;

/// The private key of a witness. It is a type of its own so that a key meant for plain notes cannot
/// cosign by mistake, nor the other way round.
#[derive(Debug, Clone)]
pub struct CosignerKey(SignerKey);

/// One witness that cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosigned<'k> {
    /// The key of the witness.
    pub key: &'k VerifierKey,
    /// When it cosigned, in Unix seconds by its own clock.
    pub time: u64,
}

/// Why cosignatures cannot be made or do not suffice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The time is over [`MAX_TIME`].
    #[error("the time {0} is out of range")]
    Time(u64),
    /// A cosignature names a known witness but is not by it over this text.
    #[error("the cosignature of {name} is not valid")]
    InvalidSignature {
        /// The name of the witness.
        name: String,
    },
    /// Fewer witnesses cosigned than are asked for.
    #[error("{found} of {needed} needed witnesses cosigned")]
    QuorumNotMet {
        /// How many witnesses are asked for.
        needed: usize,
        /// How many of the known ones cosigned.
        found: usize,
    },
}

impl CosignerKey {
    /// The key of a 32-byte seed (RFC 8032), which the caller draws and wipes.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<CosignerKey, KeyError> {
        SignerKey::typed(name, KeyType::Cosignature, seed).map(CosignerKey)
    }

    /// The public half, whose vkey has type 0x04.
    pub fn verifier(&self) -> VerifierKey {
        self.0.verifier()
    }

    /// The 32 public bytes (RFC 8032).
    pub fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    /// Cosigns a checkpoint at `time` (Unix seconds). The caller has verified its consistency, as
    /// [`crate::witness::decide`] does, and has persisted it.
    ///
    /// # Errors
    /// [`CosignError::Time`].
    pub fn cosign(&self, checkpoint: &Checkpoint, time: u64) -> Result<NoteSignature, CosignError> {
        if time > MAX_TIME {
            return Err(CosignError::Time(time));
        }
        let mut signature = time.to_be_bytes().to_vec();
        let message = message(&checkpoint.to_note_text(), time);
        signature.extend_from_slice(&self.0.sign_bytes(message.as_bytes()));
        Ok(self.0.line(signature))
    }
}

/// The witnesses among `keys` that cosigned the note, each public key once and with the latest time
/// it signed. Keys of another type and signatures of unknown keys are ignored; there may be none.
///
/// # Errors
/// [`CosignError::InvalidSignature`] if any signature that names one of the witnesses fails.
pub fn cosigners<'k>(note: &SignedNote, keys: &'k [VerifierKey]) -> Result<Vec<Cosigned<'k>>, CosignError> {
    let mut witnesses: Vec<Cosigned<'k>> = Vec::new();
    for signature in &note.signatures {
        let mut named =
            keys.iter().filter(|key| key.key_type() == KeyType::Cosignature && key.is_named_by(signature)).peekable();
        if named.peek().is_none() {
            continue;
        }
        let signed = |key| Some((key, signed_at(key, &note.text, &signature.signature)?));
        let (key, time) =
            named.find_map(signed).ok_or_else(|| CosignError::InvalidSignature { name: signature.name.clone() })?;
        match witnesses.iter_mut().find(|known| known.key.public_key() == key.public_key()) {
            Some(known) => known.time = known.time.max(time),
            None => witnesses.push(Cosigned { key, time }),
        }
    }
    Ok(witnesses)
}

/// [`cosigners`], if there are at least `needed`. Whether a time is too old or in the future is for
/// the caller to judge, who has a clock.
///
/// # Errors
/// [`CosignError::InvalidSignature`] or [`CosignError::QuorumNotMet`].
pub fn quorum<'k>(note: &SignedNote, keys: &'k [VerifierKey], needed: usize) -> Result<Vec<Cosigned<'k>>, CosignError> {
    let witnesses = cosigners(note, keys)?;
    let found = witnesses.len();
    if found < needed {
        return Err(CosignError::QuorumNotMet { needed, found });
    }
    Ok(witnesses)
}

/// When the key cosigned `text`, if the bytes after the key id are its signature: a big-endian u64
/// time, then 64 bytes over a message that holds that time.
pub(crate) fn signed_at(key: &VerifierKey, text: &str, signature: &[u8]) -> Option<u64> {
    let (time, signature) = signature.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    let valid = time <= MAX_TIME && key.signed_bytes(message(text, time).as_bytes(), signature);
    valid.then_some(time)
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}
