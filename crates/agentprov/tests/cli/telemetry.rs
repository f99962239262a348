//! What sensors report, from binding to judgement.

use crate::place::{Place, Said};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::process::Stdio;

const START: &str = "2026-01-02T03:04:05Z";

/// A row of our own sensor, `n` seconds into the minute.
pub(crate) fn row(id: &str, seconds: usize, rest: &str) -> String {
    let (minutes, seconds) = (4 + seconds / 60, seconds % 60);
    format!(
        "{{\"source\":\"agentprov_ebpf\",\"id\":\"{id}\",\"timestamp\":\"2026-01-02T03:{minutes:02}:{seconds:02}Z\",{rest}}}\n"
    )
}

fn metadata(id: &str, pid: u32) -> String {
    row(
        id,
        6,
        &format!("\"event_type\":\"network_connect\",\"pid\":{pid},\"dst_ip\":\"169.254.169.254\",\"dst_port\":80"),
    )
}

impl Place {
    pub(crate) fn bind(&self, run: &str, tool_call: &str, more: &[&str]) -> Said {
        let fixed = ["telemetry", "bind", "--run", run, "--tool-call", tool_call, "--started-at", START];
        self.run([&fixed[..], more].concat()).ok()
    }

    pub(crate) fn ingest(&self, rows: &str, more: &[&str]) -> Value {
        let file = self.write("rows.jsonl", rows);
        let file = file.display().to_string();
        self.run([&["telemetry", "ingest-jsonl", "--json", "--file", &file], more].concat()).ok().json()
    }

    pub(crate) fn events(&self, run: &str, more: &[&str]) -> Vec<Value> {
        let fixed = ["telemetry", "list", "--run", run, "--limit", "-1", "--json"];
        let document = self.run([&fixed[..], more].concat()).ok().json();
        document["events"].as_array().expect("events").clone()
    }

    fn count_risks(&self, run: &str) -> u64 {
        self.run(["security", "risks", "--run", run, "--json"]).ok().json()["count"].as_u64().expect("a count")
    }
}

#[test]
fn a_reported_event_finds_its_tool_call_and_is_judged() {
    let place = Place::new();
    let names = ["--session", "S", "--attempt", "A", "--process", "P", "--container-id", "abcdef123456", "--pid", "42"];
    place.bind("R", "T", &names);
    let report = place.ingest(&metadata("a", 42), &[]);
    assert_eq!((&report["ingested"], &report["policy_decisions"]), (&1.into(), &1.into()));
    let [event] = &place.events("R", &[])[..] else { panic!("one event") };
    for (key, value) in [("session_id", "S"), ("tool_call_id", "T"), ("process_id", "P"), ("event_type", "metadata_ip")]
    {
        assert_eq!(event[key], value, "{key}");
    }
    let risks = place.run(["security", "risks", "--run", "R", "--json"]).ok().json();
    let risk = &risks["risks"][0]["risk"];
    assert_eq!((&risk["severity"], &risk["recommended_action"]), (&"high".into(), &"quarantine".into()));
    assert_eq!((&risk["session_id"], &risk["tool_call_id"]), (&"S".into(), &"T".into()));
    assert_eq!(risks["judging"]["state"], "judged");
    let id = event["id"].as_str().expect("an id");
    place.run(["graph", "explain", "--event", id, "--json"]).ok();
    place.run(["graph", "explain", "--risk", risk["id"].as_str().expect("an id"), "--json"]).ok();
    let timeline = place.run(["timeline", "R"]).ok().stdout;
    assert!(timeline.contains(id) && timeline.contains("metadata_ip"), "{timeline}");
    let flow = place.run(["observe", "event", "--run", "R", "--event", id, "--json"]).ok().json();
    assert_eq!(flow["event"]["id"], id);
    place.run(["verify", "R"]).ok();
    place.run(["graph", "verify", "R"]).ok();
}

#[test]
fn rules_of_a_file_judge_and_no_policy_says_that_nothing_was_judged() {
    let place = Place::new();
    place.write(
        "rules.yaml",
        "rules:\n  - id: mine\n    match: {class: metadata}\n    decision: deny\n    reason: not here\n",
    );
    place.ingest(&metadata("a", 1), &["--run", "mine", "--rules", "rules.yaml"]);
    let decisions = place.run(["policy", "decisions", "mine", "--json"]).ok().json();
    assert_eq!(
        (&decisions["decisions"][0]["intended"], &decisions["decisions"][0]["reason"]),
        (&"deny".into(), &"not here".into())
    );
    place.ingest(&metadata("a", 1), &["--run", "none", "--no-policy"]);
    let risks = place.run(["security", "risks", "--run", "none", "--json"]).ok().json();
    assert_eq!((&risks["count"], &risks["judging"]["state"]), (&0.into(), &"not_judged".into()));
}

