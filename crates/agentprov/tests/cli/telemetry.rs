//! What sensors saw, from their rows to facts that are bound, judged and verified.

use crate::place::{Place, Said};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

const ROWS: &str = r#"{"time":"2026-03-01T00:00:07.123456789Z","rule":"x","priority":"Warning","output":"o","output_fields":{"evt.type":"connect","proc.pid":4242,"container.id":"3f2a1b4c5d6e","fd.name":"10.0.0.5:4444->169.254.169.254:80","fd.sip":"169.254.169.254","fd.sport":80}}
this is no JSON
{"process_exec":{"process":{"pid":4242,"binary":"/bin/cat","arguments":"notes.txt","docker":"3f2a1b4c5d6e"}},"time":"2026-03-01T00:00:08Z"}
{"source":"agentprov_ebpf","event_type":"file_open","path":"/home/u/.ssh/id_rsa","mode":"read","pid":4242,"timestamp":"2026-03-01T00:00:09Z","run_id":"fake"}
{"source":"agentprov_ebpf","event_type":"execve","argv":["ls"],"pid":999,"timestamp":"2026-03-01T00:00:09Z"}
"#;

fn bind(place: &Place, extra: &[&str]) -> Value {
    let words = ["telemetry", "bind", "--run", "r", "--session", "s", "--attempt", "a", "--tool-call", "t"];
    let rest = ["--process", "p", "--started-at", "2026-03-01T00:00:00Z", "--json"];
    place.run(words.iter().chain(&rest).chain(extra)).ok().json()
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
fn rows_become_bound_and_judged_facts_and_each_has_a_result() {
    let place = Place::new();
    bind(&place, &["--container-id", "3f2a1b4c5d6e", "--pid", "4242"]);
    place.write("rows.jsonl", ROWS);
    let report = take_in(&place, "rows.jsonl", &[]);
    assert_eq!((&report["read"], &report["ingested"], &report["failed"]), (&5.into(), &4.into(), &1.into()));
    let lines: Vec<u64> = report["row_results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|row| row["line"].as_u64().expect("a line"))
        .collect();
    assert_eq!(lines, [1, 2, 3, 4, 5], "no line without a result");
    let row = |line: usize| &report["row_results"][line - 1];
    assert_eq!(row(2)["status"], "failed");
    assert_eq!(row(4)["context_dropped"][0], "run_id", "context inside a row is named");
    assert_eq!(row(4)["run_id"], "r", "and not believed");
    assert_eq!(row(5)["correlation_method"].as_str().map(|method| method.starts_with("unresolved")), Some(true));
    assert_eq!(report["receiver_summary"]["detected_formats"]["falco"], 1);
    assert!(report["policy_decisions"].as_u64().expect("a count") >= 2, "{report:#}");

    let types: Vec<&str> = {
        let listed = events(&place, "r");
        assert!(listed.iter().all(|event| event["tool_call_id"] == "t" && event["session_id"] == "s"), "{listed:?}");
        let mut types = Vec::new();
        for event in &listed {
            let kind = event["event_type"].as_str().expect("a type");
            types.push(
                ["metadata_ip", "execve", "secret_path"].into_iter().find(|known| *known == kind).expect("known"),
            );
        }
        types
    };
    assert_eq!(types, ["metadata_ip", "execve", "secret_path"]);
    let risks = place.run(["security", "risks", "--run", "r", "--json"]).ok().json();
    assert_eq!(risks["judging"]["state"], "judged");
    assert!(risks["count"].as_u64().expect("a count") >= 2, "{risks:#}");
    let decision = report["policy_decision_ids"][0].as_str().expect("an id");
    let explained = place.run(["graph", "explain", "--risk", decision, "--json"]).ok().json();
    assert!(explained["summary"].to_string().contains("169.254.169.254"), "{explained:#}");
    let timeline = place.run(["timeline", "--run", "r", "--type", "metadata_ip", "--json"]).ok().json();
    assert_eq!(timeline["events"][0]["time"], "2026-03-01T00:00:07.123456789Z", "event time is kept to the nanosecond");
    place.run(["verify", "r"]).ok();
    place.run(["fsck"]).ok();
}

#[test]
fn the_same_input_again_changes_nothing() {
    let place = Place::new();
    bind(&place, &["--pid", "4242"]);
    place.write("rows.jsonl", ROWS);
    let first = take_in(&place, "rows.jsonl", &[]);
    let again = take_in(&place, "rows.jsonl", &[]);
    assert_eq!((&first["known"], &again["known"]), (&0.into(), &4.into()));
    assert_eq!(first["event_ids"], again["event_ids"]);
    assert_eq!(first["batch_id"], again["batch_id"]);
    let batches = place.run(["telemetry", "batches", "--run", "r", "--json"]).ok().json();
    assert_eq!(batches["batches"].as_array().map(Vec::len), Some(1), "{batches:#}");
    assert_eq!(batches["batches"][0]["file_sha256"], first["file_sha256"]);
}

#[test]
fn each_flag_has_an_effect() {
    let place = Place::new();
    bind(&place, &["--pid", "4242"]);
    place.write("rows.jsonl", ROWS);
    let strict = take_in(&place, "rows.jsonl", &["--strict", "--no-policy"]);
    assert_eq!((&strict["ingested"], &strict["failed"]), (&3.into(), &2.into()), "a row that names a run is refused");
    assert_eq!(strict["policy_decisions"], 0);
    let dropped = take_in(&place, "rows.jsonl", &["--drop-uncorrelated"]);
    assert_eq!((&dropped["ingested"], &dropped["dropped_uncorrelated"]), (&3.into(), &1.into()));
    let falco = take_in(&place, "rows.jsonl", &["--format", "falco"]);
    assert_eq!(falco["receiver_summary"]["detected_formats"], serde_json::json!({ "falco": 4 }));
    let fresh = Place::new();
    fresh.write("rows.jsonl", ROWS);
    let named = take_in(&fresh, "rows.jsonl", &["--run", "named", "--tool-call", "other"]);
    assert_eq!(named["row_results"][4]["run_id"], "named", "context that the caller names counts");
    let rules = "rules:\n  - id: any_ls\n    match: {argv: ls}\n    decision: deny\n";
    std::fs::write(fresh.root().join("rules.yaml"), rules).expect("rules");
    fresh.write("more.jsonl", ROWS.replace("00:00:0", "00:01:0"));
    let judged = take_in(&fresh, "more.jsonl", &["--run", "judged", "--rules", "../rules.yaml"]);
    assert_eq!(judged["policy_decisions"], 1, "{judged:#}");
    let decisions = fresh.run(["policy", "decisions", "--run", "judged", "--json"]).ok().json();
    assert_eq!(decisions["decisions"][0]["rule_id"], "any_ls");
    let unknown = place.run(["telemetry", "ingest-jsonl", "--file", "rows.jsonl", "--format", "syslog"]);
    assert_eq!(unknown.status, 2, "an unknown format is an error: {}", unknown.stderr);
    let missing = place.run(["telemetry", "ingest-jsonl", "--file", "nowhere.jsonl"]);
    assert!(missing.status != 0 && missing.stderr.contains("nowhere.jsonl"), "{}", missing.stderr);
    for (flag, value, expected) in [("--type", "execve", 1), ("--session", "none", 0), ("--tool-call", "t", 3)] {
        let listed = place.run(["telemetry", "list", "--run", "r", flag, value, "--json"]).ok().json();
        assert_eq!(listed["event_count"], expected, "{flag} {value}");
    }
    let page = place.run(["telemetry", "list", "--run", "r", "--limit", "2", "--json"]).ok().json();
    let next = page["next_cursor"].as_str().expect("a cursor");
    let rest = place.run(["telemetry", "list", "--run", "r", "--limit", "2", "--cursor", next, "--json"]).ok().json();
    assert_eq!((&page["event_count"], &rest["event_count"]), (&2.into(), &1.into()));
    let windows = |window: &str| {
        let words = ["telemetry", "windows", "--run", "r", "--window", window, "--json"];
        place.run(words).ok().json()["windows"].as_array().expect("windows").len()
    };
    assert_eq!(windows("0"), windows("10") + windows("60"));
    for (flag, rows) in
        [("--run", "r"), ("--session", "s"), ("--attempt", "a"), ("--tool-call", "t"), ("--process", "p")]
    {
        let found = place.run(["telemetry", "bindings", flag, rows, "--json"]).ok().json();
        let other = place.run(["telemetry", "bindings", flag, "nobody", "--json"]).ok().json();
        assert_eq!((found.as_array().map(Vec::len), other.as_array().map(Vec::len)), (Some(1), Some(0)), "{flag}");
    }
}

#[test]
fn one_event_is_taken_in_as_the_caller_says() {
    let place = Place::new();
    bind(&place, &["--pid", "7"]);
    let said = place
        .run([
            "telemetry",
            "ingest",
            "--type",
            "execve",
            "--pid",
            "7",
            "--timestamp",
            "2026-03-01T00:00:01+00:00",
            "--source",
            "tetragon_jsonl",
            "--raw-event",
            "raw-1",
            "--payload",
            r#"{"argv":["./x.sh"]}"#,
        ])
        .ok();
    assert!(
        said.stdout.starts_with("event_id=evt-") && said.stdout.contains("type=execve source=tetragon_jsonl"),
        "{}",
        said.stdout
    );
    let listed = events(&place, "r");
    assert_eq!((&listed[0]["raw_event_id"], &listed[0]["source"]), (&"raw-1".into(), &"tetragon_jsonl".into()));
    assert!(listed[0]["payload"].as_str().expect("text").contains("./x.sh"));
    let correlations = place.run(["telemetry", "correlations", "--run", "r", "--json"]).ok().json();
    let matched = &correlations["correlations"][0]["match"];
    assert_eq!(matched["status"], "resolved");
    assert!(matched["confidence"].as_f64().is_some_and(|number| number < 1.0), "a pid is no identity: {matched}");

    let refuse = |words: &[&str], why: &str| {
        let said = place.run(["telemetry", "ingest"].iter().chain(words));
        assert!(said.status != 0 && said.stderr.contains(why), "{words:?}: {}", said.stderr);
    };
    refuse(&["--type", "execve", "--payload", r#"{"x":[{"run_id":"evil"}]}"#], "run_id");
    refuse(&["--type", "no_such_type"], "no_such_type");
    refuse(&["--type", "network_connect", "--payload", "{}"], "dst");
    refuse(&["--type", "execve", "--payload", "[1]"], "JSON object");
    refuse(&["--type", "execve", "--timestamp", "yesterday"], "yesterday");
}

#[test]
fn a_binding_that_comes_late_resolves_what_was_there() {
    let place = Place::new();
    place.write("rows.jsonl", ROWS);
    let report = take_in(&place, "rows.jsonl", &[]);
    assert_eq!(report["receiver_summary"]["unresolved"], 4);
    let bound = bind(&place, &["--pid", "4242"]);
    assert_eq!(bound["resolved"], 3);
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
    // Nothing was bound twice: the same binding again changes nothing.
    assert_eq!(bind(&place, &["--pid", "4242"])["resolved"], 3);
    place.run(["fsck"]).ok();
}

#[test]
fn a_growing_and_rotated_file_is_followed() {
    let place = Place::new();
    bind(&place, &["--pid", "4242"]);
    let path = place.write("live.jsonl", "");
    let row = |number: u32| {
        format!(
            "{{\"source\":\"agentprov_ebpf\",\"event_type\":\"execve\",\"argv\":[\"c{number}\"],\"pid\":4242,\"timestamp\":\"2026-03-01T00:00:{number:02}Z\"}}\n"
        )
    };
    let words = ["telemetry", "ingest-jsonl", "--file", "live.jsonl", "--follow", "--idle-exit", "3", "--json"];
    let follower = place.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let append = |number: u32| {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path).expect("a file");
        file.write_all(row(number).as_bytes()).expect("a row");
    };
    let seen = |count: usize| {
        let end = Instant::now() + Duration::from_secs(10);
        while place.run(["telemetry", "list", "--run", "r", "--json"]).ok().json()["event_count"] != count {
            assert!(Instant::now() < end, "{count} events are not there in time");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    append(1);
    seen(1);
    append(2);
    seen(2);
    std::fs::rename(&path, place.work().join("live.jsonl.1")).expect("rotated");
    append(3);
    seen(3);
    let said = Said::of(&follower.wait_with_output().expect("it ends")).ok();
    assert_eq!(said.json()["ingested"], 3);
}

#[test]
fn sixteen_writers_at_once_lose_nothing() {
    let place = Place::new();
    bind(&place, &["--pid", "7"]);
    let per_writer = 60;
    let children: Vec<_> = (0..16)
        .map(|writer| {
            let rows: String = (0..per_writer)
                .map(|row| {
                    format!("{{\"source\":\"agentprov_ebpf\",\"event_type\":\"execve\",\"id\":\"w{writer}-{row}\",\"argv\":[\"c\"],\"pid\":7,\"timestamp\":\"2026-03-01T00:00:{:02}.{writer:03}Z\"}}\n", row % 60)
                })
                .collect();
            let file = format!("w{writer}.jsonl");
            place.write(&file, rows);
            let words = ["telemetry", "ingest-jsonl", "--file", &file, "--json"];
            place.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
        })
        .collect();
    for child in children {
        let said = Said::of(&child.wait_with_output().expect("it ends")).ok();
        assert_eq!(said.json()["ingested"], per_writer);
    }
    let ids: BTreeSet<String> =
        events(&place, "r").iter().map(|event| event["raw_event_id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), 16 * per_writer);
    place.run(["verify", "r"]).ok();
    place.run(["fsck"]).ok();
}

#[test]
fn an_ingest_that_is_killed_is_completed_by_the_same_again() {
    let place = Place::new();
    bind(&place, &["--pid", "7"]);
    let rows: String = (0..20_000)
        .map(|row| {
            format!("{{\"source\":\"agentprov_ebpf\",\"event_type\":\"execve\",\"argv\":[\"c{row}\"],\"pid\":7,\"timestamp\":\"2026-03-01T00:00:00.{row:09}Z\"}}\n")
        })
        .collect();
    place.write("many.jsonl", rows);
    let words = ["telemetry", "ingest-jsonl", "--file", "many.jsonl", "--no-policy", "--json"];
    let mut cut = 0;
    for round in 0..6u64 {
        let mut child = place.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(Duration::from_millis(40 + 60 * round));
        child.kill().expect("a kill");
        cut += u32::from(!child.wait().expect("it ended").success());
        if place.run(["telemetry", "bindings", "--json"]).status == 0 {
            place.run(["verify", "r"]).ok();
        }
    }
    assert!(cut > 0, "no round was cut");
    let report = place.run(words).ok().json();
    assert_eq!(report["ingested"], 20_000);
    let listed = events(&place, "r");
    let ids: BTreeSet<&str> = listed.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert_eq!((listed.len(), ids.len()), (20_000, 20_000), "every event is there once");
    place.run(["verify", "r"]).ok();
    place.run(["fsck"]).ok();
}
