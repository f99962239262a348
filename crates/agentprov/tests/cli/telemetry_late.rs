//! A binding that comes after the events: they are listed, correlated and verified with the run that they came to.

use crate::place::Place;
use serde_json::Value;

const ROWS: &str = r#"{"time":"2026-03-01T00:00:07.123456789Z","rule":"x","priority":"Warning","output":"o","output_fields":{"evt.type":"connect","proc.pid":4242,"container.id":"3f2a1b4c5d6e","fd.name":"10.0.0.5:4444->169.254.169.254:80","fd.sip":"169.254.169.254","fd.sport":80}}
this is no JSON
{"process_exec":{"process":{"pid":4242,"binary":"/bin/cat","arguments":"notes.txt","docker":"3f2a1b4c5d6e"}},"time":"2026-03-01T00:00:08Z"}
{"source":"agentprov_ebpf","event_type":"file_open","path":"/home/u/.ssh/id_rsa","mode":"read","pid":4242,"timestamp":"2026-03-01T00:00:09Z","run_id":"fake"}
{"source":"agentprov_ebpf","event_type":"execve","argv":["ls"],"pid":999,"timestamp":"2026-03-01T00:00:09Z"}
"#;

/// Binds a pid to a tool call; gives how many events that resolved.
fn bind(place: &Place, pid: &str) -> String {
    let words = ["telemetry", "bind", "--run", "r", "--session", "s", "--attempt", "a", "--tool-call", "t"];
    let rest = ["--process", "p", "--started-at", "2026-03-01T00:00:00Z", "--pid", pid];
    let said = place.run(words.iter().chain(&rest)).ok().stdout;
    let resolved = said.split_whitespace().find_map(|word| word.strip_prefix("resolved="));
    resolved.unwrap_or_else(|| panic!("no count in {said}")).to_owned()
}

fn take_in(place: &Place, file: &str, extra: &[&str]) -> Value {
    let words = ["telemetry", "ingest-jsonl", "--file", file, "--json"];
    place.run(words.iter().chain(extra)).ok().json()
}

fn events(place: &Place, run: &str) -> Vec<Value> {
    let words = ["telemetry", "list", "--run", run, "--limit", "-1", "--json"];
    let document = place.run(words).ok().json();
    assert_eq!(document["schema_version"], "agentprovenance.telemetry_events/v1");
    document["events"].as_array().expect("events").clone()
}

#[test]
fn a_binding_that_comes_late_resolves_what_was_there() {
    let place = Place::new();
    place.write("rows.jsonl", ROWS);
    let report = take_in(&place, "rows.jsonl", &[]);
    assert_eq!(report["receiver_summary"]["unresolved"], 4);

    assert_eq!(bind(&place, "4242"), "3");
    let event = report["event_ids"][0].as_str().expect("an id");
    let correlations = place.run(["telemetry", "correlations", "--event", event, "--json"]).ok().json();
    let row = &correlations["correlations"][0];
    assert_eq!((&row["match"]["status"], &row["resolved_context"]["tool_call_id"]), (&"resolved".into(), &"t".into()));
    let listed = events(&place, "r");
    assert_eq!(listed.len(), 3, "they are listed with the run that they came to");
    assert!(listed.iter().all(|event| event["tool_call_id"] == "t"), "{listed:?}");
    let page = place.run(["telemetry", "list", "--run", "r", "--limit", "2", "--json"]).ok().json();
    let next = page["next_cursor"].as_str().expect("a cursor");
    let rest = place.run(["telemetry", "list", "--run", "r", "--limit", "2", "--cursor", next, "--json"]).ok().json();
    assert_eq!((&rest["event_count"], &rest["has_more"]), (&1.into(), &false.into()));
    assert_eq!(rest["events"][0]["id"], listed[2]["id"]);
    for run in place.run(["runs", "--json"]).ok().json()["runs"].as_array().expect("runs") {
        place.run(["verify", run["run_id"].as_str().expect("an id")]).ok();
    }
    // The same binding again binds nothing twice.
    bind(&place, "4242");
    assert_eq!(events(&place, "r").len(), 3);
    place.run(["fsck"]).ok();
}
