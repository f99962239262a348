//! Signed notes (C2SP signed-note): a text and the lines that sign it.
//!
//! Parsing is strict and canonical: a note that parses prints back to the same bytes, so that
//! nothing can be smuggled between what is verified and what is kept. A parsed note always has a
//! signature line, but nothing in it is true before [`verify`].

mod key;
pub mod pem;

use std::fmt;

use data_encoding::BASE64;

pub use key::{KeyError, KeyType, SignerKey, VerifierKey};

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 1 << 20;
/// The most signature lines that are read (the specification asks for at least 16).
pub const MAX_SIGNATURES: usize = 100;

/// What a signature line starts with: an em dash and a space.
const LINE_PREFIX: &str = "\u{2014} ";

/// A text with its signatures. A note built by hand must print to what [`SignedNote::parse`] reads:
/// the text ends in a line feed and has no other control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The text, with its final line feed and without the empty line that follows.
    pub text: String,
    /// The signature lines in order.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line: `U+2014 SP name SP base64(key id || signature)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key, which together with the id says which key and algorithm.
    pub name: String,
    /// The key id, written as four big-endian bytes.
    pub key_id: u32,
    /// The bytes after the key id; what they are depends on the type of the key.
    pub signature: Vec<u8>,
}

/// Why a note cannot be read or trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is not a signed note; says what is wrong.
    #[error("malformed note: {0}")]
    Malformed(&'static str),
    /// There is no signature line.
    #[error("the note is not signed")]
    Unsigned,
    /// No signature is from a key that is known.
    #[error("no signature is from a known key")]
    NoKnownKey,
    /// A signature names a known key but is not by it over this text.
    #[error("the signature of {name} is not valid")]
    InvalidSignature {
        /// The name of the key.
        name: String,
    },
}

impl SignedNote {
    /// Reads a signed note (C2SP signed-note, "Format").
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] if a text is there but no signature line, otherwise
    /// [`NoteError::Malformed`], also over [`MAX_NOTE_BYTES`] or [`MAX_SIGNATURES`].
    pub fn parse(note: &str) -> Result<SignedNote, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Malformed("too large"));
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Malformed("control character"));
        }
        if !note.ends_with('\n') {
            return Err(NoteError::Malformed("does not end in a line feed"));
        }
        let Some(end) = note.rfind("\n\n") else {
            return Err(if note.starts_with('\n') { NoteError::Malformed("no text") } else { NoteError::Unsigned });
        };
        // The text keeps its own line feed; the empty line is only the second one.
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        if lines.is_empty() {
            return Err(NoteError::Unsigned);
        }
        Ok(SignedNote { text: text.to_owned(), signatures: NoteSignature::parse_lines(lines)? })
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            writeln!(f, "{signature}")?;
        }
        Ok(())
    }
}

impl NoteSignature {
    /// Reads signature lines, each ended by a line feed, as they follow a text or as a witness
    /// replies (C2SP tlog-witness). No lines give no signatures.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for any other line, or over [`MAX_SIGNATURES`].
    pub fn parse_lines(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
        let mut signatures = Vec::new();
        for line in lines.split_inclusive('\n') {
            let line = line.strip_suffix('\n').ok_or(NoteError::Malformed("does not end in a line feed"))?;
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::Malformed("too many signatures"));
            }
            signatures.push(NoteSignature::parse(line)?);
        }
        Ok(signatures)
    }

    /// Reads one line, without its line feed.
    fn parse(line: &str) -> Result<NoteSignature, NoteError> {
        const MALFORMED: NoteError = NoteError::Malformed("not a signature line");
        let (name, encoded) = line.strip_prefix(LINE_PREFIX).and_then(|rest| rest.split_once(' ')).ok_or(MALFORMED)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| MALFORMED)?;
        let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(MALFORMED)?;
        if signature.is_empty() || !key::is_valid_name(name) {
            return Err(MALFORMED);
        }
        Ok(NoteSignature {
            name: name.to_owned(),
            key_id: u32::from_be_bytes(*key_id),
            signature: signature.to_owned(),
        })
    }
}

impl fmt::Display for NoteSignature {
    /// The line without its line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "{LINE_PREFIX}{} {}", self.name, BASE64.encode(&bytes))
    }
}

/// The keys among `keys` that signed the note (C2SP signed-note, "Signatures"). Signatures of keys
/// that are not among them are ignored. A key counts once, however many lines, names or types it
/// signs under, so that the length of the answer can be held against a threshold.
///
/// # Errors
/// [`NoteError::Unsigned`], [`NoteError::InvalidSignature`] if any signature that names one of the
/// keys fails, or [`NoteError::NoKnownKey`] if none names one.
pub fn verify<'k>(note: &SignedNote, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
    verify_among(note, keys.iter())
}

/// [`verify`] with the keys of an iterator, for callers that trust some of them only.
pub(crate) fn verify_among<'k>(
    note: &SignedNote,
    keys: impl Iterator<Item = &'k VerifierKey> + Clone,
) -> Result<Vec<&'k VerifierKey>, NoteError> {
    if note.signatures.is_empty() {
        return Err(NoteError::Unsigned);
    }
    let mut signers: Vec<&VerifierKey> = Vec::new();
    for signature in &note.signatures {
        // Two keys may share a name and, once in 2^32, an id: the signature has to be by one.
        let mut named = keys.clone().filter(|key| key.is_named_by(signature));
        let Some(first) = named.next() else { continue };
        let signer = std::iter::once(first)
            .chain(named)
            .find(|key| key.signed(&note.text, &signature.signature))
            .ok_or_else(|| NoteError::InvalidSignature { name: signature.name.clone() })?;
        if signers.iter().all(|known| known.public_key() != signer.public_key()) {
            signers.push(signer);
        }
    }
    if signers.is_empty() {
        return Err(NoteError::NoKnownKey);
    }
    Ok(signers)
}
