//! What GitHub knows of a pull request, from a server of our own: it decides, and is counted, and its absence costs nothing.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place};
use crate::service::{Daemon, change};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

const HEAD: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A server that answers as GitHub does, and notes what it was asked.
struct Hub {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn start(answers: fn(&str) -> Option<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let path = answer(stream, answers);
                noted.lock().expect("no panic").push(path);
            }
        });
        Self { url, asked }
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("PROVENANCE_GITHUB_TOKEN", "secret-token"),
            ("PROVENANCE_GITHUB_BASE_URL", &self.url),
            ("PROVENANCE_GITHUB_REVIEWER_TEAM_MAP", r#"{"al": "core", "kim": "core"}"#),
            ("PROVENANCE_GITHUB_TEAM_REVIEW_BUDGETS", r#"{"Core": 1}"#),
        ]
    }
}

fn answer(mut stream: TcpStream, answers: fn(&str) -> Option<Value>) -> String {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
    }
    let target = head.split(' ').nth(1).expect("a target").to_owned();
    let path = target.split('?').next().unwrap_or_default();
    let known = head.to_ascii_lowercase().contains("authorization: bearer secret-token");
    let (status, body) = match answers(path) {
        _ if !known => ("401 Unauthorized", json!({"message": "Bad credentials"})),
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", json!({"message": "Not Found"})),
    };
    let body = body.to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}");
    write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").expect("it reads");
    target
}

fn user(login: &str) -> Value {
    json!({"login": login, "type": if login.ends_with("[bot]") { "Bot" } else { "User" }})
}

fn review(login: &str, state: &str, at: &str) -> Value {
    json!({"user": user(login), "state": state, "submitted_at": at})
}

/// A pull request that was merged over a bot, with two people, a forced push and a red check.
fn merged(path: &str) -> Option<Value> {
    let commit = |sha: &str, message: &str, at: &str| {
        let author = json!({"name": "Jo", "email": "jo@example.org", "date": at});
        json!({"sha": sha, "author": user("jo"), "commit": {"message": message, "author": author}})
    };
    Some(match path.strip_prefix("/repos/org/name/")? {
        "pulls/1" => json!({
            "user": user("jo"), "created_at": "2026-01-01T00:00:00Z", "merged_at": "2026-01-02T00:00:00Z",
            "merged_by": user("jo"), "review_comments": 3, "labels": [{"name": "Agent:devin"}],
        }),
        "pulls/1/reviews" => json!([
            review("lint[bot]", "CHANGES_REQUESTED", "2026-01-01T01:00:00Z"),
            review("al", "COMMENTED", "2026-01-01T02:00:00Z"),
            review("kim", "APPROVED", "2026-01-01T04:00:00Z"),
            review("jo", "COMMENTED", "2026-01-01T00:30:00Z"),
            {"user": null, "state": "COMMENTED", "submitted_at": "2026-01-01T05:00:00Z"},
        ]),
        "pulls/1/commits" => json!([
            commit("c1", "Work\n\nCo-authored-by: Claude <noreply@anthropic.com>", "2026-01-01T00:00:00Z"),
            commit("c2", "Mend", "2026-01-01T03:00:00Z"),
        ]),
        "issues/1/events" => json!([
            {"event": "head_ref_force_pushed", "created_at": "2026-01-01T06:00:00Z"},
            {"event": "labeled", "created_at": "2026-01-01T06:00:00Z"},
        ]),
        rest if rest == format!("commits/{HEAD}/check-runs") => json!({"check_runs": [
            {"name": "build", "status": "completed", "conclusion": "failure"},
            {"name": "docs", "status": "completed", "conclusion": "skipped"},
            {"name": "slow", "status": "in_progress", "conclusion": null},
        ]}),
        rest if rest == format!("commits/{HEAD}/status") => json!({"statuses": []}),
        _ => return None,
    })
}

/// Only the pull request itself can be read.
fn in_part(path: &str) -> Option<Value> {
    path.ends_with("/pulls/1").then(|| merged(path)).flatten()
}

fn nothing(_: &str) -> Option<Value> {
    None
}

fn decided(daemon: &Daemon, change: &Value) -> Value {
    let (status, accepted) = daemon.post("", change);
    assert_eq!(status, 202, "{accepted}");
    daemon.decided(accepted["analysis_id"].as_str().expect("an id"))
}

