//! The status table of C2SP tlog-witness, and the body of a request.

use agentprov_log::tree::consistency_proof;
use agentprov_log::witness::{MAX_PROOF_HASHES, answer};
use agentprov_log::{
    AddCheckpoint, Checkpoint, CheckpointError, Decision, Hash, Head, KnownLog, ProofError, RequestError, SignedNote,
    VerifierKey, empty_root, leaf_hash,
};

use crate::naive;
use crate::note::{ORIGIN, signer};

fn head(size: usize) -> Head {
    let root = naive::mth(&naive::leaves(size));
    Head { size: size as u64, root }
}

fn request(old: u64, proof: Vec<Hash>, new: Head) -> AddCheckpoint {
    let point = Checkpoint::new(ORIGIN, new.size, new.root).expect("a checkpoint");
    let note = point.sign(&signer(ORIGIN, 1));
    AddCheckpoint { old_size: old, proof, checkpoint: SignedNote::parse(&note).expect("a note") }
}

/// Sends the printed request to a witness that last cosigned `last`.
fn reply(last: Option<Head>, keys: &[VerifierKey], request: &AddCheckpoint) -> Decision {
    let log = KnownLog { origin: ORIGIN, keys, last };
    answer(&request.to_string(), |origin| (origin == ORIGIN).then_some(log))
}

#[test]
fn the_status_table() {
    let keys = [signer(ORIGIN, 1).verifier()];
    let leaves = naive::leaves(20);
    let proof = consistency_proof(leaves.as_slice(), 11, 20).expect("a proof");
    let good = request(11, proof.clone(), head(20));
    let last = Some(head(11));
    let status = |last, request: &AddCheckpoint| reply(last, &keys, request).status();

    // 200: from a known head, from nothing, again, and of an empty log.
    let accepted = Checkpoint::new(ORIGIN, 20, head(20).root).expect("a checkpoint");
    assert_eq!(reply(last, &keys, &good), Decision::Accept(accepted));
    assert_eq!(status(None, &request(0, vec![], head(20))), 200);
    assert_eq!(status(Some(head(20)), &request(20, vec![], head(20))), 200);
    assert_eq!(status(None, &request(0, vec![], head(0))), 200);
    // 400: old over the size of the checkpoint, whatever is on record.
    assert_eq!(status(last, &request(21, vec![], head(20))), 400);
    assert_eq!(status(Some(head(21)), &request(21, vec![], head(20))), 400);
    // 403: another key, a failing signature of the trusted key, no signature.
    let stranger = [signer(ORIGIN, 2).verifier()];
    let refused = Decision::Forbidden(CheckpointError::NoKnownKey);
    assert_eq!(reply(last, &stranger, &good), refused);
    let mut forged = good.clone();
    forged.checkpoint.text = forged.checkpoint.text.replacen("\n20\n", "\n21\n", 1);
    assert_eq!(status(last, &forged), 403);
    let mut unsigned = good.clone();
    unsigned.checkpoint.signatures.clear();
    assert_eq!(status(last, &unsigned), 403);
    // 404: an origin that is not known, before its signature is looked at.
    let unknown = answer(&good.to_string(), |_| None);
    assert_eq!((unknown.status(), unknown), (404, Decision::UnknownOrigin));
    // 409: old is not the last size; the reply says which is.
    for (last, size) in [(Some(head(12)), 12), (None, 0), (Some(head(20)), 20)] {
        let conflict = reply(last, &keys, &good);
        assert_eq!((conflict.status(), &conflict), (409, &Decision::Conflict { size }));
        let body = conflict.body();
        assert_eq!(body, Some(("text/x.tlog.size", format!("{size}\n"))));
    }
    assert_eq!(status(last, &request(0, vec![], head(20))), 409);
    // 422: a wrong, missing or needless proof, another root of the same size, a full empty tree.
    let mut wrong = proof.clone();
    wrong[0].0[0] ^= 1;
    assert_eq!(status(last, &request(11, wrong, head(20))), 422);
    assert_eq!(status(last, &request(11, vec![], head(20))), 422);
    assert_eq!(status(None, &request(0, proof, head(20))), 422);
    let other = Head { size: 20, root: leaf_hash(b"fork") };
    let fork = reply(Some(head(20)), &keys, &request(20, vec![], other));
    assert_eq!(fork, Decision::UnprocessableProof(ProofError::RootMismatch));
    assert_eq!(fork.status(), 422);
    let full = Head { size: 0, root: leaf_hash(b"") };
    assert_eq!(status(None, &request(0, vec![], full)), 422);
    assert_ne!(full.root, empty_root());
}

#[test]
fn request_bodies_round_trip_and_are_strict() {
    let proof = vec![leaf_hash(b"a"), leaf_hash(b"b")];
    for proof in [vec![], proof] {
        let request = request(7, proof, head(20));
        assert_eq!(request.claimed_origin(), ORIGIN);
        assert_eq!(AddCheckpoint::parse(&request.to_string()), Ok(request));
    }
    let most = request(7, vec![empty_root(); MAX_PROOF_HASHES], head(20));
    assert!(AddCheckpoint::parse(&most.to_string()).is_ok());
    let more = request(7, vec![empty_root(); MAX_PROOF_HASHES + 1], head(20));
    let body = request(7, vec![empty_root()], head(20)).to_string();
    for bad in [
        more.to_string(),
        String::new(),
        body.replacen("old 7\n", "", 1),
        body.replacen("old 7\n", "old 07\n", 1),
        body.replacen("old 7\n", "old  7\n", 1),
        body.replacen("old 7\n", "old -7\n", 1),
        body.replacen("old 7\n", "old 7\r\n", 1),
        body.replacen("=\n", "\n", 1),
        "old 7\n".to_owned(),
    ] {
        let parsed = AddCheckpoint::parse(&bad);
        assert!(matches!(parsed, Err(RequestError::Malformed(_))), "{bad:?}");
        assert_eq!(answer(&bad, |_| None).status(), 400);
    }
    let cut = &body[..body.len() - 1];
    assert!(matches!(AddCheckpoint::parse(cut), Err(RequestError::Note(_))));
    assert_eq!(answer(cut, |_| None).status(), 400);
}
