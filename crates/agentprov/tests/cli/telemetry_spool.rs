//! Inputs that are queued first and taken in later.

use crate::place::{Place, Said};
use crate::telemetry::row;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn rows(prefix: &str, count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let rest = format!("\"event_type\":\"execve\",\"pid\":{},\"argv\":[\"true\"]", 100 + number % 1000);
        write!(text, "{}", row(&format!("{prefix}{number}"), number % 3000, &rest)).expect("it is text");
    }
    text
}

impl Place {
    fn spool(&self, arguments: &[&str]) -> Said {
        self.run([&["telemetry", "spool"], arguments].concat())
    }

    fn queue(&self, text: &str, more: &[&str]) -> Value {
        self.write("queued.jsonl", text);
        let fixed = ["queue", "--json", "--file", "queued.jsonl"];
        self.spool(&[&fixed[..], more].concat()).ok().json()["spool_batch"].clone()
    }

    fn spooled(&self) -> Vec<Value> {
        self.spool(&["list", "--json"]).ok().json()["batches"].as_array().expect("entries").clone()
    }

    fn statuses(&self) -> Vec<String> {
        self.spooled().iter().map(|entry| entry["status"].as_str().expect("a status").to_owned()).collect()
    }

    /// Counts of the losses that a run tells of.
    fn losses(&self, run: &str) -> Vec<Value> {
        let coverage = self.run(["observe", "coverage", "--run", run, "--json"]).ok().json();
        coverage["losses"].as_array().expect("losses").iter().map(|loss| loss["count"].clone()).collect()
    }

    fn spool_file(&self, entry: &Value, extension: &str) -> PathBuf {
        self.data_dir().join("spool").join(format!("{}.{extension}", entry["id"].as_str().expect("an id")))
    }
}

#[test]
fn what_is_queued_survives_its_file_and_is_taken_in_as_ingest_would() {
    let place = Place::new();
    let text = rows("a", 3) + "nonsense\n";
    let entry = place.queue(&text, &["--run", "R", "--tool-call", "T"]);
    for (key, value) in [("run_id", "R"), ("format", "auto"), ("status", "queued"), ("path", "queued.jsonl")] {
        assert_eq!(entry[key], value, "{key}");
    }
    assert_eq!((&entry["size_bytes"], &entry["attempts"]), (&text.len().into(), &0.into()));
    std::fs::remove_file(place.work().join("queued.jsonl")).expect("it is there");
    assert!(place.run(["telemetry", "list", "--run", "R"]).status != 0, "nothing was taken in yet");

    let said = place.spool(&["process", "--json"]).ok().json();
    let result = &said["result"];
    assert_eq!(said["schema_version"], "agentprovenance.telemetry_spool_process/v1");
    assert_eq!((&result["processed"], &result["failed"]), (&1.into(), &0.into()));
    assert_eq!(
        (&result["batches"][0]["ingested_count"], &result["batches"][0]["failed_count"]),
        (&3.into(), &1.into())
    );
    let events = place.events("R", &[]);
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["tool_call_id"] == "T"));
    assert_eq!(place.statuses(), ["processed"]);
    assert_eq!(place.spooled()[0]["ingest_batch_id"], result["batches"][0]["ingest_batch_id"]);
    assert!(!place.spool_file(&entry, "rows").exists(), "bytes go when they were taken in");

    // The same rows by the direct way are the same events.
    assert_eq!(place.ingest(&text, &["--run", "R", "--tool-call", "T"])["known"], 3);
    assert_eq!(place.spool(&["process", "--json"]).ok().json()["result"]["processed"], 0);
    place.run(["verify", "R"]).ok();
}

#[test]
fn the_oldest_goes_first_and_rules_judge_unless_told_otherwise() {
    let place = Place::new();
    let metadata =
        |id: &str| row(id, 6, "\"event_type\":\"network_connect\",\"dst_ip\":\"169.254.169.254\",\"dst_port\":80");
    place.queue(&metadata("a"), &["--run", "judged"]);
    place.queue(&metadata("b"), &["--run", "plain", "--no-policy"]);
    place.spool(&["process", "--limit", "1"]).ok();
    assert_eq!(place.statuses(), ["processed", "queued"]);
    place.spool(&["process", "--limit", "1"]).ok();
    assert_eq!(place.statuses(), ["processed", "processed"]);
    let risks = |run: &str| place.run(["security", "risks", "--run", run, "--json"]).ok().json();
    assert_eq!((&risks("judged")["count"], &risks("judged")["judging"]["state"]), (&1.into(), &"judged".into()));
    assert_eq!((&risks("plain")["count"], &risks("plain")["judging"]["state"]), (&0.into(), &"not_judged".into()));
}

