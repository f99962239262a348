//! Waivers count where a believed key signed all that they say, and nowhere else.

use agentprov_attest::Envelope;
use agentprov_log::{SignerKey, VerifierKey};
use agentprov_model::EventTime;
use agentprov_review::change::RepositoryId;
use agentprov_review::governance::{Refusal, Waiver, WaiverAction, WaiverFile, Waivers, Word};
use agentprov_review::{FindingId, Fingerprint, RuleId};
use serde_json::{Value, json};

/// 2026-03-01T12:00:00Z.
const NOON: i64 = 1_772_366_400;

pub(crate) fn key(seed: u8) -> SignerKey {
    SignerKey::from_seed("waivers", &[seed; 32]).unwrap()
}

pub(crate) fn finding(name: &str) -> FindingId {
    FindingId::of(&Fingerprint::of(&RuleId::from_static("r"), name, "x", 0))
}

pub(crate) fn home() -> RepositoryId {
    RepositoryId::Git("a".repeat(40))
}

pub(crate) fn waiver(action: WaiverAction, day: u8) -> Waiver {
    Waiver {
        finding: finding("a"),
        repository: home(),
        action,
        reason: "because".into(),
        by: "jo".into(),
        at: format!("2026-01-{day:02}T00:00:00.000000000Z"),
        until: Some("2026-03-01".into()),
    }
}

pub(crate) fn held(text: &str, keys: &[VerifierKey]) -> Waivers {
    held_at(text, keys, NOON)
}

fn held_at(text: &str, keys: &[VerifierKey], seconds: i64) -> Waivers {
    let words = WaiverFile::new(text.to_owned()).words(keys).unwrap();
    Waivers::active_at(words, Some(&home()), EventTime::from_nanos(seconds * 1_000_000_000))
}

fn refusal(waivers: &Waivers) -> Option<Refusal> {
    waivers.refused(&finding("a")).map(|refused| refused.why)
}

#[test]
fn a_signed_waiver_holds_through_its_last_day_in_its_repository() {
    let line = waiver(WaiverAction::Waive, 1).sign(&key(1)).unwrap();
    let keys = [key(1).verifier()];
    let found = held(&line, &keys);
    let known = found.get(&finding("a")).unwrap();
    assert_eq!((known.word.by.as_str(), known.signed_by.len()), ("jo", 64));
    assert!(found.get(&finding("b")).is_none() && found.all_refused().is_empty());
    // The last second of its last day, and the second after it.
    assert!(held_at(&line, &keys, 1_772_409_599).get(&finding("a")).is_some());
    let late = held_at(&line, &keys, 1_772_409_600);
    assert!(late.get(&finding("a")).is_none() && late.expired(&finding("a")).is_some());
}

#[test]
fn no_field_can_be_altered_after_it_was_signed() {
    let line = waiver(WaiverAction::Waive, 1).sign(&key(1)).unwrap();
    let envelope = Envelope::parse(line.as_bytes()).unwrap();
    let said: Value = serde_json::from_slice(&envelope.payload).unwrap();
    let others = [
        ("finding", json!(finding("b"))),
        ("repository", json!(format!("git:{}", "b".repeat(40)))),
        ("action", json!("suppress")),
        ("reason", json!("because it is")),
        ("by", json!("al")),
        ("at", json!("2026-02-01T00:00:00.000000000Z")),
        ("until", json!("2099-01-01")),
    ];
    // Every field is tried.
    assert_eq!(others.len(), said.as_object().unwrap().len());
    for (name, value) in others {
        let mut altered = said.clone();
        assert_ne!(altered[name], value);
        altered[name] = value;
        let payload = serde_json::to_vec(&serde_json::from_value::<Waiver>(altered).unwrap()).unwrap();
        let line = Envelope { payload, ..envelope.clone() }.to_json().unwrap();
        let found = held(&line, &[key(1).verifier()]);
        assert!(found.get(&finding("a")).is_none() && found.get(&finding("b")).is_none(), "{name}");
        assert_eq!(found.all_refused()[0].why, Refusal::InvalidSignature, "{name}");
        assert!(found.all_refused()[0].to_clear.contains("agentprov review"), "{name}");
    }
}

#[test]
fn no_byte_of_a_line_can_be_another() {
    let line = waiver(WaiverAction::Waive, 1).sign(&key(1)).unwrap();
    for at in 0..line.len() {
        for with in [b'A', b'b', b' ', b'"'] {
            let mut bytes = line.clone().into_bytes();
            if bytes[at] == with {
                continue;
            }
            bytes[at] = with;
            let altered = String::from_utf8(bytes).unwrap();
            let signed = matches!(Word::open(&altered, &[key(1).verifier()]), Ok(Word::Signed(_)));
            assert!(!signed, "byte {at} as {with}: {altered}");
        }
    }
    assert!(Word::open(&line[..line.len() - 1], &[key(1).verifier()]).is_err());
    let twice = line.replacen("{", "{\"payload\":\"e30=\",", 1);
    assert!(Word::open(&twice, &[key(1).verifier()]).is_err());
}

