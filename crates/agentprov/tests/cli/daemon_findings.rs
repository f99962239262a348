//! What becomes of findings: people answer for them, or they go.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place};
use crate::service::{Daemon, change};
use serde_json::{Value, json};
use std::process::Command;

const IMPORT: &str = "import pickle";

/// Posts a push of a pull request and waits for what becomes of it.
fn push(daemon: &Daemon, head: char, content: &str) -> Value {
    let mut change = change(7, 1, content);
    change["head_sha"] = json!(head.to_string().repeat(40));
    let (status, accepted) = daemon.post("", &change);
    assert_eq!(status, 202, "{accepted}");
    daemon.decided(accepted["analysis_id"].as_str().expect("an id"))
}

fn finding(daemon: &Daemon, analysis: &Value) -> Value {
    let id = analysis["analysis_id"].as_str().expect("an id");
    daemon.get(&format!("/v1/analysis/{id}/findings")).1["findings"][0].clone()
}

fn decide(daemon: &Daemon, finding: &str, word: &Value) -> (u16, Value) {
    let token = &daemon.token;
    let head = format!(
        "POST /v1/findings/{finding}/status HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json"
    );
    daemon.ask(&head, &word.to_string())
}

fn point(daemon: &Daemon, metric: &str) -> Value {
    daemon.get(&format!("/v1/analytics/summary?metric={metric}&agent_id=codex")).1["result"]["data"][0].clone()
}

#[test]
fn a_suppressed_finding_counts_no_more_until_it_is_reopened() {
    let place = Place::new();
    let thresholds = [("PROVENANCE_POLICY_BLOCK_THRESHOLDS", "{\"python_insecure_import\": 1}")];
    let daemon = Daemon::start_with(&place, &[], &thresholds);
    let first = push(&daemon, 'b', IMPORT);
    assert_eq!(first["decision"]["outcome"], "block", "{first}");
    let found = finding(&daemon, &first);
    let id = found["finding_id"].as_str().expect("an id").to_owned();
    assert_eq!((&found["status"], &found["suppression"]), (&json!("open"), &Value::Null), "{found}");
    assert_eq!(point(&daemon, "suppression_rate")["value"], json!(0.0));

    let word = json!({"status": "suppressed", "reason": "our own data", "approver_identity": "jo@example"});
    let (status, answer) = decide(&daemon, &id, &word);
    assert_eq!((status, &answer["status"]), (200, &json!("suppressed")), "{answer}");
    let found = finding(&daemon, &first);
    assert_eq!(found["status"], "suppressed", "{found}");
    assert_eq!(found["suppression"]["reason"], "our own data", "{found}");
    assert_eq!(found["suppression"]["approver_identity"], "jo@example", "{found}");
    assert_eq!(point(&daemon, "suppression_rate")["value"], json!(100.0));

    // The decision that was made stays; the next one is another, and says by what.
    let second = push(&daemon, 'c', IMPORT);
    assert_eq!(second["decision"]["outcome"], "allow", "{second}");
    let again = daemon.get(&format!("/v1/analysis/{}", first["analysis_id"].as_str().expect("an id"))).1;
    assert_eq!(again["decision"]["outcome"], "block", "{again}");
    let id_of_second = second["analysis_id"].as_str().expect("an id");
    let bundle = daemon.get(&format!("/v1/analysis/{id_of_second}/bundle")).1;
    // Each is a fact of the log too.
    for (head, outcome) in [("b", "block for "), ("c", "allow for ")] {
        let shown = place.run(["show", &head.repeat(40), "--json"]).ok().json();
        assert!(shown["event"]["summary"].as_str().is_some_and(|text| text.starts_with(outcome)), "{shown}");
    }
    place.run(["verify", "--run", "reviews/org_name"]).ok();
    let (status, _) =
        decide(&daemon, &id, &json!({"status": "open", "reason": "it is not", "approver_identity": "al"}));
    assert_eq!(status, 200);
    assert_eq!(push(&daemon, 'd', IMPORT)["decision"]["outcome"], "block");
    let statement = place.write("decision.json", bundle["statement"].to_string());
    let mut command = Command::new(PROGRAM);
    let output = place.surround(command.args(["verify", "--statement"]).arg(statement)).output_in_time();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));

    // What the service keeps is what `review` reads.
    assert_eq!(place.read(".agentprov/waivers.jsonl").lines().count(), 2);
    for (finding, word, status) in [
        ("fd_00000000000000000000000000000000", word.clone(), 404),
        ("fd_0", word, 404),
        (id.as_str(), json!({"status": "suppressed", "reason": " ", "approver_identity": "jo"}), 422),
        (id.as_str(), json!({"status": "remediated", "reason": "x", "approver_identity": "jo"}), 422),
        (id.as_str(), json!({"status": "suppressed", "reason": "x"}), 422),
        (id.as_str(), json!({"status": "suppressed", "reason": "x", "approver_identity": "jo", "until": "soon"}), 422),
    ] {
        assert_eq!(decide(&daemon, finding, &word).0, status, "{word}");
    }
    assert_eq!(place.read(".agentprov/waivers.jsonl").lines().count(), 2);
}

