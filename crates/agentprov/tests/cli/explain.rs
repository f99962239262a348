//! `graph explain` from a judgement, over runs, and as a picture.

use crate::place::Place;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

const SECRET: &str = "rules:\n  - id: secret\n    match: {class: secret, access: read}\n    decision: deny\n";

fn edge_kinds(document: &Value) -> Vec<&str> {
    let edges = document["causality_path"].as_array().expect("edges");
    edges.iter().filter_map(|edge| edge["edge_type"].as_str()).collect()
}

#[test]
fn a_risk_is_explained_from_the_deed_to_the_response() {
    let place = Place::new();
    place.write(".env", "A=b\n");
    std::fs::write(place.root().join("rules.yaml"), SECRET).expect("a rule file");
    place.run(["record", "-q", "--run", "r", "--rules", "../rules.yaml", "--", "cat", ".env"]).ok();
    let decisions = place.run(["policy", "decisions", "r", "--json"]).ok().json();
    let decision = decisions["decisions"][0]["id"].as_str().expect("a decision").to_owned();
    let risks = place.run(["security", "risks", "--run", "r", "--json"]).ok().json();
    let risk = risks["risks"][0]["risk"]["id"].as_str().expect("a risk").to_owned();

    let ids = [decision.clone(), risk, format!("policy_decision/{decision}")];
    for id in &ids {
        let document = place.run(["graph", "explain", "--risk", id, "--json"]).ok().json();
        let kinds = edge_kinds(&document);
        for kind in ["runtime_process_event", "runtime_event_policy_decision", "policy_decision_risk_signal"] {
            assert!(kinds.contains(&kind), "{id}: no {kind} in {kinds:?}");
        }
        let summary = document["summary"].to_string();
        assert!(summary.contains(".env") && summary.contains("cat"), "{summary}");
    }
    let event = decisions["decisions"][0]["event_id"].as_str().expect("an event");
    let document = place.run(["graph", "explain", "--event", event, "--json"]).ok().json();
    assert!(edge_kinds(&document).contains(&"runtime_event_policy_decision"), "an event names what judged it");

    let missing = place.run(["graph", "explain", "--risk", "evt-0", "--run", "r"]);
    assert_ne!(missing.status, 0, "{}", missing.stderr);
    assert!(missing.stderr.contains("no risk 'evt-0'"), "{}", missing.stderr);
}

#[test]
fn a_file_is_explained_in_the_latest_run_that_wrote_it() {
    let place = Place::new();
    place.record("writes", "echo one > a.txt").ok();
    place.record("later", "true").ok();
    let document = place.run(["graph", "explain", "--file", "a.txt", "--json"]).ok().json();
    assert_eq!(document["target"]["run_id"], "writes");
}

#[test]
fn a_picture_keeps_to_the_limit_and_graphviz_takes_it() {
    let place = Place::new();
    let script = r#"for i in 1 2 3 4 5 6 7 8 9; do echo "$i" > "odd \"name\" <$i>.txt"; done"#;
    place.run(["record", "-q", "--no-reads", "--run", "many", "--", "sh", "-c", script]).ok();
    let attempt = place.run(["show", "many", "--json"]).ok().json();
    let attempt = attempt["run"]["attempts"][0]["attempt_id"].as_str().expect("an attempt").to_owned();
    let draw = |limit: &str| {
        let words = ["graph", "explain", "--attempt", &attempt, "--depth", "4", "--format", "dot", "--limit", limit];
        place.run(words).ok().stdout
    };
    let (short, whole) = (draw("3"), draw("0"));
    assert_eq!(short.matches(" -> ").count(), 3, "{short}");
    assert!(short.contains("edges left out"), "{short}");
    assert!(whole.matches(" -> ").count() > 20 && !whole.contains("left out"), "{whole}");

    let dot = Command::new("dot").args(["-Tplain"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut dot) = dot else {
        println!("SKIP a_picture_keeps_to_the_limit_and_graphviz_takes_it: graphviz is not installed");
        return;
    };
    dot.stdin.take().expect("a pipe").write_all(whole.as_bytes()).expect("dot reads");
    let drawn = dot.wait_with_output().expect("dot ends");
    let edges = String::from_utf8_lossy(&drawn.stdout).lines().filter(|line| line.starts_with("edge ")).count();
    assert_eq!((drawn.status.success(), edges), (true, whole.matches(" -> ").count()));
}
