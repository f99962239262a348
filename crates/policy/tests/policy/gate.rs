//! The gate: what it denies, what it leaves to the judge, and that the judge knows the difference.

use crate::facts::*;
use agentprov_capture::{Gate, Ruling};
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
