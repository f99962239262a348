//! Envelopes: the vectors of the specification, and each outcome by itself.

use crate::{NOW, signer, trust};
use agentprov_attest::envelope::{EnvelopeSignature, IN_TOTO};
use agentprov_attest::{Envelope, EnvelopeError, Failure, SignatureState, key_id, pae, verify};
use agentprov_model::EventTime;
use serde_json::json;

#[test]
fn the_encoding_of_the_specification() {
    let hello = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), hello);
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    assert_eq!(pae(IN_TOTO, b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    // Lengths are of bytes, not of characters.
    assert_eq!(pae("\u{e9}", b"\xff\x00"), b"DSSEv1 2 \xc3\xa9 2 \xff\x00");
}

#[test]
fn signed_bytes_come_back() {
    let envelope = Envelope::sign(IN_TOTO, b"{\"a\":1}".to_vec(), &signer(1));
    let read = Envelope::parse(envelope.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(read, envelope);
    let verified = verify(&read, &trust(&[1], 1), &[IN_TOTO]).unwrap();
    assert_eq!((verified.payload.as_slice(), verified.payload_type.as_str()), (&b"{\"a\":1}"[..], IN_TOTO));
    assert_eq!(verified.key_ids, [key_id(&signer(1).verifier())]);
}

#[test]
fn both_alphabets_and_unknown_members_are_read() {
    let envelope = Envelope::sign(IN_TOTO, vec![0xfb, 0xff, 0xfe], &signer(1));
    let mut wire: serde_json::Value = serde_json::from_str(&envelope.to_json().unwrap()).unwrap();
    assert_eq!(wire["payload"], "+//+");
    wire["payload"] = json!("-__-");
    wire["extra"] = json!({"x": 1});
    wire["signatures"][0]["keyid"] = json!(null);
    let url_safe = wire["signatures"][0]["sig"].as_str().unwrap().replace('+', "-").replace('/', "_");
    wire["signatures"][0]["sig"] = json!(url_safe);
    let read = Envelope::parse(wire.to_string().as_bytes()).unwrap();
    assert!(verify(&read, &trust(&[1], 1), &[IN_TOTO]).is_ok());
}

#[test]
fn documents_with_two_meanings_are_refused() {
    let good = Envelope::sign(IN_TOTO, b"{}".to_vec(), &signer(1)).to_json().unwrap();
    let refused = |text: &str| Failure::from(Envelope::parse(text.as_bytes()).unwrap_err()).name();
    assert_eq!(refused(&good.replacen('{', "{\"payload\":\"e30=\",", 1)), "malformed");
    assert_eq!(refused(&format!("{good}{good}")), "malformed");
    assert_eq!(refused(&format!("{good} x")), "malformed");
    assert_eq!(refused(&good.replace("e30=", "e31=")), "malformed");
    assert_eq!(refused(&good.replace("e30=", "e3 0=")), "malformed");
    assert_eq!(refused(&good.replace("payloadType", "payloadtype")), "malformed");
    assert_eq!(refused("[]"), "malformed");
    for end in 1..good.len() {
        assert_eq!(refused(&good[..end]), "truncated", "{end}");
    }
    let many = json!({"payload": "", "payloadType": "t", "signatures": vec![json!({"sig": ""}); 101]}).to_string();
    assert_eq!(Envelope::parse(many.as_bytes()), Err(EnvelopeError::TooManySignatures(101)));
}

fn outcome(envelope: &Envelope, seeds: &[u8], threshold: usize) -> &'static str {
    verify(envelope, &trust(seeds, threshold), &[IN_TOTO]).map_or_else(|failure| failure.name(), |_| "verified")
}

#[test]
fn outcomes_are_told_apart() {
    let good = Envelope::sign(IN_TOTO, b"{}".to_vec(), &signer(1));
    assert_eq!(outcome(&good, &[1], 1), "verified");
    assert_eq!(outcome(&good, &[2], 1), "unknown-key");
    assert_eq!(outcome(&good, &[], 0), "unknown-key");
    assert_eq!(outcome(&Envelope { signatures: vec![], ..good.clone() }, &[1], 0), "unsigned");
    assert_eq!(outcome(&Envelope { payload: b"{ }".to_vec(), ..good.clone() }, &[1], 1), "invalid-signature");
    assert_eq!(outcome(&Envelope { payload_type: "other".into(), ..good.clone() }, &[1], 1), "invalid-signature");
    let other = Envelope::sign("text/plain", b"{}".to_vec(), &signer(1));
    assert_eq!(outcome(&other, &[1], 1), "wrong-type");
    let signature = signer(1).sign_bytes(b"{}").to_vec();
    let bare = EnvelopeSignature { key_id: "decision-key".into(), signature };
    let legacy = Envelope { signatures: vec![bare], ..good.clone() };
    assert_eq!(outcome(&legacy, &[1], 1), "legacy_unbound");
    assert_eq!(outcome(&legacy, &[2], 1), "unknown-key");
}

#[test]
fn keys_count_in_their_time_only() {
    let good = Envelope::sign(IN_TOTO, b"{}".to_vec(), &signer(1));
    let next = EventTime::from_nanos(NOW.as_nanos() + 1);
    let mut policy = trust(&[1], 1);
    policy.keys[0].valid_until = Some(NOW);
    assert_eq!(verify(&good, &policy, &[IN_TOTO]), Err(Failure::Expired));
    policy.keys[0].valid_until = Some(next);
    assert!(verify(&good, &policy, &[IN_TOTO]).is_ok());
    policy.keys[0].valid_from = Some(next);
    assert_eq!(verify(&good, &policy, &[IN_TOTO]), Err(Failure::Expired));
    policy.keys[0].revoked = true;
    assert_eq!(verify(&good, &policy, &[IN_TOTO]), Err(Failure::Revoked));
    policy.keys.extend(trust(&[1], 1).keys);
    assert_eq!(verify(&good, &policy, &[IN_TOTO]), Err(Failure::Revoked), "one entry withdraws the key for all");
}

#[test]
fn a_key_id_is_a_hint_and_no_more() {
    let mut envelope = Envelope::sign(IN_TOTO, b"{}".to_vec(), &signer(1));
    envelope.signatures[0].key_id = key_id(&signer(2).verifier());
    assert_eq!(outcome(&envelope, &[1, 2], 1), "verified");
    assert_eq!(outcome(&envelope, &[2], 1), "invalid-signature");
    envelope.signatures[0].key_id.clear();
    assert_eq!(outcome(&envelope, &[1], 1), "verified");
    assert_eq!(outcome(&envelope, &[2], 1), "unknown-key");
}

#[test]
fn thresholds_count_public_keys() {
    let mut envelope = Envelope::sign(IN_TOTO, b"{}".to_vec(), &signer(1));
    envelope.add_signature(&signer(1));
    envelope.signatures[1].key_id = "somebody else".into();
    // The same key under a second name is still one signer.
    let mut policy = trust(&[1, 1], 2);
    policy.keys[1].key = agentprov_log::SignerKey::from_seed("alias", &[1; 32]).unwrap().verifier();
    assert_eq!(verify(&envelope, &policy, &[IN_TOTO]), Err(Failure::TooFewKeys { have: 1, need: 2 }));
    envelope.add_signature(&signer(2));
    assert_eq!(outcome(&envelope, &[1, 2], 2), "verified");
    assert_eq!(outcome(&envelope, &[1, 2, 3], 3), "too-few-keys");
    // A signature that does not count takes nothing from those that do, and is reported.
    envelope.signatures[0].signature[5] ^= 1;
    envelope.signatures[0].key_id = key_id(&signer(1).verifier());
    let verified = verify(&envelope, &trust(&[1, 2], 2), &[IN_TOTO]).unwrap();
    assert_eq!(verified.signatures, [SignatureState::Forged, SignatureState::Valid, SignatureState::Valid]);
}
