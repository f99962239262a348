//! The bundle in the form of the existing service.

use crate::{signer, trust};
use agentprov_attest::service_bundle::{PAYLOAD_TYPE, ServiceBundle, verify_bundle};
use serde_json::json;

fn name(bytes: &str) -> &'static str {
    verify_bundle(bytes.as_bytes(), &trust(&[1], 1)).map_or_else(|failure| failure.name(), |_| "verified")
}

#[test]
fn it_is_dsse_with_a_digest_beside_it() {
    let payload = json!({"outcome": "allow", "analysis_id": "an_1", "rationale": "\u{fc}"});
    let bundle = ServiceBundle::sign(&payload, &[signer(1), signer(2)]);
    let text = serde_json::to_string(&bundle).unwrap();
    assert_eq!((bundle.payload_type.as_str(), bundle.signatures.len()), (PAYLOAD_TYPE, 2));
    let verified = verify_bundle(text.as_bytes(), &trust(&[1, 2], 2)).unwrap();
    assert_eq!(verified.payload, br#"{"analysis_id":"an_1","outcome":"allow","rationale":"\u00fc"}"#);
    let zeros = "0".repeat(64);
    assert_eq!(name(&text.replace(&bundle.payload_sha256, &zeros)), "malformed");
    assert_eq!(name(&text.replace("payloadSha256", "payloadsha256")), "malformed");
    assert_eq!(name(&text.replace("provenance.decision", "provenance.decisioN")), "invalid-signature");
    let unsigned = ServiceBundle::sign(&payload, &[]);
    assert_eq!(name(&serde_json::to_string(&unsigned).unwrap()), "unsigned");
}

#[test]
fn a_signature_over_the_bare_payload_binds_nothing() {
    let mut bundle = ServiceBundle::sign(&json!({"outcome": "allow"}), &[signer(1)]);
    let bare = signer(1).sign_bytes(br#"{"outcome":"allow"}"#);
    bundle.signatures[0].sig = agentprov_attest::base64::encode(&bare);
    bundle.signatures[0].keyid = "decision-key".into();
    assert_eq!(name(&serde_json::to_string(&bundle).unwrap()), "legacy_unbound");
}
