//! What each agent did in a window.

use crate::analytics::selection::{Group, GroupBy, Selection};
use crate::analytics::window::Window;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Figures that need data of pull requests, which nobody told us.
const NOT_MEASURED: &[&str] = &[
    "review_comment_count",
    "unique_reviewers",
    "review_events",
    "agent_comment_mentions",
    "comment_threads",
    "reopened_threads",
    "human_reviewer_count",
    "ci_run_count",
    "ci_failure_count",
    "ci_failed_checks",
    "force_push_events",
    "rewrite_loops",
    "human_followup_commits",
    "human_followup_commits_fast",
    "bot_review_events",
    "bot_block_events",
    "bot_block_overrides",
    "bot_block_resolved",
    "bot_informational_events",
    "bot_approval_events",
    "bot_comment_count",
    "bot_reviewer_count",
    "bot_blocking_reviewer_count",
    "bot_informational_only_reviewer_count",
    "force_push_after_approval_count",
    "agent_response_rate",
    "agent_commit_ratio",
    "agent_response_p50_hours",
    "agent_response_p90_hours",
    "ci_time_to_green_hours",
    "commit_lead_time_hours",
    "ci_latest_status",
];
/// Lines of a path from which on it is hot.
const HOT_LINES: u64 = 3;
const HOT_FILES: usize = 5;
const TOP_PATHS: usize = 3;

/// The part `report` of the answer.
pub fn report(selection: &Selection, window: Window, top_categories: usize) -> Value {
    let groups = selection.groups(GroupBy::Agent);
    let snapshots: Vec<Value> = groups
        .iter()
        .filter(|(_, group)| group.counts.lines() > 0)
        .map(|(agent, group)| snapshot(agent, group, top_categories))
        .collect();
    json!({
        "window_start": window.since.to_rfc3339(),
        "window_end": window.now.to_rfc3339(),
        "snapshots": snapshots,
    })
}

fn snapshot(agent: &str, group: &Group, top_categories: usize) -> Value {
    let counts = &group.counts;
    let churn = counts.modified + counts.deleted;
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let by_category: BTreeMap<String, u64> =
        counts.findings.iter().map(|(category, severities)| (category.clone(), severities.values().sum())).collect();
    let hot: BTreeMap<String, u64> = counts
        .paths
        .iter()
        .filter(|(_, lines)| **lines >= HOT_LINES)
        .map(|(path, lines)| (path.clone(), *lines))
        .collect();
    let mut snapshot = Map::new();
    let measured = json!({
        "agent_id": agent,
        "code_volume": counts.lines(),
        "churn_lines": churn,
        "churn_rate": share(churn, counts.lines()),
        "avg_line_complexity": share(counts.characters, counts.scored),
        "max_line_complexity": (counts.scored > 0).then_some(counts.longest),
        "top_vulnerability_categories": pairs(most(&by_category, top_categories)),
        "findings_by_severity": counts.by_severity(),
        "top_paths": pairs(most(&counts.top_paths, TOP_PATHS)),
        "hot_files": most(&hot, HOT_FILES).into_iter().map(|(path, _)| path).collect::<Vec<_>>(),
        "classification_breakdown": {},
        "reviewer_association_breakdown": {},
        "human_reviewer_teams": {},
        "ci_failed_check_names": {},
        "ci_failure_contexts": {},
        "not_measured": NOT_MEASURED,
    });
    if let Value::Object(measured) = measured {
        snapshot.extend(measured);
    }
    snapshot.extend(NOT_MEASURED.iter().map(|name| ((*name).to_owned(), Value::Null)));
    Value::Object(snapshot)
}

/// The largest, of equal ones the first by name.
fn most(counts: &BTreeMap<String, u64>, limit: usize) -> Vec<(String, u64)> {
    let mut sorted: Vec<(String, u64)> = counts.iter().map(|(name, count)| (name.clone(), *count)).collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    sorted.truncate(limit);
    sorted
}

fn pairs(list: Vec<(String, u64)>) -> BTreeMap<String, u64> {
    list.into_iter().collect()
}
