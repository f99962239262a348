//! Proof files (C2SP tlog-proof): one leaf of a log, shown offline without the rest.

use std::fmt;

use data_encoding::BASE64;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosign::{CosignError, Cosigned, cosigners};
use crate::decimal::parse_decimal;
use crate::frontier::MAX_SIZE;
use crate::hash::Hash;
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::tree::{ProofError, verify_inclusion};

/// The first line of a proof file, version included.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The extension that proof files should have.
pub const FILE_EXTENSION: &str = "tlog-proof";
/// No tree of at most [`MAX_SIZE`] leaves has a longer path.
const MAX_PATH: usize = 63;
/// The most `extra` bytes that are read.
pub const MAX_EXTRA_BYTES: usize = 1 << 20;

/// The content of a proof file. Nothing in it is true before [`ProofFile::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// Bytes of the application's, which nothing authenticates, ever. Empty bytes print like none.
    pub extra: Option<Vec<u8>>,
    /// Which leaf of the log.
    pub index: u64,
    /// The inclusion proof, the leaf's sibling first.
    pub proof: Vec<Hash>,
    /// The checkpoint with its signatures.
    pub checkpoint: SignedNote,
}

/// Whom a verifier trusts.
#[derive(Debug, Clone, Copy)]
pub struct ProofPolicy<'k> {
    /// The origin that the checkpoint must have.
    pub origin: &'k str,
    /// The keys of the log.
    pub log_keys: &'k [VerifierKey],
    /// The keys of the witnesses, of type 0x04.
    pub witnesses: &'k [VerifierKey],
    /// How many distinct witnesses must have cosigned. A key of the log is no witness of it.
    pub quorum: usize,
}

/// What a proof file turned out to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProof<'k> {
    /// The verified checkpoint.
    pub checkpoint: Checkpoint,
    /// The witnesses that cosigned it, at least as many as the policy asks for.
    pub witnesses: Vec<Cosigned<'k>>,
}

/// Why a proof file cannot be read or does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// The lines before the checkpoint are wrong; says how.
    #[error("malformed proof file: {0}")]
    Malformed(&'static str),
    /// The part after the empty line is no signed note.
    #[error("the checkpoint in the proof file: {0}")]
    Note(NoteError),
    /// The checkpoint is not one of the log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The witnesses do not suffice.
    #[error(transparent)]
    Cosign(#[from] CosignError),
    /// The leaf is not in the tree of the checkpoint at the index.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

impl ProofFile {
    /// Reads a proof file.
    ///
    /// # Errors
    /// [`ProofFileError::Malformed`] or [`ProofFileError::Note`].
    pub fn parse(text: &str) -> Result<ProofFile, ProofFileError> {
        let malformed = ProofFileError::Malformed;
        let (head, note) = text.split_once("\n\n").ok_or(malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed("first line"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(parse_extra(&line["extra ".len()..])?),
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .filter(|index| *index < MAX_SIZE)
            .ok_or(malformed("index line"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PATH {
                return Err(malformed("too many hashes"));
            }
            proof.push(Hash::from_base64(line).map_err(|_| malformed("hash line"))?);
        }
        Ok(ProofFile { extra, index, proof, checkpoint: SignedNote::parse(note).map_err(ProofFileError::Note)? })
    }

    /// Checks that the log holds the leaf with hash `leaf` at the index. In order: the log's
    /// signature and origin, the witnesses, the path. `leaf` must come from the bytes that the
    /// caller wants proved, not from the file.
    ///
    /// # Errors
    /// [`ProofFileError::Checkpoint`], [`ProofFileError::Cosign`] or [`ProofFileError::Inclusion`].
    pub fn verify<'k>(&self, leaf: &Hash, policy: &ProofPolicy<'k>) -> Result<VerifiedProof<'k>, ProofFileError> {
        let checkpoint = Checkpoint::open_note(&self.checkpoint, Some(policy.origin), policy.log_keys)?;
        let mut witnesses = cosigners(&self.checkpoint, policy.witnesses)?;
        // Two machines must lie for a false proof; a log that is its own witness is one.
        witnesses.retain(|witness| {
            let same = |key: &VerifierKey| key.public_key() == witness.key.public_key();
            !policy.log_keys.iter().any(same)
        });
        if witnesses.len() < policy.quorum {
            return Err(ProofFileError::Cosign(CosignError::QuorumNotMet {
                needed: policy.quorum,
                found: witnesses.len(),
            }));
        }
        verify_inclusion(leaf, self.index, checkpoint.size, &self.proof, &checkpoint.root)?;
        Ok(VerifiedProof { checkpoint, witnesses })
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

fn parse_extra(encoded: &str) -> Result<Vec<u8>, ProofFileError> {
    // Without extra data the line is left out, so that a proof has one spelling.
    if encoded.is_empty() || encoded.len() / 4 * 3 > MAX_EXTRA_BYTES {
        return Err(ProofFileError::Malformed("extra line"));
    }
    BASE64.decode(encoded.as_bytes()).map_err(|_| ProofFileError::Malformed("extra line"))
}
