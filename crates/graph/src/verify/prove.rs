//! One fact shown without the rest: its bytes and a C2SP tlog-proof.

use crate::error::GraphError;
use agentprov_log::{ProofFile, SignedNote, tree};
use agentprov_store::{Reader, RunRow, Seq};

/// A fact and the proof that the run's log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactProof {
    /// The exact bytes that were hashed.
    pub body: Vec<u8>,
    /// Text of a `c2sp.org/tlog-proof@v1` file.
    pub proof: String,
    /// Origin that a verifier must expect.
    pub origin: String,
}

/// Proves that fact `seq` is in the run's log under its signed head. Nothing is verified here: who receives the
/// proof does that.
///
/// # Errors
/// [`GraphError::Argument`] for a fact that the signed head does not cover, [`GraphError::NoContent`] where the
/// body is gone, or what the store says.
pub fn prove(reader: &Reader, run: &RunRow, seq: Seq) -> Result<FactProof, GraphError> {
    let note = SignedNote::parse(&run.checkpoint)
        .map_err(|error| GraphError::Argument(format!("the run's head can't be used: {error}")))?;
    let checkpoint = agentprov_log::Checkpoint::parse(&note.text)
        .map_err(|error| GraphError::Argument(format!("the run's head can't be used: {error}")))?;
    let size = checkpoint.size;
    if seq >= size {
        return Err(GraphError::Argument(format!("the run has no fact {seq}: its signed head covers {size}")));
    }
    let body = reader.body(run.no, seq)?.ok_or_else(|| GraphError::NoContent {
        what: format!("fact {seq} of run '{}'", run.id),
        why: "its bytes are not in the store".into(),
    })?;
    let leaves = reader.leaf_hashes(run.no, size)?;
    let proof = tree::inclusion_proof(leaves.as_slice(), seq, size)
        .map_err(|error| GraphError::Argument(format!("no proof can be made: {error}")))?;
    let file = ProofFile { extra: None, index: seq, proof, checkpoint: note };
    Ok(FactProof { body, proof: file.to_string(), origin: checkpoint.origin })
}
