//! Many recordings from one file, and what they came to.

use crate::place::{Place, Said};
use serde_json::Value;

const JOBS: &str = r#"{"job_id":"a","shard_id":"s1","run_id":"one","command":["sh","-c","echo hello; echo x >made"]}

{"shard_id":"s2","run_id":"two","command":["sh","-c","exit 3"]}
{"command":["true"]}
{"command":["true"],"unknown":1}
{"run_id":"three","command":["no-such-program"]}
"#;

fn batch(place: &Place, jobs: &str, more: &[&str]) -> Said {
    let file = place.write("../jobs.jsonl", jobs).display().to_string();
    place.run([&["record", "batch", "--file", &file], more].concat())
}

fn items(document: &Value) -> &Vec<Value> {
    document["items"].as_array().expect("items")
}

#[test]
fn every_line_is_recorded_and_failures_do_not_stop_it() {
    let place = Place::new();
    let said = batch(&place, JOBS, &["--json"]).ok();
    let document = said.json();
    assert_eq!(document["schema_version"], "agentprovenance.record_batch/v1");
    assert_eq!([&document["job_count"], &document["passed"], &document["failed"]], [5, 2, 3]);
    assert_eq!(document["status_counts"]["failed"], 3);
    assert_eq!(document["shards"], serde_json::json!({"s1": 1}));
    assert!(said.stderr.contains("hello"), "what jobs print goes to standard error: {}", said.stderr);
    let [first, second, third, fourth, fifth] = &items(&document)[..] else { panic!("five items") };
    assert_eq!((&first["job_id"], &first["run_id"], &first["status"]), (&"a".into(), &"one".into(), &"passed".into()));
    assert_eq!(first["changed_files"], serde_json::json!(["made"]));
    assert_eq!((&second["job_id"], &second["exit_code"]), (&"job-000002".into(), &3.into()));
    assert!(third["run_id"].is_string() && third["error"].is_null(), "{third}");
    assert!(fourth["error"].as_str().expect("an error").contains("line 5") && fourth["run_id"].is_null(), "{fourth}");
    assert_eq!((&fifth["status"], &fifth["exit_code"]), (&"failed".into(), &127.into()));
    for item in [first, second, third] {
        let run = item["run_id"].as_str().expect("a run");
        place.run(["verify", run]).ok();
        let command = item["explain_command"].as_str().expect("a command");
        place.run(command.split(' ')).ok();
    }

    let id = document["batch_id"].as_str().expect("an id");
    let summary = place.run(["evidence", "batch-summary", "--batch", id, "--json"]).ok().json();
    assert_eq!(summary["schema_version"], "agentprovenance.record_batch_summary/v1");
    assert_eq!((&summary["batch_count"], &summary["item_count"]), (&1.into(), &5.into()));
    assert_eq!(summary["items"], document["items"]);
    let of_run = place.run(["evidence", "batch-summary", "--run", "two", "--latest", "--json"]).ok().json();
    assert_eq!((items(&of_run).len(), &of_run["failed"]), (1, &1.into()));
    let none = place.run(["evidence", "batch-summary", "--batch", "recbatch-0"]);
    assert_ne!(none.status, 0);
    assert!(none.stderr.contains(id), "{}", none.stderr);
}

#[test]
fn the_first_failure_ends_it_where_that_is_asked_for() {
    let place = Place::new();
    let said = batch(&place, JOBS, &["--continue-on-error=false", "--json"]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    let document = said.json();
    assert_eq!([&document["passed"], &document["failed"], &document["skipped"]], [1, 1, 3]);
    assert_eq!(document["run_ids"], serde_json::json!(["one"]));
}

#[test]
fn several_at_a_time_give_the_same() {
    let place = Place::new();
    let jobs: String =
        (0..12).map(|n| format!("{{\"run_id\":\"r{n}\",\"command\":[\"sh\",\"-c\",\"echo {n} >f{n}\"]}}\n")).collect();
    let document = batch(&place, &jobs, &["--concurrency", "4", "--json"]).ok().json();
    assert_eq!(document["passed"], 12);
    let order: Vec<u64> = items(&document).iter().map(|item| item["index"].as_u64().expect("an index")).collect();
    assert_eq!(order, (0..12).collect::<Vec<u64>>());
    place.run(["verify", "--all"]).ok();
}

#[test]
fn a_file_without_jobs_is_a_mistake() {
    let place = Place::new();
    let said = batch(&place, "\n", &[]);
    assert_ne!(said.status, 0);
    assert!(said.stderr.contains("there is no job in it") && said.stderr.contains("\"command\""), "{}", said.stderr);
}
