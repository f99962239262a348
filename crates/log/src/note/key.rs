//! The keys of signed notes (C2SP signed-note, "Signatures" and "Verifier keys").

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::cosign;
use crate::note::NoteSignature;

/// The signature types that this crate verifies; the byte is hashed into the key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// 0x01: Ed25519 over the note text.
    Ed25519,
    /// 0x04: a timestamped Ed25519 cosignature of a witness (C2SP tlog-cosignature).
    Cosignature,
}

impl KeyType {
    /// The signature type identifier byte.
    pub fn byte(self) -> u8 {
        match self {
            KeyType::Ed25519 => 0x01,
            KeyType::Cosignature => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Result<KeyType, KeyError> {
        match byte {
            0x01 => Ok(KeyType::Ed25519),
            0x04 => Ok(KeyType::Cosignature),
            other => Err(KeyError::UnsupportedType(other)),
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Names are not empty and have no spaces, control characters or `+`.
    #[error("a key name must not be empty nor have spaces, control characters or '+'")]
    Name,
    /// Not `name+hex8+base64(type || public key)`.
    #[error("not of the form name+hex8+base64(type, public key)")]
    Malformed,
    /// The type byte is none that this crate verifies.
    #[error("signature type {0:#04x} is not supported")]
    UnsupportedType(u8),
    /// The id in the text is not that of the name, type and public key.
    #[error("the key id is {computed:08x}, the text says {found:08x}")]
    IdMismatch {
        /// The id of the name, type and public key.
        computed: u32,
        /// The id in the text.
        found: u32,
    },
    /// No PEM block with one Ed25519 key in its one spelling.
    #[error("not one Ed25519 key as PKCS#8 or SPKI in PEM, unencrypted and without attributes")]
    Pem,
    /// The bytes are no Ed25519 public key, or one of those that anyone can sign for.
    #[error("not a usable Ed25519 public key")]
    PublicKey,
}

/// A public key under a name: what is needed to trust a signer. Text form (vkey):
/// `name+hex8+base64(type || public key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    key_type: KeyType,
    public: VerifyingKey,
}

impl VerifierKey {
    /// A key from its 32 public bytes (RFC 8032).
    ///
    /// # Errors
    /// [`KeyError::Name`] or [`KeyError::PublicKey`].
    pub fn new(name: &str, key_type: KeyType, public: &[u8; 32]) -> Result<Self, KeyError> {
        let public = VerifyingKey::from_bytes(public).map_err(|_| KeyError::PublicKey)?;
        if public.is_weak() {
            return Err(KeyError::PublicKey);
        }
        VerifierKey::named(name, key_type, public)
    }

    fn named(name: &str, key_type: KeyType, public: VerifyingKey) -> Result<Self, KeyError> {
        if !is_valid_name(name) {
            return Err(KeyError::Name);
        }
        Ok(VerifierKey { name: name.to_owned(), id: key_id(name, key_type, public.as_bytes()), key_type, public })
    }

    /// Reads a vkey. It has one spelling: the id is lower-case hex, the base64 canonical.
    ///
    /// # Errors
    /// Any [`KeyError`].
    pub fn parse(vkey: &str) -> Result<VerifierKey, KeyError> {
        // The base64 may hold a '+' of its own, the name cannot: split from the left.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if id.len() != 8 || !id.bytes().all(hex) {
            return Err(KeyError::Malformed);
        }
        let found = u32::from_str_radix(id, 16).map_err(|_| KeyError::Malformed)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| KeyError::Malformed)?;
        let (&type_byte, public) = bytes.split_first().ok_or(KeyError::Malformed)?;
        let key_type = KeyType::from_byte(type_byte)?;
        let public = public.try_into().map_err(|_| KeyError::Malformed)?;
        let key = VerifierKey::new(name, key_type, public)?;
        if key.id != found {
            return Err(KeyError::IdMismatch { computed: key.id, found });
        }
        Ok(key)
    }

    /// The name, as in signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name || LF || type || public key), big-endian.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The signature type.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The 32 public bytes (RFC 8032). They, not the name, tell keys apart when keys are counted.
    pub fn public_key(&self) -> [u8; 32] {
        self.public.to_bytes()
    }

    /// Whether the signature line claims to be by this key.
    pub(crate) fn is_named_by(&self, signature: &NoteSignature) -> bool {
        self.id == signature.key_id && self.name == signature.name
    }

    /// Whether `signature`, the bytes after the key id, is by this key over the note `text`.
    pub(crate) fn signed(&self, text: &str, signature: &[u8]) -> bool {
        match self.key_type {
            KeyType::Ed25519 => self.signed_bytes(text.as_bytes(), signature),
            KeyType::Cosignature => cosign::signed_at(self, text, signature).is_some(),
        }
    }

    /// Whether `signature` is by this key over these bytes: plain Ed25519, in the strict form in which a signature
    /// has one verdict everywhere (no small-order key, no second spelling of a signature).
    pub fn signed_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.public.verify_strict(message, &signature).is_ok())
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<VerifierKey, KeyError> {
        VerifierKey::parse(vkey)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.key_type.byte()];
        bytes.extend_from_slice(self.public.as_bytes());
        let encoded = BASE64.encode(&bytes);
        write!(f, "{}+{:08x}+{encoded}", self.name, self.id)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A private key under a name. The secret leaves it in no way, and is wiped when it is dropped.
#[derive(Clone)]
pub struct SignerKey {
    secret: SigningKey,
    verifier: VerifierKey,
}

impl SignerKey {
    /// The Ed25519 key of a 32-byte seed (RFC 8032), which the caller draws and wipes.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<SignerKey, KeyError> {
        SignerKey::typed(name, KeyType::Ed25519, seed)
    }

    pub(crate) fn typed(name: &str, key_type: KeyType, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::named(name, key_type, secret.verifying_key())?;
        Ok(SignerKey { secret, verifier })
    }

    /// Signs a note text, which ends in a line feed (C2SP signed-note, type 0x01).
    pub fn sign(&self, text: &str) -> NoteSignature {
        self.line(self.sign_bytes(text.as_bytes()).to_vec())
    }

    /// The public half under the same name.
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// The 32 public bytes (RFC 8032).
    pub fn public_key(&self) -> [u8; 32] {
        self.verifier.public_key()
    }

    /// The name, as in signature lines.
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// Signs bytes as they are. The caller's format has to say what it is in its first bytes, so that no signature of
    /// one format passes for one of another: note texts begin with an origin, DSSE with `DSSEv1 `.
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }

    pub(crate) fn line(&self, signature: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.verifier.name.clone(), key_id: self.verifier.id, signature }
    }
}

impl fmt::Debug for SignerKey {
    /// Shows the public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.verifier)
    }
}

/// Key names are not empty and have no Unicode spaces and no `+`; control characters are refused as
/// well, because no note could carry them.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && !name.contains(refused)
}

fn key_id(name: &str, key_type: KeyType, public: &[u8; 32]) -> u32 {
    let mut digest = Sha256::new();
    digest.update(name);
    digest.update([b'\n', key_type.byte()]);
    digest.update(public);
    let hash: [u8; 32] = digest.finalize().into();
    let [a, b, c, d, ..] = hash;
    u32::from_be_bytes([a, b, c, d])
}