#[test]
fn a_full_spool_refuses_by_name_and_has_room_again_when_processed() {
    let place = Place::new();
    for name in ["a", "b"] {
        place.queue(&rows(name, 1), &["--run", "R", "--max-queued", "2"]);
    }
    let queue = ["queue", "--file", "queued.jsonl", "--run", "R", "--max-queued", "2"];
    let said = place.spool(&queue);
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("telemetry_spool_queue_full: 2 of at most 2"), "{}", said.stderr);
    assert_eq!(place.statuses(), ["queued", "queued"]);
    place.spool(&["process"]).ok();
    place.spool(&queue).ok();
    assert_eq!(place.statuses(), ["processed", "processed", "queued"]);
}

#[test]
fn the_oldest_is_dropped_where_that_is_asked_for_and_the_run_says_what_it_lost() {
    let place = Place::new();
    let policy = ["--max-queued", "2", "--drop-policy", "drop_oldest"];
    for (name, count) in [("a", 3), ("b", 2)] {
        place.queue(&rows(name, count), &[&["--run", "R"][..], &policy].concat());
    }
    let fixed = ["queue", "--json", "--file", "queued.jsonl", "--run", "R"];
    place.write("queued.jsonl", rows("c", 1));
    let said = place.spool(&[&fixed[..], &policy].concat()).ok().json();
    assert_eq!(said["spool_batch"]["status"], "queued");
    let dropped = &said["dropped"][0];
    assert_eq!((&dropped["status"], &dropped["drop_reason"]), (&"dropped".into(), &"queue_limit".into()));
    assert_eq!(dropped["lost"]["rows"], 3);
    assert!(!place.spool_file(dropped, "rows").exists());
    assert_eq!(place.statuses(), ["dropped", "queued", "queued"]);

    place.spool(&["process"]).ok();
    assert_eq!(place.events("R", &[]).len(), 3, "what was dropped is not taken in");
    let coverage = place.run(["observe", "coverage", "--run", "R", "--json"]).ok().json();
    assert_eq!(place.losses("R"), [3], "the rows of one input, told once");
    let loss = &coverage["losses"][0];
    assert_eq!(loss["event_id"], place.spooled()[0]["lost"]["event_ids"][0]);
    let detail = loss["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("3 rows: queue_limit") && detail.contains(dropped["id"].as_str().expect("an id")),
        "{detail}"
    );
    place.run(["verify", "R"]).ok();
}

#[test]
fn what_failed_is_not_dropped_for_another_and_a_bound_of_zero_is_none() {
    let place = Place::new();
    let failing = place.queue(&rows("a", 1), &["--run", "R"]);
    std::fs::write(place.spool_file(&failing, "rows"), "other bytes").expect("the bytes can be changed");
    assert_eq!(place.spool(&["process"]).status, 1);
    let queue = ["queue", "--file", "queued.jsonl", "--drop-policy", "drop_oldest", "--max-queued"];
    let said = place.spool(&[&queue[..], &["1"]].concat());
    assert!(said.status == 1 && said.stderr.contains("telemetry_spool_queue_full: 1 of at most 1"), "{}", said.stderr);
    place.spool(&[&queue[..], &["0"]].concat()).ok();
    assert_eq!(place.statuses(), ["failed", "queued"]);
    let said = place.spool(&["queue", "--file", "queued.jsonl", "--drop-policy", "newest"]);
    assert!(said.status == 2 && said.stderr.contains("expected reject or drop_oldest"), "{}", said.stderr);
}

#[test]
fn a_loss_without_a_run_is_told_in_the_log_of_the_host_and_of_runs_that_were_open() {
    let place = Place::new();
    place.run(["telemetry", "bind", "--run", "open", "--tool-call", "T", "--pid", "1"]).ok();
    place.queue(&rows("a", 4), &[]);
    place.queue(&rows("b", 1), &["--max-queued", "1", "--drop-policy", "drop_oldest"]);
    assert_eq!(place.losses("open"), [4]);
    let runs = place.run(["runs", "--json"]).ok().json().to_string();
    let ambient = runs.split('"').find(|word| word.starts_with("ambient/") && word.ends_with("/auto"));
    assert_eq!(place.losses(ambient.expect("a log of the host")), [4]);
}

#[test]
fn a_loss_that_could_not_be_told_is_told_by_the_next_that_can() {
    let place = Place::new();
    let entry = place.queue(&rows("a", 2), &["--run", "R"]);
    let state = place.spool_file(&entry, "json");
    let text = std::fs::read_to_string(&state).expect("the entry");
    let killed = "\"status\":\"dropped\",\"drop_reason\":\"queue_limit\",\"lost\":{\"rows\":2}";
    std::fs::write(&state, text.replace("\"status\":\"queued\"", killed)).expect("the entry is changed");
    for _ in 0..2 {
        assert_eq!(place.spool(&["process", "--json"]).ok().json()["result"]["processed"], 0);
        assert_eq!(place.losses("R"), [2], "once, however often it is processed");
    }
    assert!(!place.spool_file(&entry, "rows").exists(), "the bytes went as well");
}