#[test]
fn a_decision_that_was_touched_or_is_of_another_repository_suppresses_nothing() {
    let place = Place::new();
    let thresholds = [("PROVENANCE_POLICY_BLOCK_THRESHOLDS", "{\"python_insecure_import\": 1}")];
    let daemon = Daemon::start_with(&place, &[], &thresholds);
    let first = push(&daemon, 'b', IMPORT);
    let id = finding(&daemon, &first)["finding_id"].as_str().expect("an id").to_owned();
    // The command line decides for changes that are posted under a name, and only for those.
    for (name, outcome, head) in [("another", "block", 'c'), ("org/name", "allow", 'd')] {
        place.run(["review", "suppress", &id, "--reason", "ours", "--by", "jo", "--repository", name]).ok();
        assert_eq!(push(&daemon, head, IMPORT)["decision"]["outcome"], outcome, "{name}");
    }
    let lines = place.read(".agentprov/waivers.jsonl");
    place.write(".agentprov/waivers.jsonl", lines.replace("\"sig\":\"", "\"sig\":\"AAAA"));
    assert_eq!(push(&daemon, 'e', IMPORT)["decision"]["outcome"], "block");
    let found = finding(&daemon, &first);
    assert_eq!((&found["status"], &found["suppression"]), (&json!("open"), &Value::Null), "{found}");
    assert_eq!(found["refused_waiver"]["why"], "invalid-signature", "{found}");
    // A decision over the API is signed, and answers what did not count.
    let word = json!({"status": "suppressed", "reason": "our own data", "approver_identity": "jo@example"});
    let (status, answer) = decide(&daemon, &id, &word);
    assert_eq!((status, &answer["status"]), (200, &json!("suppressed")), "{answer}");
    assert!(answer["suppression"]["signed_by"].is_string(), "{answer}");
    assert_eq!(push(&daemon, 'f', IMPORT)["decision"]["outcome"], "allow");
}

#[test]
fn a_finding_that_a_later_push_does_not_have_is_remediated() {
    let place = Place::new();
    let daemon = Daemon::start(&place);
    let first = push(&daemon, 'b', IMPORT);
    assert_eq!(point(&daemon, "mttr")["status"], "not_measured");
    let second = push(&daemon, 'c', "import json");
    assert_eq!(second["findings_total"], 0, "{second}");
    let found = finding(&daemon, &first);
    assert_eq!(found["status"], "remediated", "{found}");
    assert_eq!(found["remediation_analysis_id"], second["analysis_id"], "{found}");
    assert!(found["remediated_at"].is_string(), "{found}");
    let mttr = point(&daemon, "mttr");
    assert_eq!((&mttr["denominator"], &mttr["status"]), (&json!(1), &json!("measured")), "{mttr}");
    assert!(mttr["value"].as_f64().is_some_and(|hours| (0.0..0.1).contains(&hours)), "{mttr}");
    // It came back: it is open again.
    push(&daemon, 'd', IMPORT);
    assert_eq!(finding(&daemon, &first)["status"], "open");
    assert_eq!(point(&daemon, "mttr")["status"], "not_measured");
}
