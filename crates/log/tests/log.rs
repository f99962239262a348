//! What the log promises, held against the RFC's own definitions and against tampering.

#[path = "log/naive.rs"]
mod naive;
#[path = "log/note.rs"]
mod note;
#[path = "log/proof_file.rs"]
mod proof_file;
#[path = "log/tamper.rs"]
mod tamper;
#[path = "log/tree.rs"]
mod tree;
#[path = "log/witness.rs"]
mod witness;
