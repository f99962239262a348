//! Notes, keys, checkpoints and cosignatures.

use agentprov_log::cosign::{self, MAX_TIME};
use agentprov_log::note::{MAX_NOTE_BYTES, MAX_SIGNATURES, verify};
use agentprov_log::{
    Checkpoint, CheckpointError, CosignError, CosignerKey, Hash, KeyError, KeyType, MAX_SIZE, NoteError, NoteSignature,
    SignedNote, SignerKey, VerifierKey, leaf_hash,
};

pub(crate) const ORIGIN: &str = "agentprov.example/store";

pub(crate) fn signer(name: &str, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, &[seed; 32]).expect("a valid name")
}

pub(crate) fn cosigner(name: &str, seed: u8) -> CosignerKey {
    CosignerKey::from_seed(name, &[seed; 32]).expect("a valid name")
}

pub(crate) fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint::new(ORIGIN, size, leaf_hash(b"root")).expect("a valid origin")
}

/// From the documentation of the Go package golang.org/x/mod/sumdb/note.
const GO_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_SEED: &str = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM=";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn the_go_implementation_agrees() {
    let key: VerifierKey = GO_VKEY.parse().expect("a vkey");
    assert_eq!(key.to_string(), GO_VKEY);
    let note = SignedNote::parse(GO_NOTE).expect("a note");
    assert_eq!(note.to_string(), GO_NOTE);
    let seed = Hash::from_base64(GO_SEED).expect("32 bytes").0;
    let secret = SignerKey::from_seed("PeterNeumann", &seed).expect("a key");
    assert_eq!(secret.verifier(), key);
    assert_eq!(secret.sign(&note.text), note.signatures[0]);
    let keys = [key];
    assert_eq!(verify(&note, &keys), Ok(vec![&keys[0]]));
}

#[test]
fn keys_have_one_spelling() {
    let key = signer(ORIGIN, 1).verifier();
    let vkey = key.to_string();
    assert_eq!(VerifierKey::parse(&vkey), Ok(key.clone()));
    assert_eq!(key.public_key(), signer(ORIGIN, 1).public_key());
    let parse = |text: &str| VerifierKey::parse(text).expect_err("refused");

    let renamed = vkey.replacen("agentprov", "agentprow", 1);
    assert!(matches!(parse(&renamed), KeyError::IdMismatch { .. }));
    let id = format!("{:08x}", key.id());
    assert_eq!(parse(&vkey.replacen(&id, &id[1..], 1)), KeyError::Malformed);
    assert_eq!(parse(&vkey.replacen(&id, "+1234567", 1)), KeyError::Malformed);
    let upper = GO_VKEY.replacen("c74f20a3", "C74F20A3", 1);
    assert_eq!(parse(&upper), KeyError::Malformed);
    assert_eq!(parse("name"), KeyError::Malformed);
    assert_eq!(parse(&format!("{vkey}=")), KeyError::Malformed);
    assert_eq!(parse("name+00000000+"), KeyError::Malformed);
    assert_eq!(parse("name+00000000+AgAA"), KeyError::UnsupportedType(2));
    // The identity point: anyone can sign for it.
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = VerifierKey::new("name", KeyType::Ed25519, &weak);
    assert_eq!(weak, Err(KeyError::PublicKey));
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{1}", " a"] {
        let key = SignerKey::from_seed(name, &[1; 32]);
        assert_eq!(key.expect_err("refused"), KeyError::Name, "{name:?}");
    }
}

#[test]
fn types_of_one_key_have_different_ids() {
    let (log, witness) = (signer("same", 7), cosigner("same", 7));
    assert_eq!(log.public_key(), witness.public_key());
    assert_ne!(log.verifier().id(), witness.verifier().id());
    assert_eq!(witness.verifier().key_type(), KeyType::Cosignature);
    let vkey = witness.verifier().to_string();
    assert_eq!(VerifierKey::parse(&vkey), Ok(witness.verifier()));
}

