//! What holds for any payload, any damage and any bytes.

use crate::{signer, trust};
use agentprov_attest::envelope::IN_TOTO;
use agentprov_attest::{Envelope, pae, verify};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_encoding_is_injective(one in ("[ -~]{0,12}", any::<Vec<u8>>()), two in ("[ -~]{0,12}", any::<Vec<u8>>())) {
        prop_assert_eq!(pae(&one.0, &one.1) == pae(&two.0, &two.1), one == two);
    }

    #[test]
    fn what_is_signed_verifies_and_reads_back(payload in any::<Vec<u8>>(), payload_type in "\\PC{0,20}") {
        let envelope = Envelope::sign(&payload_type, payload.clone(), &signer(1));
        let read = Envelope::parse(envelope.to_json().unwrap().as_bytes()).unwrap();
        prop_assert_eq!(&read, &envelope);
        prop_assert_eq!(verify(&read, &trust(&[1], 1), &[&payload_type]).unwrap().payload, payload);
    }

    /// Whatever byte changes, either nothing that is verified changed or it does not verify.
    #[test]
    fn no_changed_byte_changes_what_is_verified(
        payload in proptest::collection::vec(any::<u8>(), 1..40),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let envelope = Envelope::sign(IN_TOTO, payload.clone(), &signer(1));
        let mut bytes = envelope.to_json().unwrap().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Envelope::parse(&bytes)
            && let Ok(verified) = verify(&read, &trust(&[1], 1), &[IN_TOTO])
        {
            prop_assert_eq!(verified.payload, payload);
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(envelope) = Envelope::parse(&bytes) {
            prop_assert!(verify(&envelope, &trust(&[1], 1), &[IN_TOTO]).is_err());
        }
    }

    /// Removing signatures never makes an envelope that did not count count.
    #[test]
    fn fewer_signatures_never_help(
        seeds in proptest::collection::vec(1u8..5, 1..5),
        kept in any::<u8>(),
        need in 1usize..4,
    ) {
        let mut envelope = Envelope { payload_type: IN_TOTO.into(), payload: b"{}".to_vec(), signatures: vec![] };
        seeds.iter().for_each(|&seed| envelope.add_signature(&signer(seed)));
        let mut fewer = envelope.clone();
        let mut index = 0;
        fewer.signatures.retain(|_| {
            index += 1;
            kept & (1 << index) != 0
        });
        let policy = trust(&[1, 2, 3], need);
        if verify(&fewer, &policy, &[IN_TOTO]).is_ok() {
            prop_assert!(verify(&envelope, &policy, &[IN_TOTO]).is_ok());
        }
    }
}