#[test]
fn every_row_has_a_result_and_bad_ones_stop_nothing() {
    let place = Place::new();
    let long = "x".repeat(5 << 20);
    let mut rows = metadata("a", 1).into_bytes();
    rows.extend_from_slice(b"nonsense\n\xff\xfe\n\n{\"a\":1,\"a\":2}\n{\"hello\":\"world\"}\n");
    rows.extend_from_slice(format!("{}\n{long}\n", "[".repeat(3000)).as_bytes());
    rows.extend_from_slice(metadata("b", 2).trim_end().as_bytes());
    place.write("rows", rows);
    let said = place.run(["telemetry", "ingest-jsonl", "--file", "rows", "--run", "R", "--json"]).ok().json();
    let results = said["row_results"].as_array().expect("rows");
    let lines: Vec<u64> = results.iter().map(|row| row["line"].as_u64().expect("a number")).collect();
    assert_eq!(lines, (1..=9).collect::<Vec<u64>>());
    let statuses: Vec<&str> = results.iter().map(|row| row["status"].as_str().expect("a status")).collect();
    assert_eq!(
        statuses,
        ["ingested", "failed", "failed", "skipped", "failed", "failed", "failed", "failed", "ingested"]
    );
    assert!(results.iter().all(|row| row["status"] == "ingested" || row["error"].is_string()));
    assert_eq!(
        (&said["read"], &said["ingested"], &said["skipped"], &said["failed"]),
        (&9.into(), &2.into(), &1.into(), &6.into())
    );
    let text = place.run(["telemetry", "ingest-jsonl", "--file", "rows", "--run", "R"]).ok();
    assert!(text.stdout.contains("read=9 ingested=2 skipped=1 failed=6"), "{}", text.stdout);
    assert!(text.stderr.contains("line 2:") && text.stderr.contains("and 1 more failed rows"), "{}", text.stderr);
    place.run(["verify", "R"]).ok();
}

#[test]
fn context_in_a_row_is_named_and_never_believed() {
    let place = Place::new();
    let liar = row(
        "a",
        6,
        "\"event_type\":\"execve\",\"argv\":[\"x\"],\"data\":[{\"run_id\":\"other\"}],\"tool_call_id\":\"T\"",
    );
    let report = place.ingest(&liar, &["--run", "R"]);
    assert_eq!(report["row_results"][0]["context_dropped"], serde_json::json!(["data[0].run_id", "tool_call_id"]));
    assert_eq!(place.events("R", &[])[0]["tool_call_id"], "");
    let report = place.ingest(&liar, &["--run", "R2", "--strict"]);
    assert_eq!((&report["ingested"], &report["failed"]), (&0.into(), &1.into()));
    let told = ["telemetry", "ingest", "--run", "R", "--type", "execve", "--payload"];
    let refused = place.run([&told[..], &["{\"argv\":[\"x\"],\"deep\":{\"session_id\":\"s\"}}"]].concat());
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("deep.session_id"), "{}", refused.stderr);
}

#[test]
fn uncorrelated_rows_are_kept_apart_or_dropped_and_counted() {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42"]);
    let rows = metadata("a", 42) + &metadata("b", 43);
    let report = place.ingest(&rows, &["--drop-uncorrelated"]);
    assert_eq!((&report["ingested"], &report["dropped_uncorrelated"]), (&1.into(), &1.into()));
    assert_eq!(report["row_results"][1]["status"], "dropped_uncorrelated");
    let report = place.ingest(&rows, &[]);
    assert_eq!(report["receiver_summary"]["unresolved"], 1);
    let log = report["row_results"][1]["run_id"].as_str().expect("a log");
    assert!(log.starts_with("ambient/"), "{log}");
    assert_eq!((place.events("R", &[]).len(), place.events(log, &[]).len()), (1, 1));
}