#[test]
fn secrets_are_not_printed() {
    let seed = [0xa7; 32];
    let key = SignerKey::from_seed("name", &seed).expect("a key");
    let text = format!("{key:?} {key:#?} {:?}", cosigner("name", 0xa7));
    assert!(text.contains(&key.verifier().to_string()));
    for secret in ["a7a7", "A7A7", "167, 167", "p6en", "SigningKey"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn notes_are_strict() {
    let parse = |text: &str| SignedNote::parse(text).expect_err("refused");
    let line = signer("key", 1).sign("text\n").to_string();
    let note = format!("text\n\n{line}\n");
    assert!(SignedNote::parse(&note).is_ok());
    // The text may have empty lines; the last one of the note separates.
    let inner = SignedNote::parse(&format!("a\n\nb\n\n\n{line}\n")).expect("a note");
    assert_eq!(inner.text, "a\n\nb\n\n");

    assert_eq!(parse("text\n"), NoteError::Unsigned);
    assert_eq!(parse("text\n\n"), NoteError::Unsigned);
    let malformed = [
        String::new(),
        "text".to_owned(),
        format!("\n{line}\n"),
        format!("text\n\n{line}"),
        format!("text\n\n{line}\r\n"),
        format!("te\txt\n\n{line}\n"),
        format!("te\0xt\n\n{line}\n"),
        format!("text\n\n{line} \n"),
        format!("text\n\n {line}\n"),
        format!("text\n\n{line}\nmore\n"),
        format!("text\n\n{}\n", line.replacen('\u{2014}', "-", 1)),
        format!("text\n\n{}\n", line.replacen("key", "k+y", 1)),
        format!("text\n\n{}\n", line.replacen("key", "", 1)),
        format!("text\n\n{}\n", line.trim_end_matches('=')),
        "text\n\n\u{2014} key AAAAAA==\n".to_owned(),
        "text\n\n\u{2014} key\n".to_owned(),
        "x".repeat(MAX_NOTE_BYTES) + &note,
        format!("text\n\n{}", format!("{line}\n").repeat(MAX_SIGNATURES + 1)),
    ];
    for text in &malformed {
        let short: String = text.chars().take(80).collect();
        assert!(matches!(parse(text), NoteError::Malformed(_)), "{short:?}");
    }
    let most = format!("text\n\n{}", format!("{line}\n").repeat(MAX_SIGNATURES));
    let keys = [signer("key", 1).verifier(), signer("key", 1).verifier()];
    let most = SignedNote::parse(&most).expect("a note");
    assert_eq!(verify(&most, &keys).expect("verified").len(), 1);
}

#[test]
fn known_and_unknown_keys() {
    let (a, b, other) = (signer("a", 1), signer("b", 2), signer("a", 3));
    let text = "text\n".to_owned();
    let note = |signatures| SignedNote { text: text.clone(), signatures };
    let keys = [a.verifier(), b.verifier()];

    let both = note(vec![other.sign(&text), b.sign(&text), a.sign(&text)]);
    assert_eq!(verify(&both, &keys), Ok(vec![&keys[1], &keys[0]]));
    // The name alone does not make a key known.
    let unknown = note(vec![other.sign(&text)]);
    assert_eq!(verify(&unknown, &keys), Err(NoteError::NoKnownKey));
    assert_eq!(verify(&both, &[]), Err(NoteError::NoKnownKey));
    assert_eq!(verify(&note(vec![]), &keys), Err(NoteError::Unsigned));
    // A forged line of a known key spoils the note, even next to a good one.
    let forged = NoteSignature { signature: b.sign("other\n").signature, ..b.sign(&text) };
    assert_eq!(
        verify(&note(vec![a.sign(&text), forged]), &keys),
        Err(NoteError::InvalidSignature { name: "b".into() })
    );
    // One public key under two names is one key.
    let alias = signer("alias", 1);
    let twice = note(vec![a.sign(&text), alias.sign(&text)]);
    let names = [a.verifier(), alias.verifier()];
    assert_eq!(verify(&twice, &names).expect("verified").len(), 1);
}

#[test]
fn checkpoints_round_trip_and_are_strict() {
    let root = leaf_hash(b"root").to_base64();
    let text = checkpoint(20852163).to_note_text();
    assert_eq!(text, format!("{ORIGIN}\n20852163\n{root}\n"));
    assert_eq!(Checkpoint::parse(&text), Ok(checkpoint(20852163)));
    let extended = format!("{text}extension one\nextension two\n");
    let parsed = Checkpoint::parse(&extended).expect("a checkpoint");
    assert_eq!(parsed.extensions, ["extension one", "extension two"]);
    assert_eq!(parsed.to_note_text(), extended);
    for bad in [
        String::new(),
        "\n".to_owned(),
        text.trim_end().to_owned(),
        format!("\n5\n{root}\n"),
        format!("o\n05\n{root}\n"),
        format!("o\n+5\n{root}\n"),
        format!("o\n-5\n{root}\n"),
        format!("o\n\n{root}\n"),
        format!("o\n5 \n{root}\n"),
        format!("o\n{}\n{root}\n", MAX_SIZE + 1),
        "o\n5\n".to_owned(),
        "o\n5\nAAAA\n".to_owned(),
        format!("o\n5\n{root} \n"),
        format!("o\n5\n{root}\n\n"),
        format!("o\n5\n{root}\next\n\next\n"),
        format!("o\r\n5\n{root}\n"),
    ] {
        let parsed = Checkpoint::parse(&bad);
        assert!(matches!(parsed, Err(CheckpointError::Malformed(_))), "{bad:?}");
    }
    for origin in ["", "a\nb", "a\tb"] {
        assert!(Checkpoint::new(origin, 0, Hash([0; 32])).is_err());
    }
}

#[test]
fn checkpoint_verdicts_are_not_merged() {
    let key = signer(ORIGIN, 1);
    let keys = [key.verifier()];
    let note = checkpoint(5).sign(&key);
    let open = |note: &str| Checkpoint::open(note, Some(ORIGIN), &keys);
    assert_eq!(open(&note), Ok(checkpoint(5)));

    let text = checkpoint(5).to_note_text();
    assert_eq!(open(&text), Err(CheckpointError::Unsigned));
    assert_eq!(open(&format!("{text}\n")), Err(CheckpointError::Unsigned));
    let cut = format!("{ORIGIN}\n5\n");
    assert_eq!(open(&cut), Err(CheckpointError::Malformed("root hash")));
    let stranger = checkpoint(5).sign(&signer(ORIGIN, 2));
    assert_eq!(open(&stranger), Err(CheckpointError::NoKnownKey));
    let grown = note.replacen("\n5\n", "\n6\n", 1);
    let invalid = CheckpointError::InvalidSignature { name: ORIGIN.into() };
    assert_eq!(open(&grown), Err(invalid));
    let elsewhere = Checkpoint::open(&note, Some("elsewhere"), &keys);
    assert!(matches!(elsewhere, Err(CheckpointError::OriginMismatch { .. })));
    assert_eq!(Checkpoint::open(&note, None, &keys), Ok(checkpoint(5)));
    let no_checkpoint = SignedNote { text: "text\n".into(), signatures: vec![key.sign("text\n")] };
    let opened = open(&no_checkpoint.to_string());
    assert!(matches!(opened, Err(CheckpointError::Malformed(_))));

    // A witness does not stand in for the log.
    let witness = cosigner("witness", 9);
    let line = witness.cosign(&checkpoint(5), 1).expect("a cosignature");
    let cosigned = SignedNote { text, signatures: vec![line] }.to_string();
    let opened = Checkpoint::open(&cosigned, None, &[witness.verifier()]);
    assert_eq!(opened, Err(CheckpointError::NoKnownKey));
}

/// Changes every byte of a note in every bit, and says what comes of it.
#[test]
fn every_flipped_byte_is_noticed() {
    let (key, stranger) = (signer(ORIGIN, 1), signer("stranger", 2));
    let keys = [key.verifier()];
    let mut note = SignedNote::parse(&checkpoint(5).sign(&key)).expect("a note");
    note.signatures.push(stranger.sign(&note.text));
    let whole = note.to_string();
    let strangers_line = whole.rfind('\u{2014}').expect("two lines");
    let (mut flipped, mut ignored) = (0, 0);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            flipped += 1;
            match Checkpoint::open(&changed, Some(ORIGIN), &keys) {
                // Only a line of an unknown key may change, and what is believed does not.
                Ok(opened) => {
                    assert!(at > strangers_line, "byte {at}, bit {bit}");
                    assert_eq!(opened, checkpoint(5));
                    ignored += 1;
                }
                Err(CheckpointError::OriginMismatch { .. }) => panic!("unverified text was read"),
                Err(_) => {}
            }
        }
    }
    assert!(flipped > 1500 && ignored > 0, "{flipped} {ignored}");
}

