//! Retention: bodies of old events go, the log stays whole and says what is gone.

use crate::place::Place;
use crate::telemetry::row;
use serde_json::Value;
use std::process::Command;

/// `count` harmless events of one process, a second apart.
fn harmless(count: usize) -> String {
    let one = |n| row(&format!("e{n}"), n + 6, "\"event_type\":\"execve\",\"pid\":42,\"argv\":[\"true\"]");
    (0..count).map(one).collect()
}

/// `count` harmless events of one process, a second apart, and one connection that is a risk.
fn rows(count: usize) -> String {
    let risk = "\"event_type\":\"network_connect\",\"pid\":42,\"dst_ip\":\"169.254.169.254\",\"dst_port\":80";
    harmless(count) + &row("risk", count + 6, risk)
}

fn place(count: usize) -> Place {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42"]);
    place.ingest(&rows(count), &[]);
    place
}

fn prune(place: &Place, more: &[&str]) -> Value {
    place.run([&["telemetry", "prune", "--json"], more].concat()).ok().json()
}

fn sql(place: &Place, text: &str) -> String {
    let output = Command::new("sqlite3").arg(place.data_dir().join("store.db")).arg(text).output();
    let output = output.expect("sqlite3 runs");
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn numbers(document: &Value) -> [u64; 3] {
    ["scanned", "deleted", "protected"].map(|key| document[key].as_u64().expect("a number"))
}

#[test]
fn old_events_go_and_everything_else_still_holds() {
    let place = place(30);
    let windows = place.run(["telemetry", "windows", "--run", "R", "--json"]).ok().json()["windows"].clone();
    let blobs = sql(&place, "SELECT count(*) FROM blob");

    let dry = prune(&place, &["--run", "R", "--dry-run"]);
    assert_eq!(numbers(&dry), [31, 30, 1]);
    assert_eq!(place.events("R", &[]).len(), 31);

    let document = prune(&place, &["--run", "R", "--max-delete", "20"]);
    assert_eq!(document["schema_version"], "agentprovenance.telemetry_retention/v1");
    assert_eq!(numbers(&document), [31, 20, 1]);
    assert_eq!(document["deleted_ids"].as_array().expect("ids").len(), 20);
    assert_eq!(document["max_delete"], 20);
    let left = place.events("R", &[]);
    assert_eq!(left.len(), 11);
    let gone = document["deleted_ids"].as_array().expect("ids");
    assert!(left.iter().all(|event| !gone.contains(&event["id"])), "the oldest go first");

    let said = place.run(["verify", "R"]).ok().stdout;
    assert!(said.contains("20 old events are gone by retention"), "{said}");
    place.run(["fsck"]).ok();
    let after = place.run(["telemetry", "windows", "--run", "R", "--json"]).ok().json()["windows"].clone();
    let counts = |windows: &Value| -> Vec<(String, u64)> {
        let rows = windows.as_array().expect("windows").iter();
        rows.map(|row| {
            (
                row["window_start"].to_string() + &row["event_type"].to_string(),
                row["event_count"].as_u64().expect("a count"),
            )
        })
        .collect()
    };
    assert_eq!(counts(&after), counts(&windows), "windows outlive their events");

    // The raw rows lie together, and go with the last event that nothing protects; the risk keeps them.
    assert_eq!(numbers(&prune(&place, &["--run", "R"])), [11, 10, 1]);
    assert_eq!(sql(&place, "SELECT count(*) FROM blob"), blobs);
    assert_eq!(numbers(&prune(&place, &["--run", "R"])), [1, 0, 1]);
    let risks = place.run(["security", "risks", "--run", "R", "--json"]).ok().json();
    assert_eq!(risks["count"], 1);
    place.run(["verify", "--all"]).ok();
    let timeline = place.run(["timeline", "R"]).ok().stdout;
    assert!(timeline.contains("20 bodies of events before"), "{timeline}");

    // The log goes on behind the hole.
    place.ingest(&row("new", 59, "\"event_type\":\"execve\",\"pid\":42,\"argv\":[\"ls\"]"), &[]);
    assert_eq!(place.events("R", &[]).len(), 2);
    place.run(["verify", "--all"]).ok();
    place.run(["fsck"]).ok();
}

#[test]
fn young_events_and_recordings_stay() {
    let place = place(3);
    place.record("own", "true").ok();
    let facts = |run: &str| place.run(["show", run, "--json"]).ok().json()["facts"].clone();
    let own = facts("own");
    assert_eq!(numbers(&prune(&place, &["--older-than", "999999h"])), [0, 0, 0]);
    assert_eq!(numbers(&prune(&place, &[])), [4, 3, 1]);
    assert_eq!(facts("own"), own);
    let said = place.run(["telemetry", "prune", "--older-than", "soon"]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(said.stderr.contains("as in 30d"), "{}", said.stderr);
}

#[test]
fn raw_rows_go_with_their_events() {
    let place = Place::new();
    place.bind("R", "T", &["--pid", "42"]);
    place.ingest(&harmless(5), &[]);
    assert_eq!(sql(&place, "SELECT count(*) FROM blob"), "1");
    prune(&place, &["--max-delete", "4"]);
    assert_eq!(sql(&place, "SELECT count(*) FROM blob"), "1", "one row is still wanted");
    prune(&place, &[]);
    assert_eq!(sql(&place, "SELECT count(*) FROM blob"), "0");
    assert!(place.run(["verify", "R"]).ok().stdout.contains("5 old events"));
    place.run(["fsck"]).ok();
}

#[test]
fn what_nobody_says_is_gone_is_missing() {
    let place = place(5);
    prune(&place, &["--max-delete", "2"]);
    let base = "(SELECT no << 40 FROM run WHERE id = 'R')";
    let third = sql(
        &place,
        &format!("SELECT min(pos) FROM fact WHERE pos > {base} + 2 AND CAST(body AS TEXT) LIKE '%\"telemetry\"%'"),
    );
    sql(&place, &format!("DELETE FROM fact WHERE pos = {third}"));
    let said = place.run(["verify", "R"]);
    assert_eq!(said.status, 1, "{}", said.stdout);
    assert!(said.stdout.contains("missing-body"), "{}", said.stdout);
}

#[test]
fn facts_in_packs_are_verified_and_pruned_like_others() {
    let place = place(400);
    let first = "(SELECT min(pos) FROM pack)";
    let verified = |change: &str, reasons: &[&str]| {
        let held = "CREATE TABLE held AS SELECT * FROM pack; ";
        sql(&place, &format!("{held}{change}"));
        let said = place.run(["verify", "R"]);
        assert_eq!(said.status, 1, "{change}: {}", said.stdout);
        assert!(reasons.iter().all(|reason| said.stdout.contains(reason)), "{change}: {}", said.stdout);
        sql(&place, "DELETE FROM pack; INSERT INTO pack SELECT * FROM held; DROP TABLE held");
        place.run(["verify", "R"]).ok();
    };
    assert!(sql(&place, "SELECT count(*) FROM pack").parse::<u64>().expect("a number") > 2);
    verified(&format!("UPDATE pack SET lines = zeroblob(20) WHERE pos = {first}"), &["altered-fact"]);
    verified(&format!("DELETE FROM pack WHERE pos = {first}"), &["missing-body"]);
    let other = "(SELECT lines FROM pack ORDER BY pos LIMIT 1 OFFSET 1)";
    verified(&format!("UPDATE pack SET lines = {other} WHERE pos = {first}"), &["duplicate"]);
    let forged = "INSERT INTO fact SELECT pos + 2, CAST('{}' AS BLOB) FROM pack LIMIT 1";
    sql(&place, forged);
    assert!(place.run(["verify", "R"]).stdout.contains("altered-fact"));
    sql(&place, "DELETE FROM fact WHERE body = CAST('{}' AS BLOB)");

    let bytes = |place: &Place| sql(place, "SELECT body_bytes FROM run WHERE id = 'R'").parse::<u64>().expect("bytes");
    let before = bytes(&place);
    let document = prune(&place, &["--run", "R", "--max-delete", "333"]);
    assert_eq!(numbers(&document), [401, 333, 1]);
    assert!(bytes(&place) < before);
    assert_eq!(place.events("R", &[]).len(), 68);
    place.run(["verify", "R"]).ok();
    place.run(["fsck"]).ok();
    place.run(["rm", "R", "--reason", "over"]).ok();
    assert_eq!(sql(&place, "SELECT count(*) FROM pack"), "0");
    place.run(["verify", "--all"]).ok();
}

#[test]
fn a_forged_statement_is_refused() {
    let place = place(5);
    prune(&place, &["--max-delete", "2"]);
    let statement = "(SELECT pos FROM fact WHERE CAST(body AS TEXT) LIKE '%\"pruned\"%')";
    sql(
        &place,
        &format!(
            "UPDATE fact SET body = CAST(replace(CAST(body AS TEXT), '\"by\":\"', '\"by\":\"x') AS BLOB) WHERE pos = {statement}"
        ),
    );
    let said = place.run(["verify", "R"]);
    assert_eq!(said.status, 1, "{}", said.stdout);
    assert!(said.stdout.contains("altered-fact"), "{}", said.stdout);
}
