//! Signed claims on single lines: who wrote the line with this content, in this place of this commit of this repository.
//!
//! Each claim stands alone under its signature, so that they can be cut apart and put together. What is claimed can't be
//! moved: another repository, commit, path, line or content is another claim, which nobody signed.
//!
//! Invariants:
//! - A file is taken whole or not at all: one claim whose signature does not hold, and it is refused.
//! - A signature shows who says so, not that it was recorded: a claim is `derived` at most, and `asserted` where the key is
//!   not trusted or where whoever signed had no recording either.

mod apply;
mod document;
mod export;
mod open;

pub(super) use apply::Claimed;
pub use document::PAYLOAD_TYPE;
pub use export::{LineClaimError, export_line_claims};
pub use open::LineClaims;
