//! From the spool to the logs.

use agentprov_ingest::hooks::spool::count_lost;
use agentprov_ingest::hooks::{carry, drain};
use agentprov_model::declared::{Agent, Deed};
use agentprov_model::{Basis, EventTime, Fact, GapKind, RunId, Vantage, What};
use agentprov_store::{Location, Store};
use serde_json::json;
use std::path::Path;

const AT: i64 = 1_700_000_000_000_000_000;

fn speak(dir: &Path, number: i64) {
    let message = json!({"session_id": "s1", "cwd": "/", "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": format!("echo {number}")}, "tool_use_id": format!("toolu_{number}")});
    let at = EventTime::from_nanos(AT + number);
    carry(Agent::Claude, Some(dir), message.to_string().as_bytes(), None, at).expect("it is kept");
}

fn facts(store: &Store, run: &str) -> Vec<Fact> {
    let reader = store.reader().expect("a reader");
    let row = reader.run(&RunId::new(run).expect("a name")).expect("it answers").expect("the run is there");
    (0..row.size).map(|seq| reader.fact(row.no, seq).expect("the fact is there")).collect()
}

fn now() -> EventTime {
    EventTime::from_nanos(AT + 60_000_000_000)
}

#[test]
fn a_session_that_nobody_recorded_becomes_a_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::create(Location::chosen(dir.path())).expect("a store");
    (0..1_300).for_each(|number| speak(dir.path(), number));
    let drained = drain(&store, now(), &|_| false).expect("it drains");
    assert_eq!((drained.taken, drained.lost, drained.waiting), (1_300, 0, false));
    let facts = facts(&store, "claude-s1");
    assert_eq!(facts.len(), 1_300);
    for (number, fact) in (0i64..).zip(&facts) {
        assert_eq!((fact.vantage, fact.basis), (Vantage::Hook, Basis::Asserted));
        assert_eq!(fact.at, EventTime::from_nanos(AT + number));
        let What::Declared(declared) = &fact.what else { panic!("another fact: {fact:?}") };
        assert!(
            matches!(&declared.deed, Deed::CallStarted(start) if start.call.id.as_str() == format!("toolu_{number}"))
        );
        assert!(declared.anchor.is_some());
    }
    let again = drain(&store, now(), &|_| false).expect("it drains");
    assert_eq!(again.taken, 0, "nothing is taken twice");
}

#[test]
fn a_drain_that_died_before_it_gave_room_free_takes_nothing_twice() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::create(Location::chosen(dir.path())).expect("a store");
    (0..3).for_each(|number| speak(dir.path(), number));
    let spool = dir.path().join("hooks.spool");
    let before = std::fs::read(&spool).expect("the spool");
    drain(&store, now(), &|_| false).expect("it drains");
    std::fs::write(&spool, before).expect("the spool as it was before the drain");
    drain(&store, now(), &|_| false).expect("it drains");
    assert_eq!(facts(&store, "claude-s1").len(), 3);
}

#[test]
fn a_loss_becomes_a_fact_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::create(Location::chosen(dir.path())).expect("a store");
    speak(dir.path(), 0);
    count_lost(dir.path()).expect("it is counted");
    count_lost(dir.path()).expect("it is counted");
    assert_eq!(drain(&store, now(), &|_| false).expect("it drains").lost, 2);
    assert_eq!(drain(&store, now(), &|_| false).expect("it drains").lost, 0);
    let gaps: Vec<u64> = facts(&store, "claude-s1")
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Gap(gap) if gap.kind == GapKind::HooksLost => Some(gap.count),
            _ => None,
        })
        .collect();
    assert_eq!(gaps, [2]);
}