#[test]
fn cosignatures_count_public_keys() {
    let (one, two, alias) = (cosigner("one", 1), cosigner("two", 2), cosigner("alias", 1));
    let keys = [one.verifier(), two.verifier(), alias.verifier()];
    let point = checkpoint(5);
    let mut note = SignedNote::parse(&point.sign(&signer(ORIGIN, 9))).expect("a note");
    let met = |note: &SignedNote, needed| cosign::quorum(note, &keys, needed).map(|w| w.len());
    let missed = |needed, found| Err(CosignError::QuorumNotMet { needed, found });
    assert_eq!(met(&note, 0), Ok(0));
    assert_eq!(met(&note, 1), missed(1, 0));
    for (key, time) in [(&one, 10), (&one, 30), (&alias, 20)] {
        note.signatures.push(key.cosign(&point, time).expect("a line"));
    }
    assert_eq!(met(&note, 2), missed(2, 1));
    let witnesses = cosign::cosigners(&note, &keys).expect("witnesses");
    assert_eq!((witnesses[0].key.name(), witnesses[0].time), ("one", 30));
    note.signatures.push(two.cosign(&point, MAX_TIME).expect("a line"));
    assert_eq!(met(&note, 2), Ok(2));
    assert_eq!(met(&note, 3), missed(3, 2));
    // A printed note still has them, and `verify` knows the type as well.
    let printed = SignedNote::parse(&note.to_string()).expect("a note");
    assert_eq!(met(&printed, 2), Ok(2));
    assert_eq!(verify(&printed, &keys).expect("verified").len(), 2);
    assert_eq!(one.cosign(&point, MAX_TIME + 1), Err(CosignError::Time(MAX_TIME + 1)));
}

