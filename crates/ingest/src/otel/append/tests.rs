//! What it costs to find where records belong.

use super::{append, sort};
use crate::hooks::{carry, drain};
use crate::otel::{Record, Signal};
use agentprov_model::EventTime;
use agentprov_model::declared::Agent;
use agentprov_store::{Location, Store, command_key};
use serde_json::{Map, Value, json};

const AT: i64 = 1_700_000_000_000_000_000;
const RECORDS: i64 = 50;

fn now() -> EventTime {
    EventTime::from_nanos(AT + 60_000_000_000)
}

/// As many unrecorded sessions as named, each a run of its own, with one call of the last that its hook told of.
fn store_of(runs: i64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::create(Location::chosen(dir.path())).expect("a store");
    for number in 0..runs {
        let session = format!("s-{}", runs - number);
        let message = json!({"session_id": session, "cwd": "/", "hook_event_name": "PreToolUse", "tool_name": "Bash",
            "tool_input": {"command": "make"}, "tool_use_id": format!("toolu_{session}")});
        let at = EventTime::from_nanos(AT + number);
        carry(Agent::Claude, Some(dir.path()), message.to_string().as_bytes(), None, at).expect("it is kept");
    }
    drain(&store, now(), &|_| false).expect("it drains");
    (dir, store)
}

fn records(session: &str) -> Vec<Record> {
    let map = |value: Value| value.as_object().cloned().unwrap_or_else(Map::new);
    let record = |number: i64| Record {
        signal: Signal::Log { at: EventTime::from_nanos(AT + number) },
        name: "claude_code.tool_result".to_owned(),
        attributes: map(json!({"session.id": session, "tool_name": "Bash", "tool_use_id": format!("toolu_{number}")})),
        resource: map(json!({"service.name": "claude-code"})),
        trace: None,
        parent: None,
    };
    (0..RECORDS).map(record).collect()
}

fn look_ups(store: &Store, records: &[Record]) -> u64 {
    let reader = store.reader().expect("a reader");
    let key = command_key(store.dir()).expect("a key");
    sort(&reader, records, &key, now()).expect("they are sorted");
    reader.look_ups()
}

#[test]
fn a_session_is_looked_for_once_in_a_request_however_many_runs_there_are() {
    let (few, many) = (store_of(2), store_of(200));
    for (_, store) in [&few, &many] {
        // The session's run alone is asked: for the session once, and for the id of each record.
        assert!(look_ups(store, &records("s-1")) <= 1 + 2 * RECORDS as u64);
        assert_eq!(look_ups(store, &records("unheard-of")), 0, "no run tells of it");
    }
    assert_eq!(look_ups(&few.1, &records("s-1")), look_ups(&many.1, &records("s-1")));
    for session in ["s-1", "unheard-of"] {
        let told = records(session);
        let again = |added: u64| (added, RECORDS as u64 - added);
        for added in [RECORDS as u64, 0] {
            let done = append(&many.1, &told, now()).expect("they are kept");
            assert_eq!((done.added, done.known), again(added));
        }
    }
}
