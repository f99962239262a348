//! Checkpoints (C2SP tlog-checkpoint): a note that says how large a log is and what its root is.

use crate::decimal::parse_decimal;
use crate::frontier::MAX_SIZE;
use crate::hash::Hash;
use crate::note::{KeyType, NoteError, SignedNote, SignerKey, VerifierKey, verify_among};

/// What a log states when it signs. Build one with [`Checkpoint::new`], which checks the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Which log this is.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The RFC 6962 root of these leaves.
    pub root: Hash,
    /// Further lines, kept so that the signed text can be printed again. They mean nothing here,
    /// and C2SP advises against them.
    pub extensions: Vec<String>,
}

/// Why a checkpoint cannot be read or trusted. None of these ever stands for another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text is no checkpoint; says what is wrong.
    #[error("malformed checkpoint: {0}")]
    Malformed(&'static str),
    /// It is a checkpoint, but nobody signed it.
    #[error("the checkpoint is not signed")]
    Unsigned,
    /// No signature is from a key that is trusted for the log.
    #[error("no signature is from a known key of the log")]
    NoKnownKey,
    /// A signature names a trusted key but is not by it over this text.
    #[error("the signature of {name} is not valid")]
    InvalidSignature {
        /// The name of the key.
        name: String,
    },
    /// The signature is good, but for another log.
    #[error("the checkpoint is of the log {found:?}, not of {expected:?}")]
    OriginMismatch {
        /// The origin that was asked for.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
}

impl From<NoteError> for CheckpointError {
    fn from(error: NoteError) -> CheckpointError {
        match error {
            NoteError::Malformed(what) => CheckpointError::Malformed(what),
            NoteError::Unsigned => CheckpointError::Unsigned,
            NoteError::NoKnownKey => CheckpointError::NoKnownKey,
            NoteError::InvalidSignature { name } => CheckpointError::InvalidSignature { name },
        }
    }
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if the origin is empty or has control characters, or if the
    /// size is over [`MAX_SIZE`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Checkpoint, CheckpointError> {
        if origin.is_empty() || has_control(origin) {
            return Err(CheckpointError::Malformed("origin"));
        }
        if size > MAX_SIZE {
            return Err(CheckpointError::Malformed("tree size"));
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// The text that is signed: origin, size, root and any extension lines.
    pub fn to_note_text(&self) -> String {
        let root = self.root.to_base64();
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads a note text. What parses prints back to the same bytes. Nothing is verified here.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Malformed("does not end in a line feed"))?;
        let mut lines = body.split('\n');
        // `new` refuses what is missing here: no line of a checkpoint may be empty.
        let mut line = || lines.next().unwrap_or_default();
        let (origin, size, root) = (line(), line(), line());
        let size = parse_decimal(size).ok_or(CheckpointError::Malformed("tree size"))?;
        let root = Hash::from_base64(root).map_err(|_| CheckpointError::Malformed("root hash"))?;
        let mut checkpoint = Checkpoint::new(origin, size, root)?;
        for line in lines {
            if line.is_empty() || has_control(line) {
                return Err(CheckpointError::Malformed("extension line"));
            }
            checkpoint.extensions.push(line.to_owned());
        }
        Ok(checkpoint)
    }

    /// The whole signed note with one signature.
    pub fn sign(&self, key: &SignerKey) -> String {
        let text = self.to_note_text();
        let signatures = vec![key.sign(&text)];
        SignedNote { text, signatures }.to_string()
    }

    /// Reads a signed note, verifies it and only then believes its text. Of `keys` only those that
    /// sign as a log count ([`KeyType::Ed25519`]): a cosignature is the statement of a witness, and
    /// makes no checkpoint of the log.
    ///
    /// # Errors
    /// Any [`CheckpointError`]; the origin is compared if `expected_origin` is given.
    pub fn open(
        note_text: &str,
        expected_origin: Option<&str>,
        keys: &[VerifierKey],
    ) -> Result<Checkpoint, CheckpointError> {
        match SignedNote::parse(note_text) {
            Ok(note) => Checkpoint::open_note(&note, expected_origin, keys),
            Err(NoteError::Unsigned) => {
                // A text cut off before its signatures is told from a whole one without any.
                let text = note_text.strip_suffix("\n\n").map(|text| format!("{text}\n"));
                Checkpoint::parse(text.as_deref().unwrap_or(note_text))?;
                Err(CheckpointError::Unsigned)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// [`Checkpoint::open`] for a note that is already parsed.
    ///
    /// # Errors
    /// Any [`CheckpointError`].
    pub fn open_note(
        note: &SignedNote,
        expected_origin: Option<&str>,
        keys: &[VerifierKey],
    ) -> Result<Checkpoint, CheckpointError> {
        let of_logs = keys.iter().filter(|key| key.key_type() == KeyType::Ed25519);
        verify_among(note, of_logs)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        match expected_origin {
            Some(expected) if expected != checkpoint.origin => {
                Err(CheckpointError::OriginMismatch { expected: expected.to_owned(), found: checkpoint.origin })
            }
            _ => Ok(checkpoint),
        }
    }
}

/// A note carries no control characters but the line feed, which would end the line. DEL and C1
/// are allowed by the specification.
fn has_control(line: &str) -> bool {
    line.bytes().any(|byte| byte < 0x20)
}
