//! The gate: what it denies, what it leaves to the judge, and that the judge knows the difference.

use crate::facts::*;
use agentprov_capture::{Gate, Opens, Ruling};
use agentprov_model::*;
use agentprov_policy::{Denied, RuleGate, RuleJudge, load};
use std::sync::Arc;

const RULES: &str = "
rules:
  - id: metadata
    match: {class: metadata}
    decision: deny
  - id: by_ancestor
    match: {cidr: 203.0.113.0/24, ancestor: npm}
    decision: deny
  - id: watched
    match: {cidr: 198.51.100.0/24}
    decision: deny
    mode: detect
";

fn address(ip: &str) -> SocketAddress {
    SocketAddress::Ip { ip: ip.parse().expect("an address"), port: 80 }
}

fn connect(at: i64, process: &ProcessKey, ip: &str, result: CallResult) -> Fact {
    let call = NetworkCall { op: NetworkOp::Connect, address: address(ip), result };
    fact(at, Some(process), What::Network(call))
}

#[test]
fn only_what_is_enforced_and_known_beforehand_is_denied() {
    let rules = load::from_text("r", RULES).expect("loads");
    let gate = RuleGate::new(&rules, Denied::default()).expect("compiles");
    let process = Some(key(1).id());
    for (ip, ruling) in [
        ("169.254.169.254", Ruling::Deny),
        ("::ffff:169.254.169.254", Ruling::Deny),
        ("203.0.113.1", Ruling::Allow),
        ("198.51.100.1", Ruling::Allow),
        ("127.0.0.1", Ruling::Allow),
    ] {
        assert_eq!(gate.connect(process, &address(ip)), ruling, "{ip}");
    }
    assert_eq!(gate.connect(process, &SocketAddress::Unreadable), Ruling::Allow);
}

#[test]
fn a_deny_is_confirmed_only_where_the_gate_denied_that_call() {
    let rules = Arc::new(load::from_text("r", RULES).expect("loads"));
    let denied = Denied::default();
    let gate = RuleGate::new(&rules, denied.clone()).expect("compiles");
    let (root, other) = (key(1), key(2));
    assert_eq!(gate.connect(Some(root.id()), &address("169.254.169.254")), Ruling::Deny);
    let course = |process: &ProcessKey, result| {
        let mut judge = RuleJudge::new(Arc::clone(&rules), RuleMode::Enforce).with_denied(denied.clone());
        let mut derived = Derivations::default();
        let facts = [bound(process), started(1, process, None), connect(2, process, "169.254.169.254", result)];
        derived.judge(&mut judge, &facts);
        derived.course(ResponseKind::Deny).0
    };
    let eperm = CallResult::Errno(errno::EPERM);
    assert_eq!(course(&root, eperm), [ResponseState::Requested, ResponseState::Confirmed]);
    assert_eq!(course(&root, CallResult::Ok(0)), [ResponseState::Requested, ResponseState::Unsupported]);
    assert_eq!(course(&other, eperm), [ResponseState::Requested, ResponseState::Unsupported]);
}

fn open(path: &str, access: Access, result: CallResult) -> FileOpened {
    FileOpened { path: path.into(), given: None, access, create: false, truncate: false, result }
}

#[test]
fn only_opens_that_a_rule_can_deny_are_held() {
    for (conditions, wanted) in [
        ("{class: metadata}", Opens::None),
        ("{argv: pip install}", Opens::None),
        ("{cidr: 10.0.0.0/8, path: /x}", Opens::None),
        ("{event_type: execve}", Opens::None),
        ("{args_regex: mount}", Opens::None),
        ("{path: .ssh/authorized_keys, access: write}", Opens::Changing),
        ("{any: [{path: /a, access: write}, {argv: crontab}]}", Opens::Changing),
        ("{path: /a, ancestor: npm}", Opens::None),
        ("{class: secret}", Opens::All),
        ("{class: [metadata, secret], access: read}", Opens::All),
        ("{path: /a}", Opens::All),
    ] {
        let gate = |rest: &str| {
            let text = format!("rules:\n  - id: r\n    match: {conditions}\n{rest}");
            let rules = load::from_text("r", &text).expect("loads");
            RuleGate::new(&rules, Denied::default()).expect("compiles").opens()
        };
        assert_eq!(gate("    decision: deny\n"), wanted, "{conditions}");
        assert_eq!(gate("    decision: kill\n"), wanted, "{conditions}");
        assert_eq!(gate("    decision: audit\n"), Opens::None, "{conditions}");
        assert_eq!(gate("    decision: deny\n    mode: detect\n"), Opens::None, "{conditions}");
    }
}

#[test]
fn a_denied_open_is_confirmed_and_another_failure_is_not() {
    let text = "rules:\n  - id: keys\n    match: {path: .ssh/authorized_keys, access: write}\n    decision: deny\n";
    let rules = Arc::new(load::from_text("r", text).expect("loads"));
    let denied = Denied::default();
    let gate = RuleGate::new(&rules, denied.clone()).expect("compiles");
    let (asker, other) = (key(1), key(2));
    let keys = "/home/u/.ssh/authorized_keys";
    let ask = |path, access| gate.open(Some(asker.id()), &open(path, access, CallResult::Unknown));
    assert_eq!(ask(keys, Access::Read), Ruling::Allow);
    assert_eq!(ask("/home/u/.ssh/config", Access::Write), Ruling::Allow);
    assert_eq!(ask(keys, Access::Write), Ruling::Deny);
    let course = |process: &ProcessKey, result| {
        let mut judge = RuleJudge::new(Arc::clone(&rules), RuleMode::Enforce).with_denied(denied.clone());
        let mut derived = Derivations::default();
        let opened = fact(2, Some(process), What::FileOpened(open(keys, Access::Write, result)));
        derived.judge(&mut judge, &[bound(process), started(1, process, None), opened]);
        derived.course(ResponseKind::Deny)
    };
    let eperm = CallResult::Errno(errno::EPERM);
    assert_eq!(course(&asker, eperm).0, [ResponseState::Requested, ResponseState::Confirmed]);
    for (process, result) in [(&asker, CallResult::Ok(3)), (&other, eperm)] {
        let (states, evidence) = course(process, result);
        assert_eq!(states, [ResponseState::Requested, ResponseState::Unsupported]);
        assert!(evidence.starts_with("best_effort"), "{evidence}");
    }
}
