//! Asking GitHub: six requests for each pull request, however many lines it has.

use crate::github::Settings;
use crate::github::pull_request::{Check, Commit, PullRequest, Review, ReviewState};
use agentprov_review::attribution::agent_of_commit;
use serde_json::Value;

/// Entries of one page; what has more is told to be incomplete.
const PAGE: usize = 100;

/// # Errors
/// Why the pull request itself could not be read; for its parts that is told in it.
pub(super) fn fetch(settings: &Settings, repo: &str, number: &str, head: &str) -> Result<PullRequest, String> {
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let parts: Vec<&str> = repo.split('/').collect();
    if parts.len() != 2 || !parts.iter().all(|part| plain(part) && !matches!(*part, "." | "..")) {
        return Err(format!("'{repo}' is no repository as org/name"));
    }
    let login = format!("Bearer {}", settings.token);
    let get = |path: &str| settings.endpoint.get(&format!("/repos/{repo}/{path}"), &login);
    let pull = get(&format!("pulls/{number}"))?;
    let mut learnt = PullRequest {
        author: login_of(&pull["user"]),
        created_at: time(&pull["created_at"]),
        merged_at: time(&pull["merged_at"]),
        merged_by: pull["merged_by"]["login"].as_str().map(str::to_owned),
        review_comments: pull["review_comments"].as_u64().unwrap_or(0),
        label_agent: label_agent(settings, &pull["labels"]),
        ..PullRequest::default()
    };
    let mut missing = Vec::new();
    let mut part = |what: &str, path: &str, list: Option<&str>| -> Vec<Value> {
        let answer = get(&format!("{path}?per_page={PAGE}"));
        let entries = answer.map(|document| match list {
            Some(list) => document[list].as_array().cloned(),
            None => document.as_array().cloned(),
        });
        match entries {
            Ok(Some(entries)) => {
                if entries.len() >= PAGE {
                    missing.push(format!("{what}: only the first {PAGE} were read"));
                }
                entries
            }
            Ok(None) => {
                missing.push(format!("{what}: the answer is not understood"));
                Vec::new()
            }
            Err(why) => {
                missing.push(format!("{what}: {why}"));
                Vec::new()
            }
        }
    };
    learnt.reviews = part("reviews", &format!("pulls/{number}/reviews"), None).iter().filter_map(review).collect();
    learnt.reviews.sort_by_key(|review| review.at);
    let commits = part("commits", &format!("pulls/{number}/commits"), None);
    learnt.commits = commits.iter().map(|row| commit(settings, row)).collect();
    let events = part("events", &format!("issues/{number}/events"), None);
    let forced = events.iter().filter(|event| event["event"] == "head_ref_force_pushed");
    learnt.force_pushes = forced.filter_map(|event| time(&event["created_at"])).collect();
    if plain(head) {
        let runs = part("check runs", &format!("commits/{head}/check-runs"), Some("check_runs"));
        let statuses = part("statuses", &format!("commits/{head}/status"), Some("statuses"));
        learnt.checks = runs.iter().map(check_run).chain(statuses.iter().map(status)).collect();
    } else {
        missing.push("checks: the head is no commit".into());
    }
    learnt.missing = missing;
    Ok(learnt)
}

fn login_of(user: &Value) -> String {
    user["login"].as_str().unwrap_or_default().to_owned()
}

fn time(text: &Value) -> Option<i64> {
    Some(text.as_str()?.parse::<jiff::Timestamp>().ok()?.as_second())
}

fn is_bot(user: &Value) -> bool {
    let login = user["login"].as_str().unwrap_or_default();
    user["type"] == "Bot" || ["[bot]", "-bot", "/bot"].iter().any(|end| login.ends_with(end))
}

fn review(row: &Value) -> Option<Review> {
    let state = match row["state"].as_str()? {
        "APPROVED" => ReviewState::Approved,
        "CHANGES_REQUESTED" => ReviewState::ChangesRequested,
        "DISMISSED" => ReviewState::Dismissed,
        "COMMENTED" => ReviewState::Commented,
        // One that was not handed in is nobody's word yet.
        _ => return None,
    };
    Some(Review { author: login_of(&row["user"]), is_bot: is_bot(&row["user"]), state, at: time(&row["submitted_at"]) })
}

fn commit(settings: &Settings, row: &Value) -> Commit {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let author = &row["commit"]["author"];
    let login = login_of(&row["author"]);
    let named = agent_of_commit(&text(&row["commit"]["message"]), &text(&author["name"]), &text(&author["email"]));
    Commit {
        sha: text(&row["sha"]),
        at: time(&author["date"]),
        agent: named.or_else(|| settings.agents.get(&login.to_lowercase()).cloned()),
        has_author: !login.is_empty(),
    }
}

/// A label with the prefix names an agent, else one of the map.
fn label_agent(settings: &Settings, labels: &Value) -> Option<String> {
    let names: Vec<&str> = labels.as_array()?.iter().filter_map(|label| label["name"].as_str()).collect();
    let prefix = &settings.label_prefix;
    let after_prefix = |name: &&str| {
        let head = name.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix));
        head.map(|_| name[prefix.len()..].trim().to_owned()).filter(|agent| !agent.is_empty())
    };
    let mapped = || names.iter().find_map(|name| settings.agents.get(&name.to_lowercase()).cloned());
    names.iter().find_map(after_prefix).or_else(mapped)
}

fn check_run(row: &Value) -> Check {
    let name = row["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("(unnamed)").to_owned();
    let conclusion = row["conclusion"].as_str().unwrap_or_default();
    Check { name, failed: matches!(conclusion, "failure" | "timed_out" | "action_required" | "startup_failure") }
}

fn status(row: &Value) -> Check {
    let name = row["context"].as_str().filter(|name| !name.is_empty()).unwrap_or("(unnamed)").to_owned();
    Check { name, failed: matches!(row["state"].as_str().unwrap_or_default(), "failure" | "error") }
}
