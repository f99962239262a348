//! A proof convinces somebody who has the log's public key, the fact and the proof, and nothing of the store.

use crate::place::Place;
use agentprov_log::proof_file::{ProofFile, ProofPolicy};
use agentprov_log::{VerifierKey, leaf_hash};

#[test]
fn one_fact_is_proved_without_the_store() {
    let place = Place::new();
    place.record("r", "for i in 1 2 3; do echo $i > f$i; done").ok();
    let rows = place.run(["timeline", "--run", "r", "--type", "file_write", "--json"]).ok().json();
    let events: Vec<&str> =
        rows["events"].as_array().expect("rows").iter().map(|row| row["id"].as_str().expect("an id")).collect();
    assert!(events.len() >= 3);
    let key = place.read(".agentprov/store.pub");
    let keys = [VerifierKey::parse(key.trim()).expect("a key")];
    let mut origin = String::new();
    for event in &events {
        let said = place.run(["prove", event, "--run", "r", "--output", "../proofs"]).ok();
        let line = said.stdout.lines().find_map(|line| line.strip_prefix("origin  ")).expect("the origin");
        origin = line.to_owned();
    }
    std::fs::remove_dir_all(place.data_dir()).expect("the store is gone");
    let read = |event: &str, ending: &str| {
        std::fs::read(place.root().join("proofs").join(format!("{event}.{ending}"))).expect("a file")
    };
    let policy = ProofPolicy { origin: &origin, log_keys: &keys, witnesses: &[], quorum: 0 };
    let proofs: Vec<(Vec<u8>, ProofFile)> = events
        .iter()
        .map(|event| {
            let text = String::from_utf8(read(event, "tlog-proof")).expect("text");
            (read(event, "json"), ProofFile::parse(&text).expect("a proof"))
        })
        .collect();
    for (place_of, (body, proof)) in proofs.iter().enumerate() {
        proof.verify(&leaf_hash(body), &policy).expect("the proof holds");
        let other = &proofs[(place_of + 1) % proofs.len()].0;
        assert!(proof.verify(&leaf_hash(other), &policy).is_err(), "it proves this fact and no other");
        let mut edited = body.clone();
        *edited.last_mut().expect("bytes") ^= 1;
        assert!(proof.verify(&leaf_hash(&edited), &policy).is_err(), "it proves these bytes");
        let elsewhere = ProofPolicy { origin: "example.org/another", ..policy };
        assert!(proof.verify(&leaf_hash(body), &elsewhere).is_err(), "it speaks of this log");
    }
}
