//! What is signed is what is verified, nothing else passes, and other implementations agree.

#![allow(clippy::print_stdout, reason = "a test says on standard output why it is skipped")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundle;
mod decision;
mod dsse;
mod interop;
mod properties;

use agentprov_attest::{TrustPolicy, TrustedKey};
use agentprov_log::SignerKey;
use agentprov_model::EventTime;

/// The time of every test.
pub(crate) const NOW: EventTime = EventTime::from_nanos(1_800_000_000_000_000_000);

pub(crate) fn signer(seed: u8) -> SignerKey {
    SignerKey::from_seed(&format!("signer-{seed}"), &[seed; 32]).unwrap()
}

pub(crate) fn trust(seeds: &[u8], threshold: usize) -> TrustPolicy {
    let keys = seeds.iter().map(|&seed| TrustedKey::always(signer(seed).verifier())).collect();
    TrustPolicy { keys, threshold, at: NOW }
}