#[test]
fn what_is_unsigned_of_another_key_or_moved_clears_nothing_and_says_why() {
    let keys = [key(1).verifier()];
    let bare = waiver(WaiverAction::Suppress, 1);
    // As files were before waivers were signed, and with the signature taken off.
    let mut old = json!(bare);
    old.as_object_mut().unwrap().remove("repository");
    for unsigned in [old.to_string(), json!(bare).to_string()] {
        assert_eq!(refusal(&held(&unsigned, &keys)), Some(Refusal::Unsigned));
    }
    let mut stripped = Envelope::parse(bare.sign(&key(1)).unwrap().as_bytes()).unwrap();
    stripped.signatures.clear();
    assert_eq!(refusal(&held(&stripped.to_json().unwrap(), &keys)), Some(Refusal::Unsigned));
    let foreign = bare.sign(&key(2)).unwrap();
    assert_eq!(refusal(&held(&foreign, &keys)), Some(Refusal::UnknownKey));
    assert!(held(&foreign, &[key(2).verifier()]).get(&finding("a")).is_some());
    // A second signature, of whomever, is not what the store writes.
    let mut twice = Envelope::parse(bare.sign(&key(1)).unwrap().as_bytes()).unwrap();
    twice.add_signature(&key(2));
    assert_eq!(refusal(&held(&twice.to_json().unwrap(), &keys)), Some(Refusal::InvalidSignature));
    let other = Waiver { repository: RepositoryId::Posted("org/name".into()), ..bare.clone() };
    assert_eq!(refusal(&held(&other.sign(&key(1)).unwrap(), &keys)), Some(Refusal::OtherRepository));
    let words = WaiverFile::new(bare.sign(&key(1)).unwrap()).words(&keys).unwrap();
    let nowhere = Waivers::active_at(words, None, EventTime::from_nanos(NOON * 1_000_000_000));
    assert!(nowhere.get(&finding("a")).is_none());
    assert_eq!(refusal(&nowhere), Some(Refusal::UnknownRepository));
    // The payload of a waiver under another type is no waiver.
    let payload = serde_json::to_vec(&bare).unwrap();
    let typed = Envelope::sign("application/vnd.in-toto+json", payload, &key(1)).to_json().unwrap();
    assert_eq!(refusal(&held(&typed, &keys)), Some(Refusal::InvalidSignature));
    // Another spelling of the same signed waiver could hide something.
    let spaced = bare.sign(&key(1)).unwrap().replacen(':', ": ", 1);
    assert_eq!(refusal(&held(&spaced, &keys)), Some(Refusal::InvalidSignature));
    let more = json!({"finding": bare.finding, "action": "suppress", "by": "jo", "at": bare.at, "x": 1}).to_string();
    assert!(Word::open(&Envelope::sign(TYPE, more.into_bytes(), &key(1)).to_json().unwrap(), &keys).is_err());
    for garbage in ["", "{", "[]", "null", "{\"payloadType\":1}"] {
        assert!(Word::open(garbage, &keys).is_err(), "{garbage}");
    }
}

const TYPE: &str = agentprov_review::governance::WAIVER_TYPE;

#[test]
fn the_last_word_counts_wherever_it_stands() {
    let keys = [key(1).verifier()];
    let sign = |action, day| waiver(action, day).sign(&key(1)).unwrap();
    let (waive, reopen) = (sign(WaiverAction::Waive, 1), sign(WaiverAction::Reopen, 2));
    // An old line at the end of the file does not say it again.
    for text in [format!("{waive}\n{reopen}"), format!("{reopen}\n{waive}"), format!("{waive}\n{reopen}\n{waive}\n")] {
        assert!(held(&text, &keys).get(&finding("a")).is_none(), "{text}");
    }
    let again = sign(WaiverAction::Suppress, 3);
    assert!(held(&format!("{again}\n{waive}\n{reopen}"), &keys).get(&finding("a")).is_some());
    // A reopening counts whoever wrote it; it clears nothing.
    let unsigned = json!(waiver(WaiverAction::Reopen, 2)).to_string();
    let found = held(&format!("{waive}\n{unsigned}"), &keys);
    assert!(found.get(&finding("a")).is_none() && refusal(&found) == Some(Refusal::Unsigned));
    // But for one that is about another repository.
    let elsewhere = Waiver { repository: RepositoryId::Nowhere, ..waiver(WaiverAction::Reopen, 2) };
    assert!(held(&format!("{waive}\n{}", elsewhere.sign(&key(1)).unwrap()), &keys).get(&finding("a")).is_some());
    // A word that counts answers one that did not.
    let found = held(&format!("{unsigned}\n{again}"), &keys);
    assert!(found.get(&finding("a")).is_some() && found.all_refused().is_empty());
}

#[test]
fn a_signed_mistake_is_none_less() {
    let endless = Waiver { until: None, ..waiver(WaiverAction::Waive, 1) };
    let file = WaiverFile::new(format!("\n{}", endless.sign(&key(1)).unwrap()));
    let error = file.words(&[key(1).verifier()]).unwrap_err();
    assert_eq!(error.line, 2);
    assert!(error.why.contains("last day"), "{error}");
}