#[test]
fn the_same_input_again_changes_nothing() {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42"]);
    let mut rows = metadata("a", 42) + &metadata("b", 43);
    // Without an id of their own, and one without a time: equal lines are events of their own.
    for _ in 0..3 {
        rows.push_str("{\"source\":\"agentprov_ebpf\",\"event_type\":\"execve\",\"argv\":[\"x\"],\"pid\":42}\n");
    }
    let first = place.ingest(&rows, &[]);
    let before = place.run(["runs", "--json"]).ok().json();
    let again = place.ingest(&rows, &[]);
    assert_eq!(first["event_ids"], again["event_ids"]);
    assert_eq!((&first["known"], &again["known"]), (&0.into(), &5.into()));
    assert_eq!(first["batch_id"], again["batch_id"]);
    assert_eq!(first["policy_decision_ids"], again["policy_decision_ids"]);
    let sizes = |document: &Value| -> Vec<Value> {
        document["runs"].as_array().expect("runs").iter().map(|run| run["facts"].clone()).collect()
    };
    assert_eq!(sizes(&before), sizes(&place.run(["runs", "--json"]).ok().json()));
    // What has no time happened when it was taken in: too late for a pid that was bound in January.
    assert_eq!((place.events("R", &[]).len(), first["receiver_summary"]["unresolved"].as_u64()), (1, Some(4)));
}

#[test]
fn a_binding_that_comes_late_resolves_what_came_before() {
    let place = Place::new();
    let report = place.ingest(&(metadata("a", 42) + &metadata("b", 43)), &[]);
    let ambient = report["row_results"][0]["run_id"].as_str().expect("a log").to_owned();
    let said = place.bind("R", "T", &["--session", "S", "--pid", "42"]);
    assert!(said.stdout.contains(" resolved=1"), "{}", said.stdout);
    place.run(["verify", "R"]).ok();
    place.run(["verify", &ambient]).ok();
    place.run(["fsck"]).ok();
    // Again the same input: it is known where it stands, and comes to no other log.
    let again = place.ingest(&(metadata("a", 42) + &metadata("b", 43)), &[]);
    assert_eq!(again["known"], 2);
    assert_eq!(place.events(&ambient, &[]).len(), 2);
    let next = place.ingest(&metadata("c", 42), &[]);
    assert_eq!(next["row_results"][0]["run_id"], "R");
}

#[test]
fn claims_of_agents_count_half_and_two_scopes_are_ambiguous() {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42", "--source", "ai_asserted", "--confidence", "1"]);
    place.ingest(&metadata("a", 42), &[]);
    assert_eq!(place.events("R", &[])[0]["correlation_confidence"], 0.5);
    for tool_call in ["T1", "T2"] {
        place.bind("Q", tool_call, &["--cgroup-id", "77"]);
    }
    place.ingest(&row("b", 7, "\"event_type\":\"execve\",\"argv\":[\"x\"],\"cgroup_id\":77"), &[]);
    let document = place.run(["telemetry", "correlations", "--run", "Q", "--json"]).ok().json();
    let matched = &document["correlations"][0]["match"];
    assert_eq!((&matched["state"], matched["candidates"].as_array().map(Vec::len)), (&"ambiguous".into(), Some(2)));
}

#[test]
fn flags_of_bind_and_of_single_events_have_an_effect() {
    let place = Place::new();
    let more = [
        "--session",
        "S",
        "--attempt",
        "A",
        "--process",
        "P",
        "--container-id",
        "c0ffee123456",
        "--cgroup-id",
        "9",
        "--root-pid",
        "7",
        "--pid",
        "8",
        "--ended-at",
        "2026-01-02T03:05:05+00:00",
        "--source",
        "me",
        "--confidence",
        "0.75",
    ];
    place.bind("R", "T", &more);
    let rows = place.run(["telemetry", "bindings", "--json"]).ok().json();
    let expected = serde_json::json!({"run_id": "R", "session_id": "S", "attempt_id": "A", "tool_call_id": "T",
        "process_id": "P", "container_id": "c0ffee123456", "cgroup_id": "9", "root_pid": 7, "pid": 8,
        "started_at": "2026-01-02T03:04:05.000000000Z", "ended_at": "2026-01-02T03:05:05.000000000Z",
        "binding_source": "me", "confidence": 0.75});
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&rows[0][key], value, "{key}");
    }
    for (flag, other) in
        [("--run", "X"), ("--session", "X"), ("--attempt", "X"), ("--tool-call", "X"), ("--process", "X")]
    {
        let none = place.run(["telemetry", "bindings", flag, other]).ok();
        assert_eq!(none.stdout.lines().count(), 1, "{flag} is ignored");
    }
    let told = [
        "telemetry",
        "ingest",
        "--type",
        "setuid",
        "--run",
        "E",
        "--rollout",
        "o",
        "--attempt",
        "A",
        "--session",
        "S",
        "--tool-call",
        "T",
        "--process",
        "P",
        "--snapshot",
        "N",
        "--raw-event",
        "raw-1",
        "--container-id",
        "deadbeef1234",
        "--cgroup-id",
        "5",
        "--pid",
        "11",
        "--tgid",
        "12",
        "--ppid",
        "13",
        "--timestamp",
        START,
        "--source",
        "me",
        "--payload",
        "{\"uid\":0}",
    ];
    let said = place.run(told).ok();
    let [event] = &place.events("E", &[])[..] else { panic!("one event") };
    assert_eq!(said.stdout, format!("event_id={} type=setuid source=me\n", event["id"].as_str().expect("an id")));
    let expected = serde_json::json!({"session_id": "S", "attempt_id": "A", "tool_call_id": "T", "process_id": "P",
        "snapshot_id": "N", "raw_event_id": "raw-1", "container_id": "deadbeef1234", "cgroup_id": "5", "pid": 11,
        "tgid": 12, "ppid": 13, "source": "me", "correlation_method": "provided_context"});
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&event[key], value, "{key}");
    }
    assert_eq!(place.count_risks("E"), 1, "a single event is judged too");
    place.run([&told[..], &["--no-policy"]].concat()).ok();
    assert_eq!(place.events("E", &[]).len(), 1, "the same event again");
    place.run(["verify", "E"]).ok();
}

