//! Detectors of the user's in a review: named by an option or a policy, and what becomes of those that misbehave.

use crate::place::{Place, Said};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ANSWER: &str = r#"cat > /dev/null; echo '{"findings": [
  {"path": "a.py", "line": 1, "rule": "team.rule", "severity": "critical", "message": "not here"}]}'"#;

/// A change of one line that no built-in rule minds.
fn change() -> Place {
    let place = Place::with_git(&[("README", "read\n")]);
    place.write("a.py", "x = 1\n");
    place
}

fn program(place: &Place, name: &str, body: &str) -> PathBuf {
    let file = place.root().join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{body}\n")).expect("a program");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("it may run");
    file
}

fn review(place: &Place, arguments: &[&str]) -> Said {
    place.run(["review", "--worktree", "--semgrep", "off", "--json"].iter().chain(arguments))
}

fn gaps(document: &Value) -> Vec<String> {
    document["gaps"].as_array().expect("gaps").iter().map(Value::to_string).collect()
}

#[test]
fn a_detector_of_an_option_blocks() {
    let place = change();
    let detector = program(&place, "team", ANSWER);
    assert_eq!(review(&place, &[]).ok().json()["outcome"], "allow");
    let said = review(&place, &["--detector", detector.to_str().expect("a path")]);
    assert_eq!((said.status, said.json()["findings"][0]["engine"].as_str()), (1, Some("team")));
    assert_eq!(said.json()["gaps"], serde_json::json!([]));
}

#[test]
fn a_detector_that_misbehaves_is_a_gap() {
    let place = change();
    for (name, body, word) in [
        ("fails", "exit 3", "exit status: 3"),
        ("babbles", "echo hello", "not understood"),
        ("floods", "while :; do echo 0123456789012345678901234567890123456789; done", "more than 16777216 bytes"),
    ] {
        let detector = program(&place, name, body);
        let document = review(&place, &["--detector", detector.to_str().expect("a path")]).json();
        let gaps = gaps(&document);
        assert!(gaps.len() == 1 && gaps[0].contains(word), "{name}: {gaps:?}");
        assert_eq!(document["outcome"], "warn");
    }
    let gaps = gaps(&review(&place, &["--detector", "no-such-program"]).json());
    assert!(gaps.len() == 1 && gaps[0].contains("no-such-program: not found"), "{gaps:?}");
}

#[test]
fn a_detector_that_hangs_is_ended_in_its_time() {
    let place = change();
    let detector = program(&place, "hangs", "sleep 300");
    let policy = place.root().join("policy.yaml");
    let text = format!("detectors:\n  - command: [{}]\n    timeout_seconds: 1\n", detector.display());
    std::fs::write(&policy, text).expect("a policy");
    let start = Instant::now();
    let document = review(&place, &["--config", policy.to_str().expect("a path")]).json();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let gaps = gaps(&document);
    assert!(gaps.len() == 1 && gaps[0].contains("timed_out"), "{gaps:?}");
}

#[test]
fn what_a_repository_names_runs_only_where_that_is_allowed() {
    let place = change();
    let mark = place.root().join("ran");
    let detector = program(&place, "team", &format!("touch {}\n{ANSWER}", mark.display()));
    let policy = format!("detectors:\n  - {{name: ours, command: [{}]}}\n", detector.display());
    place.write(".agentprov-review.yaml", &policy);
    place.git(&["add", ".agentprov-review.yaml"]);
    place.git(&["commit", "--quiet", "-m", "Policy"]);
    let document = review(&place, &[]).ok().json();
    let gaps = gaps(&document);
    assert!(gaps.len() == 1 && gaps[0].contains("--run-detectors") && !mark.exists(), "{gaps:?}");
    let said = review(&place, &["--run-detectors"]);
    assert!(said.status == 1 && mark.exists(), "{}", said.stderr);
    assert_eq!(said.json()["findings"][0]["engine"], "ours");
}

#[test]
fn capabilities_name_the_engines_and_what_keeps_one_from_running() {
    let place = change();
    let detector = program(&place, "team", ANSWER);
    let with = |detector: &str| {
        let arguments = ["detectors", "capabilities", "--semgrep", "off", "--json", "--detector", detector];
        place.run(arguments).ok().json()["detectors"].clone()
    };
    let engines = with(detector.to_str().expect("a path"));
    assert_eq!((&engines[0]["name"], &engines[1]["name"]), (&"agentprov".into(), &"team".into()));
    for engine in [&engines[0], &engines[1]] {
        assert!(engine["problem"].is_null() && engine["digest"].as_str().is_some_and(|it| it.len() == 64), "{engine}");
    }
    assert!(with("no-such-program")[1]["problem"].is_string());
    let table = place.run(["detectors", "capabilities", "--semgrep", "off"]).ok().stdout;
    assert!(table.starts_with("ENGINE") && table.contains("agentprov") && table.contains("ready"), "{table}");
}
