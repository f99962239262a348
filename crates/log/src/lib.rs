//! The Merkle log of agentprov: trees, signed checkpoints and proofs as pure functions.
//!
//! Formats are RFC 6962 (trees, SHA-256) and C2SP (signed notes, checkpoints, cosignatures, the
//! witness protocol, proof files, tiles), so that the tools of others read what agentprov writes.
//!
//! Invariants:
//! - No files, sockets, clock or randomness: times and seeds are arguments.
//! - Every text form has one spelling. What parses prints back to the same bytes.
//! - Parsed is not trusted: only a function that takes keys says that something is true.
//! - Verdicts are never merged: malformed, unsigned, unknown key and invalid signature are errors
//!   of their own, and no input makes a function panic or work without bound.
//! - Where keys are counted, public keys are, never names or lines.
//!
//! Modules: [`hash`] and [`frontier`] build trees, [`tree`] proves and verifies; [`note`],
//! [`checkpoint`] and [`cosign`] sign; [`witness`] decides what to cosign; [`proof_file`] and
//! [`tiles`] are what leaves the machine.

pub mod checkpoint;
pub mod cosign;
mod decimal;
pub mod frontier;
pub mod hash;
pub mod note;
pub mod proof_file;
pub mod tiles;
pub mod tree;
pub mod witness;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosign::{CosignError, Cosigned, CosignerKey};
pub use frontier::{Frontier, FrontierError, MAX_SIZE};
pub use hash::{Hash, HashError, empty_root, leaf_hash, leaf_hash_parts, node_hash};
pub use note::{KeyError, KeyType, NoteError, NoteSignature, SignedNote, SignerKey, VerifierKey};
pub use proof_file::{ProofFile, ProofFileError, ProofPolicy, VerifiedProof};
pub use tiles::{Tile, TileError, TileKind};
pub use tree::{LeafMissing, LeafSource, Leaves, ProofError};
pub use witness::{AddCheckpoint, Decision, Head, KnownLog, RequestError};
