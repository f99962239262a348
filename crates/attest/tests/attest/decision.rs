//! A decision as a statement: what it is about, and what a second computation has to agree on.

use crate::{signer, trust};
use agentprov_attest::decision::{ChangedBlob, DecisionSubjects, Digests, Outcome, Pinned, Reason, Tool, differences};
use agentprov_attest::envelope::IN_TOTO;
use agentprov_attest::{Algorithm, Decision, DecisionStatement, Envelope, Statement, StatementError, verify};
use agentprov_model::ContentId;
use serde_json::{Value, json};

const HEAD: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn decision() -> Decision {
    let digest = |byte| ContentId::from_bytes([byte; 32]);
    let reason = Reason {
        code: "severity".into(),
        outcome: Outcome::Warn,
        count: 1,
        threshold: Some(1),
        message: "1 high finding".into(),
        to_clear: None,
        evidence: vec!["fd_1".into()],
    };
    Decision {
        decision_id: "pd_1".into(),
        analysis_id: "an_1".into(),
        repository: "org/name".into(),
        pr_number: Some("7".into()),
        base_commit: "a".repeat(40),
        head_commit: HEAD.into(),
        decided_at: "2027-01-15T08:00:00Z".into(),
        outcome: Outcome::Warn,
        rationale: "1 high finding".into(),
        reasons: vec![reason],
        risk_summary: json!({"findings_total": 1}),
        gaps: vec![],
        policy_version: "v1".into(),
        settings: json!({}),
        digests: Digests {
            inputs: digest(1),
            lines: digest(2),
            findings: digest(3),
            policy: digest(4),
            rules: digest(5),
        },
        detectors: vec![Pinned { name: "agentprov".into(), version: Some("0.1.0".into()), sha256: Some(digest(5)) }],
        tool: Tool {
            name: "agentprov".into(),
            version: "0.1.0".into(),
            argv: vec!["agentprov".into(), "review".into()],
        },
    }
}

fn statement() -> DecisionStatement {
    let subjects = DecisionSubjects {
        repository: "org/name".into(),
        commit: HEAD.into(),
        tree: Some("c".repeat(40)),
        blobs: vec![ChangedBlob { path: "a.py".into(), git: None, sha256: ContentId::from_bytes([9; 32]) }],
    };
    Statement { subjects: subjects.to_subjects().unwrap(), predicate: decision() }
}

#[test]
fn it_survives_the_envelope() {
    let envelope = Envelope::sign(IN_TOTO, statement().to_bytes().unwrap(), &signer(1));
    let verified = verify(&envelope, &trust(&[1], 1), &[IN_TOTO]).unwrap();
    let read = DecisionStatement::parse(&verified.payload).unwrap();
    assert_eq!(read, statement());
    assert!(read.is_about_its_head());
    assert_eq!(read.with(Algorithm::GitTree).count(), 1);
    let wire: Value = serde_json::from_slice(&verified.payload).unwrap();
    assert_eq!(wire["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(wire["subject"][0]["digest"]["gitCommit"], HEAD);
    assert_eq!(wire["predicate"]["headCommit"], HEAD);
}

#[test]
fn another_commit_than_the_predicates_is_noticed() {
    let mut other = statement();
    other.predicate.head_commit = "d".repeat(40);
    assert!(!other.is_about_its_head());
}

#[test]
fn statements_are_read_strictly() {
    let text = String::from_utf8(statement().to_bytes().unwrap()).unwrap();
    let parse = |text: &str| DecisionStatement::parse(text.as_bytes()).unwrap_err();
    assert!(matches!(parse(&text.replace("Statement/v1", "Statement/v0.1")), StatementError::Type(_)));
    assert!(matches!(parse(&text.replace("decision/v1", "decision/v2")), StatementError::PredicateType { .. }));
    assert!(matches!(parse(&text.replace(HEAD, "nothex")), StatementError::Shape(_)));
    assert!(matches!(parse(&format!("{text}\n{text}")), StatementError::Json(_)));
    assert!(matches!(parse(&text.replacen('{', "{\"predicate\":{},", 1)), StatementError::Json(_)));
    let mut wire: Value = serde_json::from_str(&text).unwrap();
    wire["subject"] = json!([]);
    assert_eq!(parse(&wire.to_string()), StatementError::NoSubject);
    assert_eq!(Statement { subjects: vec![], predicate: decision() }.to_bytes(), Err(StatementError::NoSubject));
}

#[test]
fn a_second_computation_has_to_agree() {
    assert_eq!(differences(&decision(), &decision()), Vec::<String>::new());
    let mut softer = decision();
    softer.outcome = Outcome::Allow;
    softer.digests.findings = ContentId::from_bytes([0; 32]);
    let found = differences(&softer, &decision());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].contains("signed allow, computed warn"));
    let mut other = decision();
    other.risk_summary["added"] = json!("one");
    other.reasons.clear();
    let found = differences(&other, &decision());
    assert!(found.contains(&"risk summary, added: signed \"one\", computed nothing".to_owned()), "{found:?}");
    let reasons = found.iter().filter(|line| line.starts_with("reason only computed: ")).count();
    assert_eq!((reasons, found.len()), (decision().reasons.len(), 1 + decision().reasons.len()), "{found:?}");
    // What reads alike is not the same.
    for (one, two) in
        [(json!({"n": "5"}), json!({"n": 5})), (json!({"n": "nothing"}), json!({})), (json!(1), json!({}))]
    {
        let (mut signed, mut computed) = (decision(), decision());
        (signed.risk_summary, computed.risk_summary) = (one, two);
        assert_eq!(differences(&signed, &computed).len(), 1);
    }
    let mut doubled = decision();
    doubled.reasons.extend(decision().reasons);
    assert_eq!(differences(&doubled, &decision()), ["the reasons stand in another order, or more than once"]);
    // When and under which id it was decided is no difference.
    let mut later = decision();
    later.decided_at = "2028-01-01T00:00:00Z".into();
    later.decision_id = "pd_2".into();
    assert!(differences(&later, &decision()).is_empty());
}