#[test]
fn reviews_decide_and_are_counted_once_for_each_pull_request() {
    let place = Place::new();
    let hub = Hub::start(merged);
    let daemon = Daemon::start_with(&place, &[], &hub.settings());
    let mut posted = change(1, 3, "x = 1");
    let lines = &mut posted["provenance_data"]["changed_lines"];
    lines[1]["attribution"] = json!({"agent_id": "", "commit_sha": "c1"});
    lines[2]["attribution"] = json!({"agent_id": ""});
    let shown = decided(&daemon, &posted);
    assert_eq!(shown["enrichment"], json!({"status": "complete", "missing": []}), "{shown}");
    assert_eq!(shown["decision"]["outcome"], "warn", "{shown}");
    assert_eq!(shown["decision"]["evidence_links"], json!(["provenance:github_review"]), "{shown}");
    let summary = &shown["risk_summary"];
    assert_eq!((&summary["bot_block_overrides"], &summary["force_push_after_approval"]), (&json!(1), &json!(true)));
    // Six requests, however many lines there are.
    assert_eq!(hub.asked.lock().expect("no panic").len(), 6);

    let point = |metric: &str| daemon.get(&format!("/v1/analytics/summary?metric={metric}")).1["result"].clone();
    let agents: Vec<Value> = point("code_volume")["data"].as_array().expect("points").clone();
    let agents: Vec<&str> = agents.iter().filter_map(|point| point["agent_id"].as_str()).collect();
    assert_eq!(agents, ["claude-code", "codex", "devin"]);
    for (metric, value) in [
        ("human_reviewer_count", 3.0),
        ("avg_human_reviewers", 3.0),
        ("review_comments", 3.0),
        ("bot_block_events", 1.0),
        ("bot_block_overrides", 1.0),
        ("time_to_first_review_hours", 2.0),
        ("time_to_first_approval_hours", 4.0),
        ("time_to_merge_hours", 24.0),
        ("ci_run_count", 3.0),
        ("ci_failure_count", 1.0),
        ("force_push_after_approval", 1.0),
        ("agent_commit_ratio", 0.5),
        ("commit_lead_time_hours", 3.0),
    ] {
        // Three agents share it: in all it is one.
        assert_eq!(point(metric)["total"]["value"], json!(value), "{metric}: {}", point(metric));
    }
    let load = daemon.get("/v1/analytics/review-load").1;
    assert_eq!(load["load"].as_array().map(Vec::len), Some(3), "{load}");
    let teams = daemon.get("/v1/analytics/review-load/teams").1["load"].clone();
    let expected = json!([{"team": "(unmapped)", "human_reviewers": 1}, {"team": "core", "human_reviewers": 2}]);
    assert_eq!(teams, expected);
    let over = daemon.get("/v1/analytics/review-load/teams/alerts").1["alerts"].clone();
    assert_eq!(over, json!([{"team": "core", "human_reviewers": 2, "budget": 1, "overage": 1}]));
    let alerts = daemon.get("/v1/analytics/review-alerts").1["alerts"].clone();
    assert_eq!(alerts[0]["override_details"][0]["bot"], "lint[bot]", "{alerts}");
    assert!(alerts[0]["merged_at"].as_str().is_some_and(|time| time.starts_with("2026-01-02T00:00:00")), "{alerts}");
    let failures = daemon.get("/v1/analytics/ci-failure-heatmap?agent_id=codex").1["failures"].clone();
    assert_eq!((&failures[0]["name"], &failures[0]["count"]), (&json!("build"), &json!(1)), "{failures}");
    let drifts = daemon.get("/v1/analytics/review-drift").1["drifts"].clone();
    assert_eq!((&drifts[0]["ratio"], &drifts[0]["no_bot_baseline"]), (&json!(3.0), &json!(false)), "{drifts}");

    // The decision can be computed anew without asking again.
    let id = shown["analysis_id"].as_str().expect("an id");
    let bundle = daemon.get(&format!("/v1/analysis/{id}/bundle")).1;
    let statement = place.write("decision.json", bundle["statement"].to_string());
    let mut command = Command::new(PROGRAM);
    let output = place.surround(command.args(["verify", "--statement"]).arg(statement)).output_in_time();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(hub.asked.lock().expect("no panic").len(), 6);
}

#[test]
fn what_github_does_not_say_is_told_and_costs_no_decision() {
    for (answers, status, why) in
        [(in_part as fn(&str) -> Option<Value>, "partial", "reviews: "), (nothing, "failed", "404")]
    {
        let place = Place::new();
        let hub = Hub::start(answers);
        let daemon = Daemon::start_with(&place, &[], &hub.settings());
        let shown = decided(&daemon, &change(1, 1, "x = 1"));
        assert_eq!(
            (&shown["status"], &shown["decision"]["outcome"]),
            (&json!("completed"), &json!("allow")),
            "{shown}"
        );
        assert_eq!(shown["enrichment"]["status"], status, "{shown}");
        assert!(shown["enrichment"]["missing"][0].as_str().is_some_and(|text| text.contains(why)), "{shown}");
        let text = std::fs::read(place.data_dir().join("store.db")).expect("the store");
        assert!(!text.windows(12).any(|part| part == b"secret-token"));
    }
}