#[test]
fn lists_filter_and_page() {
    let place = Place::new();
    place.bind("R", "T1", &["--session", "S1", "--pid", "1"]);
    place.bind("R", "T2", &["--session", "S2", "--pid", "2"]);
    let mut rows = String::new();
    for n in 0..30 {
        let kind = if n % 3 == 0 {
            "\"event_type\":\"execve\",\"argv\":[\"x\"]"
        } else {
            "\"event_type\":\"file_write\",\"path\":\"/srv/f\""
        };
        let _ = write!(rows, "{}", row(&format!("n{n}"), 6 + n, &format!("{kind},\"pid\":{}", 1 + n % 2)));
    }
    place.ingest(&rows, &[]);
    let all = place.events("R", &[]);
    assert_eq!(all.len(), 30);
    for (filter, expected) in [(["--session", "S1"], 15), (["--tool-call", "T2"], 15), (["--type", "execve"], 10)] {
        assert_eq!(place.events("R", &filter).len(), expected, "{filter:?}");
    }
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..10 {
        let mut arguments = vec!["telemetry", "list", "--run", "R", "--limit", "7", "--json"];
        arguments.extend(cursor.as_deref().map(|cursor| ["--cursor", cursor]).iter().flatten());
        let page = place.run(&arguments).ok().json();
        ids.extend(page["events"].as_array().expect("events").iter().map(|event| event["id"].clone()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(ids, all.iter().map(|event| event["id"].clone()).collect::<Vec<_>>());
    let windows = |more: &[&str]| {
        let document = place.run([&["telemetry", "windows", "--run", "R", "--json"], more].concat()).ok().json();
        document["windows"]
            .as_array()
            .expect("windows")
            .iter()
            .map(|row| row["event_count"].as_u64().expect("a count"))
            .sum::<u64>()
    };
    assert_eq!(windows(&[]), 60, "each event stands in a short and in a long window");
    let narrower = [
        (["--window", "10"], 30),
        (["--session", "S1"], 30),
        (["--tool-call", "T2"], 30),
        (["--type", "execve"], 20),
        (["--source", "falco_jsonl"], 0),
    ];
    for (filter, expected) in narrower {
        assert_eq!(windows(&filter), expected, "{filter:?}");
    }
    assert_eq!(place.run(["telemetry", "windows", "--window", "7"]).status, 2);
    let batches = place.run(["telemetry", "batches", "--run", "R", "--json"]).ok().json();
    assert_eq!((&batches["batches"][0]["read"], &batches["batches"][0]["ingested"]), (&30.into(), &30.into()));
}

#[test]
fn falco_is_judged_while_it_streams() {
    let place = Place::new();
    let mut command = place.command(["telemetry", "ingest-falco", "--run", "R", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    let line = r#"{"output":"o","priority":"Warning","rule":"metadata","time":"2026-01-02T03:04:06.5Z","output_fields":{"evt.type":"connect","proc.pid":42,"fd.sip":"169.254.169.254","fd.sport":80}}"#;
    writeln!(input, "{line}").expect("it is read");
    // The pipe stays open: the risk is there all the same.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let seen = loop {
        let risks = place.run(["security", "risks", "--run", "R", "--json"]);
        if risks.status == 0 && risks.json()["count"] == 1 {
            break true;
        }
        if std::time::Instant::now() > deadline {
            break false;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(seen, "no risk before the stream ended");
    let document = Said::of(&output).ok().json();
    assert_eq!(
        (&document["schema_version"], &document["policy_decisions"]),
        (&"agentprovenance.falco_ingest/v1".into(), &1.into())
    );
    assert_eq!(document["batch"]["format"], "falco");
}

#[test]
fn wrong_usage_is_refused_by_name() {
    let place = Place::new();
    let refused: [(&[&str], &str); 7] = [
        (&["telemetry", "bind", "--run", "R", "--tool-call", "T"], "--container-id"),
        (&["telemetry", "bind", "--run", "R", "--tool-call", "T", "--pid", "1", "--confidence", "1.5"], "--confidence"),
        (
            &["telemetry", "bind", "--run", "R", "--tool-call", "T", "--pid", "1", "--started-at", "noon"],
            "--started-at",
        ),
        (&["telemetry", "ingest", "--type", "nonsense"], "execve"),
        (&["telemetry", "ingest", "--type", "execve", "--payload", "[]"], "--payload"),
        (&["telemetry", "ingest", "--type", "execve", "--source", "a b", "--payload", "{}"], "--source"),
        (&["telemetry", "ingest-jsonl", "--file", "x", "--format", "csv"], "tetragon"),
    ];
    for (arguments, word) in refused {
        let said = place.run(arguments);
        assert_eq!(said.status, 2, "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(word), "{arguments:?}: {}", said.stderr);
    }
    let said = place.run(["telemetry", "ingest-jsonl", "--file", "gone"]);
    assert!(said.status == 1 && said.stderr.contains("gone"), "{}", said.stderr);
}

#[test]
fn adapters_are_listed_and_inspected() {
    let place = Place::new();
    let all = place.run(["adapter", "list", "--json"]).ok().json();
    let names: BTreeSet<&str> = all.as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(
        names,
        BTreeSet::from(["zero-sdk-record", "docker", "filtered-jsonl", "local-artifact", "directory-copy"])
    );
    let telemetry = place.run(["adapter", "list", "--kind", "telemetry", "--json"]).ok().json();
    assert_eq!(telemetry.as_array().map(Vec::len), Some(1));
    for name in names {
        let one = place.run(["adapter", "inspect", name, "--json"]).ok().json();
        assert!(one["available"].is_boolean() && one["capabilities"][0]["supported"].is_boolean(), "{one:#}");
        assert!(place.run(["adapter", "inspect", name]).ok().stdout.contains(name));
    }
    assert_eq!(place.run(["adapter", "inspect", "none"]).status, 1);
    assert!(!place.data_dir().exists(), "adapters need no store");
}

#[test]
fn a_growing_file_is_followed_across_rotation_and_resumed() {
    let place = Place::new();
    let path = place.write("live.jsonl", metadata("a", 1) + &metadata("b", 1));
    let follow = |more: &[&str]| {
        let fixed =
            ["telemetry", "ingest-jsonl", "--file", "live.jsonl", "--follow", "--until-idle", "1", "--run", "R"];
        place.run([&fixed[..], more].concat()).ok().stdout
    };
    assert!(follow(&[]).contains("read=2 ingested=2"));
    assert_eq!(follow(&[]), "", "nothing is read twice");
    let mut child = place
        .command(["telemetry", "ingest-jsonl", "--file", "live.jsonl", "--follow", "--run", "R"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    std::fs::rename(&path, place.work().join("live.jsonl.1")).expect("it is rotated");
    place.write("live.jsonl", metadata("c", 1));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while place.events("R", &[]).len() < 3 && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let mut file = std::fs::File::options().append(true).open(&path).expect("the file");
    write!(file, "{}", metadata("d", 1)).expect("it grows");
    let line = follow(&["--json"]);
    let report: Value = serde_json::from_str(line.trim()).expect("one line of JSON");
    assert_eq!(report["ingested"].as_u64().zip(report["known"].as_u64()).map(|(all, known)| all - known), Some(1));
    let ids: BTreeSet<String> = place.events("R", &[]).iter().map(|event| event["raw_event_id"].to_string()).collect();
    assert_eq!((ids.len(), place.events("R", &[]).len()), (4, 4));
    assert_eq!(place.run(["telemetry", "ingest-jsonl", "--file", "-", "--follow"]).status, 2);
    place.run(["verify", "R"]).ok();
}
