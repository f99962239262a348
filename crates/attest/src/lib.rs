//! What agentprov signs for others: DSSE envelopes around in-toto statements, and the signed decision of a review.
//!
//! Invariants:
//! - What is signed is the pre-authentication encoding, so that a payload can't be taken for one of another type.
//! - What is used is the bytes that were verified; an envelope is never parsed a second time.
//! - Reading is strict: a name twice in an object, bytes after the end, another spelling of base64 and numbers that
//!   others would read differently are refused.
//! - Outcomes are never merged: forged, unsigned, unknown key, expired, revoked, too few keys, truncated, malformed.
//! - Where signers are counted, public keys are: not signatures, and not the key ids in the envelope.
//!
//! Nothing here reads files, clocks or randomness.

pub mod base64;
pub mod decision;
pub mod digest;
pub mod envelope;
pub mod json;
pub mod service_bundle;
pub mod statement;
pub mod trust;
pub mod verify;

pub use decision::{Decision, DecisionStatement};
pub use digest::{Algorithm, DigestSet};
pub use envelope::{Envelope, EnvelopeError, pae};
pub use statement::{Statement, StatementError, Subject};
pub use trust::{TrustPolicy, TrustedKey, key_id};
pub use verify::{Failure, SignatureState, Verified, verify};