#[test]
fn damaged_cosignatures_are_refused() {
    let witness = cosigner("witness", 1);
    let keys = [witness.verifier()];
    let text = checkpoint(5).to_note_text();
    let line = witness.cosign(&checkpoint(5), 1679315147).expect("a line");
    assert_eq!(line.signature.len(), 72);
    let check = |text: &str, signature: Vec<u8>| {
        let signatures = vec![NoteSignature { signature, ..line.clone() }];
        cosign::cosigners(&SignedNote { text: text.to_owned(), signatures }, &keys).map(|w| w[0].time)
    };
    let invalid = Err(CosignError::InvalidSignature { name: "witness".into() });
    assert_eq!(check(&text, line.signature.clone()), Ok(1679315147));
    for bit in 0..8 * line.signature.len() {
        let mut changed = line.signature.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(check(&text, changed), invalid, "bit {bit}");
    }
    for length in 0..line.signature.len() {
        assert_eq!(check(&text, line.signature[..length].to_vec()), invalid);
    }
    assert_eq!(check(&format!("{text}more\n"), line.signature.clone()), invalid);
    // A plain signature of the same key over the same message is no cosignature, nor the reverse.
    let plain = signer("witness", 1).sign(&format!("cosignature/v1\ntime 1679315147\n{text}"));
    assert_eq!(check(&text, plain.signature), invalid);
}
