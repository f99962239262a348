//! Facts in, linked facts out.

use crate::facts::*;
use agentprov_model::*;
use agentprov_policy::{RuleJudge, load, pack};
use std::sync::Arc;

fn judge(mode: RuleMode) -> RuleJudge {
    RuleJudge::new(Arc::new(pack::default_rules().expect("the pack")), mode)
}

#[test]
fn decision_risk_and_response_are_linked() {
    let root = key(100);
    let connect = socket(2, &root, NetworkOp::Connect, "169.254.169.254", 80);
    let mut derived = Derivations::default();
    derived.judge(&mut judge(RuleMode::Detect), &[bound(&root), started(1, &root, None), connect.clone()]);
    let [(decision_id, decision)] = derived.decisions()[..] else { panic!("one decision") };
    let [(risk_id, risk)] = derived.risks()[..] else { panic!("one risk") };
    let [(_, response)] = derived.responses()[..] else { panic!("one response") };
    assert_eq!((decision.event, decision.rule.as_str()), (connect.id, "metadata_ip_dst"));
    assert_eq!((decision.verdict, decision.intended), (Verdict::Audit, Verdict::Quarantine));
    assert_eq!(decision.ruleset, pack::default_rules().expect("the pack").digest());
    assert_eq!(decision.object.as_str(), Some("169.254.169.254:80"));
    assert_eq!((risk.decision, risk.event, risk.severity), (decision_id, connect.id, Severity::High));
    assert_eq!((response.risk, response.decision), (risk_id, decision_id));
    assert_eq!((response.action, response.state), (ResponseKind::Audit, ResponseState::Confirmed));
    assert!(response.evidence.contains("not acted on"), "{}", response.evidence);
    assert!(derived.all.iter().all(|(_, derived)| derived.process == Some(root.id())));
}

#[test]
fn every_event_is_decided_and_a_risk_is_raised_once() {
    let root = key(100);
    let other = key(101);
    let connect = |at, process: &ProcessKey, ip| socket(at, process, NetworkOp::Connect, ip, 443);
    let facts = [
        bound(&root),
        started(1, &root, None),
        started(1, &other, Some(&root)),
        connect(2, &root, "10.0.0.1"),
        connect(3, &root, "10.0.0.1"),
        connect(4, &root, "10.0.0.2"),
        connect(5, &other, "10.0.0.1"),
    ];
    let mut derived = Derivations::default();
    derived.judge(&mut judge(RuleMode::Detect), &facts);
    assert_eq!((derived.decisions().len(), derived.risks().len()), (4, 3));
}

#[test]
fn what_no_rule_speaks_against_leaves_nothing() {
    let root = key(100);
    let facts = [bound(&root), started(1, &root, None), opened(2, &root, "/w/readme.md", Access::Read)];
    let mut derived = Derivations::default();
    derived.judge(&mut judge(RuleMode::Enforce), &facts);
    assert!(derived.all.is_empty());
}

#[test]
fn in_detect_mode_nothing_is_asked_for() {
    let root = key(100);
    let facts = [bound(&root), started(1, &root, None), opened(2, &root, "/w/.env", Access::Read)];
    let mut derived = Derivations::default();
    derived.judge(&mut judge(RuleMode::Detect), &facts);
    assert!(derived.responses().iter().all(|(_, step)| step.action == ResponseKind::Audit));
    let mut enforced = Derivations::default();
    enforced.judge(&mut judge(RuleMode::Enforce), &facts);
    let (states, evidence) = enforced.course(ResponseKind::Kill);
    assert_eq!(states, [ResponseState::Requested, ResponseState::Unsupported], "{evidence}");
    assert_eq!(enforced.course(ResponseKind::Taint).0, [ResponseState::Requested, ResponseState::Confirmed]);
}

#[test]
fn a_call_that_was_not_held_is_not_called_denied() {
    let root = key(100);
    let facts = [bound(&root), started(1, &root, None), socket(2, &root, NetworkOp::Connect, "10.0.0.1", 1)];
    let mut derived = Derivations::default();
    derived.judge(&mut judge(RuleMode::Enforce), &facts);
    assert_eq!(derived.course(ResponseKind::Deny).0, [ResponseState::Requested, ResponseState::Unsupported]);
}

#[test]
fn ancestors_and_users_are_known_to_rules() {
    let text =
        "rules:\n  - id: a\n    match: {event_type: file_open, ancestor: npm*, user: 1000}\n    decision: audit\n";
    let rules = Arc::new(load::from_text("r", text).expect("loads"));
    let (root, child) = (key(100), key(101));
    let exec = ProcessExec {
        generation: 1,
        path: None,
        exe: Some("/usr/bin/npm-cli".into()),
        argv: vec!["x".into()],
        argv_cut: None,
        cwd: None,
        result: CallResult::Ok(0),
        commands: Vec::new(),
        trace: None,
    };
    let setuid =
        PrivilegeCall { call: "setuid".into(), args: vec![("uid".into(), "1000".into())], result: CallResult::Ok(0) };
    let facts = [
        bound(&root),
        started(1, &root, None),
        fact(2, Some(&root), What::ProcessExec(exec)),
        fact(3, Some(&root), What::Privilege(setuid)),
        opened(4, &root, "/w/a", Access::Read),
        started(5, &child, Some(&root)),
        opened(6, &child, "/w/a", Access::Read),
    ];
    let mut derived = Derivations::default();
    derived.judge(&mut RuleJudge::new(rules, RuleMode::Detect), &facts);
    let [(_, decision)] = derived.decisions()[..] else { panic!("only the child has npm above it") };
    assert_eq!(decision.event, facts[6].id);
}
