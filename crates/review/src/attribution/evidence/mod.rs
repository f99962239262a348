//! Evidence that travels: what another clone needs to say who wrote the lines of a change, without the store.
//!
//! Invariants:
//! - A file is taken whole or not at all: one proof that fails, one byte that is another, and it is refused.
//! - The proofs show that the facts are in logs that a key signed. Which fact a line came with is shown by the signature
//!   over the file, or is computed again from the contents; without either the claim is `asserted`.
//! - A key counts as trusted only where whoever reviews names it; the file names its keys for display alone.

mod apply;
mod document;
mod export;
mod facts;
mod open;

pub(super) use apply::Applied;
pub use document::PAYLOAD_TYPE;
pub use export::{ExportError, export};
pub use open::{Evidence, EvidenceError};