#[test]
fn a_failed_one_keeps_its_error_stops_no_other_and_can_be_retried_or_dropped() {
    let place = Place::new();
    let first = place.queue(&rows("a", 2), &["--run", "R"]);
    place.queue(&rows("b", 2), &["--run", "R"]);
    let bytes = place.spool_file(&first, "rows");
    std::fs::write(&bytes, rows("forged", 2)).expect("the bytes can be changed");
    let said = place.spool(&["process", "--json"]);
    assert_eq!(said.status, 1);
    let result = said.json()["result"].clone();
    assert_eq!((&result["processed"], &result["failed"]), (&1.into(), &1.into()));
    assert!(result["errors"][0].as_str().expect("an error").contains("was queued"), "{result}");
    assert_eq!(place.statuses(), ["failed", "processed"]);
    assert_eq!(place.events("R", &[]).len(), 2, "nothing of the forged rows came in");

    let id = first["id"].as_str().expect("an id");
    std::fs::write(&bytes, rows("a", 2)).expect("the bytes can be put back");
    place.spool(&["retry", id]).ok();
    assert_eq!(place.spool(&["retry", id]).status, 1, "only a failed one is retried");
    place.spool(&["process"]).ok();
    assert_eq!((place.statuses()[0].as_str(), place.events("R", &[]).len()), ("processed", 4));

    let lost = place.queue(&rows("c", 1), &["--run", "R"]);
    std::fs::remove_file(place.spool_file(&lost, "rows")).expect("it is there");
    assert_eq!(place.spool(&["process"]).status, 1);
    place.spool(&["drop", lost["id"].as_str().expect("an id"), "--reason", "gone"]).ok();
    let entry = &place.spooled()[2];
    assert_eq!((&entry["status"], &entry["drop_reason"]), (&"dropped".into(), &"gone".into()));
    let coverage = place.run(["observe", "coverage", "--run", "R", "--json"]).ok().json();
    assert!(coverage["losses"][0]["detail"].as_str().is_some_and(|text| text.contains("unknown number of rows: gone")));
    for name in ["../../etc/passwd", "spool_../x", "spool_0"] {
        let said = place.spool(&["retry", name]);
        assert!(said.status == 1 && said.stderr.contains("there is no spooled input"), "{}", said.stderr);
    }
}

#[test]
fn one_that_was_killed_over_is_taken_up_again_and_nothing_doubles() {
    const ROWS: usize = 6000;
    let place = Place::new();
    let entry = place.queue(&rows("k", ROWS), &["--run", "R", "--no-policy"]);
    let state = place.spool_file(&entry, "json");
    let mut command = place.command(["telemetry", "spool", "process"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let begun = Instant::now();
    while !std::fs::read_to_string(&state).expect("the entry is there").contains("\"processing\"") {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert_eq!(place.statuses(), ["processing"], "it was killed in the middle");
    let said = place.spool(&["process", "--json"]).ok().json();
    assert_eq!(said["result"]["batches"][0]["ingested_count"], ROWS);
    assert_eq!(place.spooled()[0]["attempts"], 2);
    assert_eq!(place.statuses(), ["processed"]);
    assert_eq!(place.events("R", &[]).len(), ROWS);
    assert!(!place.spool_file(&entry, "rows").exists());
    place.run(["verify", "R"]).ok();
}

#[test]
fn two_do_not_process_at_a_time() {
    let place = Place::new();
    place.queue(&rows("a", 1), &["--run", "R"]);
    let lock = std::fs::File::create(place.data_dir().join("spool/processing.lock")).expect("a lock file");
    lock.lock().expect("it is free");
    let said = place.spool(&["process"]);
    assert!(said.status == 1 && said.stderr.contains("another process takes"), "{}", said.stderr);
    assert_eq!(place.statuses(), ["queued"]);
    lock.unlock().expect("it was locked");
    place.spool(&["process"]).ok();
    assert_eq!(place.statuses(), ["processed"]);
}

#[test]
fn bytes_without_an_entry_are_removed_and_one_given_up_too_often_fails() {
    let place = Place::new();
    let entry = place.queue(&rows("a", 1), &["--run", "R"]);
    let orphan = place.data_dir().join("spool/spool_0000000000000000001.rows");
    std::fs::write(&orphan, "left by a killed writer").expect("a file");
    place.queue(&rows("b", 1), &["--run", "R"]);
    assert!(!orphan.exists());
    let state = place.spool_file(&entry, "json");
    let text = std::fs::read_to_string(&state).expect("the entry");
    let text = text.replace("\"queued\"", "\"processing\"").replace("\"attempts\":0", "\"attempts\":5");
    std::fs::write(&state, text).expect("the entry is changed");
    let said = place.spool(&["process"]);
    assert!(said.status == 1 && said.stderr.contains("5 processes ended in the middle"), "{}", said.stderr);
    assert_eq!(place.statuses(), ["failed", "processed"]);
    place.spool(&["retry", entry["id"].as_str().expect("an id")]).ok();
    place.spool(&["process"]).ok();
    assert_eq!(place.events("R", &[]).len(), 2);
}
