//! Where a taint goes, and where it does not.

use crate::facts::*;
use agentprov_model::*;
use agentprov_policy::taint::{PipeEnds, PipeView};
use agentprov_policy::{RuleJudge, pack};
use std::collections::HashMap;
use std::sync::Arc;

struct Pipes(HashMap<u32, PipeEnds>);

impl PipeView for Pipes {
    fn ends(&self, process: &ProcessKey) -> PipeEnds {
        self.0.get(&process.pid).cloned().unwrap_or_default()
    }
}

/// Whether the last fact, a connection, is found to carry a secret out.
fn leaks(facts: &[Fact], pipes: HashMap<u32, PipeEnds>) -> bool {
    let rules = Arc::new(pack::default_rules().expect("the pack"));
    let mut judge = RuleJudge::new(rules, RuleMode::Detect).with_pipes(Box::new(Pipes(pipes)));
    let mut derived = Derivations::default();
    derived.judge(&mut judge, facts);
    let last = facts.last().expect("facts").id;
    let of_last = derived.decisions().into_iter().filter(|(_, decision)| decision.event == last);
    of_last.flat_map(|(_, decision)| &decision.matched).any(|matched| matched.rule == "secret_then_network")
}

fn out(at: i64, process: &ProcessKey) -> Fact {
    socket(at, process, NetworkOp::Connect, "203.0.113.9", 443)
}

/// A root with two children, all begun at second 1.
fn family() -> (ProcessKey, ProcessKey, ProcessKey, Vec<Fact>) {
    let (root, a, b) = (key(1), key(2), key(3));
    let facts = vec![bound(&root), started(1, &root, None), started(1, &a, Some(&root)), started(1, &b, Some(&root))];
    (root, a, b, facts)
}

fn with(facts: &[Fact], more: &[Fact]) -> Vec<Fact> {
    facts.iter().chain(more).cloned().collect()
}

#[test]
fn the_reader_of_a_secret_holds_it_and_its_neighbours_do_not() {
    let (root, a, b, facts) = family();
    let read = opened(2, &a, "/w/.env", Access::Read);
    let none = HashMap::new;
    assert!(leaks(&with(&facts, &[read.clone(), out(3, &a)]), none()));
    assert!(!leaks(&with(&facts, &[read.clone(), out(3, &b)]), none()));
    assert!(!leaks(&with(&facts, &[read.clone(), out(3, &root)]), none()));
    assert!(!leaks(&with(&facts, &[opened(2, &a, "/w/.env.example", Access::Read), out(3, &a)]), none()));
}

#[test]
fn it_goes_forward_in_event_time_only() {
    let (_, a, _, facts) = family();
    let read = opened(5, &a, "/w/.env", Access::Read);
    assert!(!leaks(&with(&facts, &[out(4, &a)]), HashMap::new()));
    // The connection was earlier, but is heard of later.
    assert!(!leaks(&with(&facts, &[read, out(4, &a)]), HashMap::new()));
}

#[test]
fn children_inherit_it() {
    let (_, a, _, facts) = family();
    let child = key(9);
    let read = opened(2, &a, "/w/.env", Access::Read);
    assert!(leaks(&with(&facts, &[read.clone(), started(3, &child, Some(&a)), out(4, &child)]), HashMap::new()));
    assert!(!leaks(
        &with(&facts, &[started(2, &child, Some(&a)), opened(3, &a, "/w/.env", Access::Read), out(4, &child)]),
        HashMap::new()
    ));
}

#[test]
fn it_crosses_files_and_follows_their_names() {
    let (_, a, b, facts) = family();
    let copied = [opened(2, &a, "/w/.env", Access::Read), opened(3, &a, "/tmp/x", Access::Write)];
    let read = |at, path| opened(at, &b, path, Access::Read);
    let facts = with(&facts, &copied);
    assert!(leaks(&with(&facts, &[read(4, "/tmp/x"), out(5, &b)]), HashMap::new()));
    assert!(!leaks(&with(&facts, &[read(4, "/tmp/y"), out(5, &b)]), HashMap::new()));
    let moved = with(&facts, &[renamed(4, &a, "/tmp/x", "/tmp/y")]);
    assert!(leaks(&with(&moved, &[read(5, "/tmp/y"), out(6, &b)]), HashMap::new()));
    assert!(!leaks(&with(&moved, &[read(5, "/tmp/x"), out(6, &b)]), HashMap::new()));
}

#[test]
fn it_crosses_a_pipeline() {
    let (_, a, b, facts) = family();
    let c = key(4);
    let facts = with(&facts, &[started(1, &c, None), opened(2, &a, "/w/.env", Access::Read)]);
    // a | b | c
    let pipes = || {
        HashMap::from([
            (2, PipeEnds { reads: vec![], writes: vec![70] }),
            (3, PipeEnds { reads: vec![70], writes: vec![71] }),
            (4, PipeEnds { reads: vec![71], writes: vec![] }),
        ])
    };
    assert!(leaks(&with(&facts, &[out(3, &b)]), pipes()));
    assert!(leaks(&with(&facts, &[out(3, &c)]), pipes()));
    assert!(!leaks(&with(&facts, &[out(3, &c)]), HashMap::new()));
    let upstream = HashMap::from([
        (2, PipeEnds { reads: vec![70], writes: vec![] }),
        (3, PipeEnds { reads: vec![], writes: vec![70] }),
    ]);
    assert!(!leaks(&with(&facts, &[out(3, &b)]), upstream));
}

#[test]
fn it_crosses_sockets_on_this_host() {
    let (_, a, b, facts) = family();
    let talk = [
        socket(1, &b, NetworkOp::Bind, "127.0.0.1", 9000),
        opened(2, &a, "/w/.env", Access::Read),
        socket(3, &a, NetworkOp::Connect, "127.0.0.1", 9000),
    ];
    assert!(leaks(&with(&facts, &with(&talk, &[out(4, &b)])), HashMap::new()));
    let other_port = [talk[0].clone(), talk[1].clone(), socket(3, &a, NetworkOp::Connect, "127.0.0.1", 9001)];
    assert!(!leaks(&with(&facts, &with(&other_port, &[out(4, &b)])), HashMap::new()));
}
