//! One fact shown without the rest: its bytes and a C2SP tlog-proof.

use crate::error::GraphError;
use agentprov_log::tree::Subtrees;
use agentprov_log::{Checkpoint, Hash, ProofFile, SignedNote, tree};
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

/// Makes proofs of facts of one run under its signed head. Nothing is verified here: who receives a proof does that.
pub struct Prover<'a> {
    reader: &'a Reader,
    run: &'a RunRow,
    head: SignedNote,
    checkpoint: Checkpoint,
    tree: Subtrees,
}

impl<'a> Prover<'a> {
    /// Reads the head and the hashes that it covers, once for all proofs.
    ///
    /// # Errors
    /// [`GraphError::Argument`] for a head that can't be used, or what the store says.
    pub fn new(reader: &'a Reader, run: &'a RunRow) -> Result<Self, GraphError> {
        let unusable =
            |why: &dyn std::fmt::Display| GraphError::Argument(format!("the run's head can't be used: {why}"));
        let head = SignedNote::parse(&run.checkpoint).map_err(|error| unusable(&error))?;
        let checkpoint = Checkpoint::parse(&head.text).map_err(|error| unusable(&error))?;
        let tree = Subtrees::new(reader.leaf_hashes(run.no, checkpoint.size)?);
        Ok(Self { reader, run, head, checkpoint, tree })
    }

    /// The bytes of fact `seq`, and the hashes that lead from them to the head.
    ///
    /// # Errors
    /// [`GraphError::Argument`] for a fact that the signed head does not cover, [`GraphError::NoContent`] where the
    /// body is gone, or what the store says.
    pub fn path(&self, seq: Seq) -> Result<(Vec<u8>, Vec<Hash>), GraphError> {
        let size = self.checkpoint.size;
        if seq >= size {
            return Err(GraphError::Argument(format!("the run has no fact {seq}: its signed head covers {size}")));
        }
        let body = self.reader.body(self.run.no, seq)?.ok_or_else(|| GraphError::NoContent {
            what: format!("fact {seq} of run '{}'", self.run.id),
            why: "its bytes are not in the store".into(),
        })?;
        let path = tree::inclusion_proof(&self.tree, seq, size)
            .map_err(|error| GraphError::Argument(format!("no proof can be made: {error}")))?;
        Ok((body, path))
    }
}

/// One fact by itself.
///
/// # Errors
/// As [`Prover::path`].
pub fn prove(reader: &Reader, run: &RunRow, seq: Seq) -> Result<FactProof, GraphError> {
    let prover = Prover::new(reader, run)?;
    let (body, proof) = prover.path(seq)?;
    let file = ProofFile { extra: None, index: seq, proof, checkpoint: prover.head };
    Ok(FactProof { body, proof: file.to_string(), origin: prover.checkpoint.origin })
}
