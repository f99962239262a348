//! What a witness answers (C2SP tlog-witness, "add-checkpoint"), as a pure decision.
//!
//! The caller reads the last head of the log, asks [`decide`], and writes the new head in one
//! transaction, before it replies; otherwise two requests could roll the log back.

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::decimal::parse_decimal;
use crate::hash::{Hash, empty_root};
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::tree::{ProofError, verify_consistency};

/// The most consistency hashes that a request may have, by the specification; trees of up to 2^62
/// leaves need no more.
pub const MAX_PROOF_HASHES: usize = 63;

/// The body of an add-checkpoint request: `old <size>`, hashes, an empty line, the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the checkpoint that the witness is said to have cosigned last; 0 if none.
    pub old_size: u64,
    /// The consistency proof from the old size to the size of the checkpoint.
    pub proof: Vec<Hash>,
    /// The signed note of the checkpoint.
    pub checkpoint: SignedNote,
}

/// Why a request body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The lines before the checkpoint are wrong; says how.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The part after the empty line is no signed note.
    #[error("the checkpoint in the request: {0}")]
    Note(#[from] NoteError),
}

/// A tree that was cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// Their root.
    pub root: Hash,
}

/// What a witness knows of the log that the request names.
#[derive(Debug, Clone, Copy)]
pub struct KnownLog<'a> {
    /// The origin of the log.
    pub origin: &'a str,
    /// The keys trusted for this origin.
    pub keys: &'a [VerifierKey],
    /// The last head that was cosigned for it, if any.
    pub last: Option<Head>,
}

/// What to answer; [`Decision::status`] is the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Persist this checkpoint as the last head, then reply with a cosignature of it.
    Accept(Checkpoint),
    /// The body or the checkpoint is malformed, or the old size is over its size.
    BadRequest(&'static str),
    /// No signature is by a trusted key, or one that names a trusted key fails.
    Forbidden(CheckpointError),
    /// The witness does not know the log.
    UnknownOrigin,
    /// The old size is not the last one cosigned.
    Conflict {
        /// The last size cosigned, which is the body of the reply.
        size: u64,
    },
    /// The trees are not proved consistent.
    UnprocessableProof(ProofError),
}

impl Decision {
    /// The HTTP status of the specification's table.
    pub fn status(&self) -> u16 {
        match self {
            Decision::Accept(_) => 200,
            Decision::BadRequest(_) => 400,
            Decision::Forbidden(_) => 403,
            Decision::UnknownOrigin => 404,
            Decision::Conflict { .. } => 409,
            Decision::UnprocessableProof(_) => 422,
        }
    }

    /// The body and its content type that the specification lays down; `None` where it leaves the
    /// reply open, and for [`Decision::Accept`], whose body is the cosignature still to be made.
    pub fn body(&self) -> Option<(&'static str, String)> {
        match self {
            Decision::Conflict { size } => Some(("text/x.tlog.size", format!("{size}\n"))),
            _ => None,
        }
    }
}

impl AddCheckpoint {
    /// Reads a request body. The checkpoint must be a signed note, but is not looked into.
    ///
    /// # Errors
    /// [`RequestError::Malformed`] also for over [`MAX_PROOF_HASHES`] hashes, and
    /// [`RequestError::Note`].
    pub fn parse(body: &str) -> Result<AddCheckpoint, RequestError> {
        let (head, note) = body.split_once("\n\n").ok_or(RequestError::Malformed("no empty line"))?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(parse_decimal)
            .ok_or(RequestError::Malformed("old size line"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF_HASHES {
                return Err(RequestError::Malformed("too many proof lines"));
            }
            let hash = Hash::from_base64(line).map_err(|_| RequestError::Malformed("proof line"))?;
            proof.push(hash);
        }
        Ok(AddCheckpoint { old_size, proof, checkpoint: SignedNote::parse(note)? })
    }

    /// The origin that the checkpoint claims, to look the log up by. Nothing vouches for it yet.
    pub fn claimed_origin(&self) -> &str {
        self.checkpoint.text.split('\n').next().unwrap_or_default()
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What to answer to the text of a request: [`AddCheckpoint::parse`], `look_up` the log by its
/// claimed origin, [`decide`].
pub fn answer<'a>(body: &str, look_up: impl FnOnce(&str) -> Option<KnownLog<'a>>) -> Decision {
    match AddCheckpoint::parse(body) {
        Ok(request) => decide(look_up(request.claimed_origin()).as_ref(), &request),
        Err(RequestError::Note(NoteError::Unsigned)) => Decision::Forbidden(CheckpointError::Unsigned),
        Err(RequestError::Note(_)) => Decision::BadRequest("the checkpoint is no signed note"),
        Err(RequestError::Malformed(what)) => Decision::BadRequest(what),
    }
}

/// What to answer to a request about a log (`None`: the witness does not know it), by the status
/// table of C2SP tlog-witness. The first failing check decides: origin, signature, old size against
/// the checkpoint, old size against the last head, proof.
pub fn decide(log: Option<&KnownLog<'_>>, request: &AddCheckpoint) -> Decision {
    let Some(log) = log else {
        return Decision::UnknownOrigin;
    };
    let note = &request.checkpoint;
    let checkpoint = match Checkpoint::open_note(note, Some(log.origin), log.keys) {
        Ok(checkpoint) => checkpoint,
        Err(CheckpointError::Malformed(what)) => return Decision::BadRequest(what),
        // The keys are trusted for one origin only: under another they vouch for nothing.
        Err(error) => return Decision::Forbidden(error),
    };
    if request.old_size > checkpoint.size {
        return Decision::BadRequest("the old size is over the size of the checkpoint");
    }
    let last = log.last.unwrap_or_else(|| Head { size: 0, root: empty_root() });
    if request.old_size != last.size {
        return Decision::Conflict { size: last.size };
    }
    match verify_consistency(last.size, &last.root, checkpoint.size, &checkpoint.root, &request.proof) {
        Ok(()) => Decision::Accept(checkpoint),
        Err(error) => Decision::UnprocessableProof(error),
    }
}
