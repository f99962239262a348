//! Who reviews what: views over pull requests, of which each counts once however many agents share it.

use crate::analytics::selection::{Group, GroupBy, Selection};
use crate::github::pull_request::PullRequest;
use crate::github::summary::{Block, Summary};
use crate::settings::Teams;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// People in no team of the map.
const UNMAPPED: &str = "(unmapped)";

fn summaries(group: &Group) -> impl Iterator<Item = Summary<'_>> {
    group.pull_requests.values().map(|pull| Summary(Arc::as_ref(pull)))
}

/// Reviewer and pull request pairs by team.
fn team_load<'g>(pulls: impl Iterator<Item = Summary<'g>>, teams: &Teams) -> BTreeMap<String, u64> {
    let mut load: BTreeMap<String, u64> = BTreeMap::new();
    for human in pulls.flat_map(Summary::humans) {
        let team = teams.of_login.get(&human.to_lowercase()).map_or(UNMAPPED, String::as_str);
        *load.entry(team.to_owned()).or_default() += 1;
    }
    load
}

fn by_agent(selection: &Selection) -> impl Iterator<Item = (String, Group)> {
    selection.groups(GroupBy::Agent).into_iter().filter(|(_, group)| !group.pull_requests.is_empty())
}

/// Reviewers by agent.
pub fn load(selection: &Selection, teams: &Teams) -> Vec<Value> {
    let row = |(agent, group): (String, Group)| {
        let pairs: usize = summaries(&group).map(|pull| pull.humans().len()).sum();
        let distinct: std::collections::BTreeSet<&str> = summaries(&group).flat_map(Summary::humans).collect();
        json!({
            "agent_id": agent,
            "human_reviewers": pairs,
            "distinct_humans": distinct.len(),
            "bot_reviews": summaries(&group).map(|pull| pull.bot_reviews().count()).sum::<usize>(),
            "bot_block_events": summaries(&group).map(|pull| pull.blocks().len()).sum::<usize>(),
            "human_reviewer_teams": team_load(summaries(&group), teams),
            "prs": group.pull_requests.len(),
        })
    };
    by_agent(selection).map(row).collect()
}

/// Reviewers by team.
pub fn teams(selection: &Selection, teams: &Teams) -> Vec<Value> {
    let load = team_load(summaries(&selection.total()), teams);
    load.into_iter().map(|(team, humans)| json!({"team": team, "human_reviewers": humans})).collect()
}

/// Teams over their budget, the most over first.
pub fn team_alerts(selection: &Selection, teams: &Teams) -> Vec<Value> {
    let load = team_load(summaries(&selection.total()), teams);
    let mut over: Vec<(u64, Value)> = Vec::new();
    for (team, humans) in load {
        let budget = teams.budgets.iter().find(|(name, _)| name.to_lowercase() == team.to_lowercase());
        let Some((_, budget)) = budget.filter(|(_, budget)| humans > **budget) else { continue };
        let overage = humans - budget;
        let row = json!({"team": team, "human_reviewers": humans, "budget": budget, "overage": overage});
        over.push((overage, row));
    }
    over.sort_by_key(|(overage, _)| std::cmp::Reverse(*overage));
    over.into_iter().map(|(_, row)| row).collect()
}

/// Agents with overridden blocks or forced pushes after an approval, from so many on.
pub fn alerts(selection: &Selection, threshold: u64) -> Vec<Value> {
    let mut rows: Vec<((u64, u64), Value)> = Vec::new();
    for (agent, group) in by_agent(selection) {
        let overrides: Vec<(&PullRequest, Block<'_>)> =
            summaries(&group).flat_map(|pull| pull.overrides().into_iter().map(move |block| (pull.0, block))).collect();
        let forced = summaries(&group).filter(|pull| pull.force_push_after_approval() == Some(true)).count() as u64;
        let count = overrides.len() as u64;
        if count < threshold && forced < threshold {
            continue;
        }
        let last = overrides.iter().map(|(pull, _)| pull).max_by_key(|pull| pull.merged_at);
        let detail = |(pull, block): &(&PullRequest, Block<'_>)| {
            json!({
                "bot": block.bot, "submitted_at": text(block.at), "state": "changes_requested",
                "merge_actor": pull.merged_by, "merged_at": text(pull.merged_at), "resolved": block.resolved,
            })
        };
        rows.push((
            (count, forced),
            json!({
                "agent_id": agent,
                "bot_block_overrides": count,
                "force_push_after_approval": forced,
                "human_reviewer_count": summaries(&group).map(|pull| pull.humans().len()).sum::<usize>(),
                "bot_block_events": summaries(&group).map(|pull| pull.blocks().len()).sum::<usize>(),
                "merge_actor": last.and_then(|pull| pull.merged_by.clone()),
                "merged_at": last.and_then(|pull| text(pull.merged_at)),
                "override_details": overrides.iter().map(detail).collect::<Vec<_>>(),
            }),
        ));
    }
    rows.sort_by_key(|(counts, _)| std::cmp::Reverse(*counts));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn text(seconds: Option<i64>) -> Option<String> {
    let nanos = seconds?.checked_mul(1_000_000_000)?;
    Some(agentprov_model::EventTime::from_nanos(nanos).to_rfc3339())
}

/// Failed checks by agent, the most frequent first.
pub fn ci_failures(selection: &Selection, limit: usize) -> Vec<Value> {
    let mut rows: Vec<(u64, String, String, u64)> = Vec::new();
    for (agent, group) in by_agent(selection) {
        let mut checks: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for check in group.pull_requests.values().flat_map(|pull| &pull.checks) {
            let (failed, runs) = checks.entry(&check.name).or_default();
            *failed += u64::from(check.failed);
            *runs += 1;
        }
        let failed = checks.into_iter().filter(|(_, (failed, _))| *failed > 0);
        rows.extend(failed.map(|(name, (failed, runs))| (failed, name.to_owned(), agent.clone(), runs)));
    }
    rows.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| (&one.1, &one.2).cmp(&(&other.1, &other.2))));
    rows.truncate(limit);
    let row = |(failed, name, agent, runs): (u64, String, String, u64)| {
        json!({
            "name": name, "count": failed, "agent_id": agent, "runs": runs,
            "failure_rate": failed as f64 / runs as f64,
        })
    };
    rows.into_iter().map(row).collect()
}

/// Agents whose pull requests people look at more often than bots.
pub fn drift(selection: &Selection, humans: u64, ratio: f64, teams: &Teams) -> Vec<Value> {
    let row = |(agent, group): (String, Group)| {
        let people: u64 = summaries(&group).map(|pull| pull.humans().len() as u64).sum();
        let bots: u64 = summaries(&group).map(|pull| pull.bot_reviews().count() as u64).sum();
        let found = (bots > 0).then(|| people as f64 / bots as f64);
        // Without a bot there is nothing to compare with; that is shown, whatever the ratio asked for.
        let wanted = people >= humans && found.is_none_or(|found| found >= ratio);
        wanted.then(|| {
            json!({
                "agent_id": agent, "human_reviewers": people, "bot_reviews": bots, "ratio": found,
                "no_bot_baseline": bots == 0, "human_reviewer_teams": team_load(summaries(&group), teams),
            })
        })
    };
    by_agent(selection).filter_map(row).collect()
}
