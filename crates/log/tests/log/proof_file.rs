//! Proof files: one leaf, shown offline.

use agentprov_log::tree::inclusion_proof;
use agentprov_log::{
    Checkpoint, CheckpointError, CosignError, Hash, ProofError, ProofFile, ProofFileError, ProofPolicy, SignedNote,
    VerifierKey,
};

use crate::naive;
use crate::note::{ORIGIN, cosigner, signer};

const INDEX: u64 = 5;

/// The proof of one of 11 leaves, signed by the log and cosigned by two witnesses.
fn proof_file() -> (ProofFile, Hash) {
    let leaves = naive::leaves(11);
    let point = Checkpoint::new(ORIGIN, 11, naive::mth(&leaves)).expect("a checkpoint");
    let note = point.sign(&signer(ORIGIN, 1));
    let mut note = SignedNote::parse(&note).expect("a note");
    for (name, seed) in [("w1", 2), ("w2", 3)] {
        let line = cosigner(name, seed).cosign(&point, 1_700_000_000);
        note.signatures.push(line.expect("a line"));
    }
    let file = ProofFile {
        extra: None,
        index: INDEX,
        proof: inclusion_proof(leaves.as_slice(), INDEX, 11).expect("a path"),
        checkpoint: note,
    };
    (file, leaves[INDEX as usize])
}

fn log_keys() -> [VerifierKey; 1] {
    [signer(ORIGIN, 1).verifier()]
}

#[test]
fn files_round_trip_and_verify() {
    let (mut file, leaf) = proof_file();
    let (log_keys, witnesses) = (log_keys(), [("w1", 2), ("w2", 3)]);
    let witnesses = witnesses.map(|(name, seed)| cosigner(name, seed).verifier());
    let policy = ProofPolicy { origin: ORIGIN, log_keys: &log_keys, witnesses: &witnesses, quorum: 2 };
    for extra in [None, Some(b"context".to_vec())] {
        file.extra = extra;
        let text = file.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\n"));
        let parsed = ProofFile::parse(&text).expect("a proof file");
        assert_eq!(parsed, file);
        let verified = parsed.verify(&leaf, &policy).expect("verified");
        assert_eq!(verified.checkpoint.size, 11);
        assert_eq!(verified.witnesses.len(), 2);
    }

    let verify = |file: &ProofFile, policy: &ProofPolicy<'_>| file.verify(&leaf, policy).map(|_| ());
    let missed = |needed, found| Err(ProofFileError::Cosign(CosignError::QuorumNotMet { needed, found }));
    assert_eq!(verify(&file, &ProofPolicy { quorum: 3, ..policy }), missed(3, 2));
    assert_eq!(verify(&file, &ProofPolicy { witnesses: &[], ..policy }), missed(2, 0));
    let stranger = [signer(ORIGIN, 7).verifier()];
    assert_eq!(
        verify(&file, &ProofPolicy { log_keys: &stranger, ..policy }),
        Err(ProofFileError::Checkpoint(CheckpointError::NoKnownKey))
    );
    assert!(matches!(
        verify(&file, &ProofPolicy { origin: "elsewhere", ..policy }),
        Err(ProofFileError::Checkpoint(CheckpointError::OriginMismatch { .. }))
    ));
    let other = ProofFile { index: INDEX + 1, ..file.clone() };
    let mismatch = ProofFileError::Inclusion(ProofError::RootMismatch);
    assert_eq!(verify(&other, &policy), Err(mismatch));
    let beyond = ProofFile { index: 11, ..file.clone() };
    let range = ProofError::IndexOutOfRange { index: 11, size: 11 };
    assert_eq!(verify(&beyond, &policy), Err(ProofFileError::Inclusion(range)));
    assert!(file.verify(&naive::leaves(1)[0], &policy).is_err());
}

#[test]
fn a_log_is_no_witness_of_itself() {
    let (file, leaf) = proof_file();
    // The seed of w1 is also a key of the log.
    let log_keys = [signer(ORIGIN, 1).verifier(), signer("rotated", 2).verifier()];
    let witnesses = [cosigner("w1", 2).verifier(), cosigner("w2", 3).verifier()];
    let policy = ProofPolicy { origin: ORIGIN, log_keys: &log_keys, witnesses: &witnesses, quorum: 2 };
    let missed = CosignError::QuorumNotMet { needed: 2, found: 1 };
    assert_eq!(file.verify(&leaf, &policy), Err(ProofFileError::Cosign(missed)));
}

#[test]
fn every_flipped_byte_is_noticed() {
    let (file, leaf) = proof_file();
    let (log_keys, witnesses) = (log_keys(), [cosigner("w1", 2).verifier()]);
    let policy = ProofPolicy { origin: ORIGIN, log_keys: &log_keys, witnesses: &witnesses, quorum: 1 };
    let text = file.to_string();
    // The last line is of a witness that the policy does not know.
    let unknown = text.rfind('\u{2014}').expect("signature lines");
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            let verified = ProofFile::parse(&changed).and_then(|file| {
                file.verify(&leaf, &policy)?;
                Ok(())
            });
            assert!(verified.is_err() || at > unknown, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn files_are_strict() {
    let text = proof_file().0.to_string();
    let extra = |line: &str| text.replacen("index", &format!("{line}\nindex"), 1);
    for bad in [
        String::new(),
        text.replacen("@v1", "@v2", 1),
        text.replacen("index 5", "index 05", 1),
        text.replacen("index 5", "index 9223372036854775807", 1),
        text.replacen("index 5\n", "", 1),
        text.replacen("=\n", "=\r\n", 1),
        extra("extra "),
        extra("extra AAA"),
        extra("extra"),
        extra("extra AAAA\nextra AAAA"),
        text.replacen("index 5\n", "index 5\nA\n", 1),
    ] {
        let parsed = ProofFile::parse(&bad);
        assert!(matches!(parsed, Err(ProofFileError::Malformed(_))), "{bad:?}");
    }
    let with_extra = ProofFile::parse(&extra("extra AAAA")).expect("a proof file");
    assert_eq!(with_extra.extra, Some(vec![0; 3]));
    let cut = &text[..text.len() - 1];
    assert!(matches!(ProofFile::parse(cut), Err(ProofFileError::Note(_))));
}
