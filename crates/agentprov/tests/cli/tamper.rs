//! Changes behind the program's back are refused, each with its own reason.

use crate::bounded::InTime as _;
use crate::place::{Place, Said};
use std::process::Command;

fn sql(place: &Place, text: &str) {
    let output = Command::new("sqlite3").arg(place.data_dir().join("store.db")).arg(text).output_in_time();
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
}

fn recorded() -> Place {
    let place = Place::new();
    place.record("one", "echo 1 >a; echo 2 >b").ok();
    place.record("two", "echo 3 >c").ok();
    place
}

/// What `verify` says of a run after a change.
fn outcomes(said: &Said) -> Vec<String> {
    let findings = |check: &serde_json::Value| check["findings"].as_array().cloned().unwrap_or_default();
    let checks = said.json()["checks"].as_array().cloned().unwrap_or_default();
    checks.iter().flat_map(findings).filter_map(|finding| finding["outcome"].as_str().map(str::to_owned)).collect()
}

#[test]
fn each_kind_of_tampering_has_its_own_reason() {
    let first = "(SELECT no << 40 FROM run WHERE id = 'one')";
    let cases: [(&str, String, &str); 7] = [
        ("flip", format!("UPDATE fact SET body = replace(body, 'sh', 'zh') WHERE pos = {first} + 3"), "altered"),
        ("delete", format!("DELETE FROM fact WHERE pos = {first} + 3"), "missing"),
        (
            "reorder",
            format!(
                "CREATE TEMP TABLE t AS SELECT body FROM fact WHERE pos = {first} + 3;
                 UPDATE fact SET body = (SELECT body FROM fact WHERE pos = {first} + 4) WHERE pos = {first} + 3;
                 UPDATE fact SET body = (SELECT body FROM t) WHERE pos = {first} + 4"
            ),
            "reordered",
        ),
        ("truncate", format!("DELETE FROM fact WHERE pos > {first} + 5 AND pos < {first} + (1 << 40)"), "truncated"),
        (
            "duplicate",
            format!("UPDATE fact SET body = (SELECT body FROM fact WHERE pos = {first} + 3) WHERE pos = {first} + 4"),
            "duplicate",
        ),
        (
            "swap heads",
            "UPDATE run SET checkpoint = (SELECT checkpoint FROM run WHERE id = 'two') WHERE id = 'one'".to_owned(),
            "subject",
        ),
        ("unsign", "UPDATE run SET checkpoint = '' WHERE id = 'one'".to_owned(), "unsigned"),
    ];
    for (name, change, reason) in cases {
        let place = recorded();
        sql(&place, &change);
        let said = place.run(["verify", "one", "--json"]);
        let found = outcomes(&said);
        assert_eq!(said.status, 1, "{name}: {found:?}");
        assert!(found.iter().any(|outcome| outcome.contains(reason)), "{name}: {found:?} lacks {reason}");
        place.run(["verify", "two"]).ok();
    }
}

#[test]
fn a_run_that_vanishes_is_a_hole_in_the_ledger() {
    let place = recorded();
    sql(
        &place,
        "DELETE FROM fact WHERE pos >= (SELECT no << 40 FROM run WHERE id = 'one') AND pos < (SELECT (no + 1) << 40 FROM run WHERE id = 'one'); DELETE FROM run WHERE id = 'one'",
    );
    let said = place.run(["verify", "--all", "--json"]);
    assert_eq!(said.status, 1);
    assert!(outcomes(&said).iter().any(|outcome| outcome.contains("removed")), "{:?}", outcomes(&said));
}

#[test]
fn a_run_removed_in_the_open_leaves_a_tombstone_that_verifies() {
    let place = recorded();
    place.run(["rm", "one", "--reason", "too big"]).ok();
    place.run(["verify", "--all"]).ok();
    let said = place.run(["show", "one"]);
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("removed") && said.stderr.contains("too big"), "{}", said.stderr);
    place.run(["verify", "one"]).ok();
    place.run(["fsck"]).ok();
}

#[test]
fn an_older_copy_of_the_data_dir_put_back_is_noticed() {
    let place = Place::new();
    place.record("one", "true").ok();
    let old = place.root().join("old");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs").success());
    };
    copy(&place.data_dir(), &old);
    place.record("two", "true").ok();
    std::fs::remove_dir_all(place.data_dir()).expect("it can go");
    copy(&old, &place.data_dir());
    let said = place.run(["verify", "one", "--json"]);
    assert_eq!(said.status, 1, "{}", said.stdout);
    assert!(outcomes(&said).iter().any(|outcome| outcome == "rollback"), "{:?}", outcomes(&said));
    // Where nothing is remembered, that is said, and nothing is claimed.
    std::fs::remove_dir_all(place.root().join("state")).expect("it can go");
    let said = place.run(["verify", "one", "--json"]).ok();
    let rollback = said.json()["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|check| check["name"] == "rollback").cloned());
    assert_eq!(rollback.expect("the check is listed")["state"], "skipped");
}

#[test]
fn a_changed_blob_is_found() {
    let place = recorded();
    let blobs = Command::new("find").arg(place.data_dir().join("blobs")).args(["-type", "f"]).output_in_time();
    let text = String::from_utf8_lossy(&blobs.stdout).into_owned();
    let blob = text.lines().next().expect("a blob");
    let mut bytes = std::fs::read(blob).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    // Blobs are read-only files.
    std::fs::remove_file(blob).expect("it can go");
    std::fs::write(blob, bytes).expect("it can be written");
    assert_eq!(place.run(["verify", "--all"]).status, 1);
    let said = place.run(["fsck"]);
    assert_eq!(said.status, 1, "{}", said.stdout);
}
