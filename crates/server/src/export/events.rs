//! What is told of an analysis to those who collect: rows by kind, each with an id by which a repetition is known.

use crate::analysis::report::Report;
use crate::analysis::tally::{AgentTally, Tally};
use crate::error::ServerError;
use agentprov_model::schema;
use agentprov_store::{JobRow, JobState};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The events of an analysis that has ended. `output` is what was kept of it.
///
/// # Errors
/// [`ServerError::Kept`] where that can't be read.
pub(super) fn events(row: &JobRow, output: Option<&[u8]>) -> Result<Vec<Value>, ServerError> {
    let mut events = match row.state {
        JobState::Failed => vec![event(row, "analysis_failed", "", json!({"error": row.problem}))],
        _ => done(row, output.unwrap_or_default())?,
    };
    events.iter_mut().for_each(|event| event["timestamp"] = json!(time(row)));
    Ok(events)
}

/// When the analysis ended, as the events of the existing service have it.
fn time(row: &JobRow) -> String {
    row.updated.to_rfc3339().replace('Z', "+00:00")
}

fn done(row: &JobRow, output: &[u8]) -> Result<Vec<Value>, ServerError> {
    let report: Report = serde_json::from_slice(output)
        .map_err(|error| ServerError::Kept { id: row.id.clone(), why: error.to_string() })?;
    let tally = Tally::read(row)?;
    let agents: Vec<Value> = tally.agents.iter().map(|(agent, counts)| agent_metrics(agent, counts)).collect();
    let metrics = json!({
        "repo_id": tally.repo,
        "pr_number": tally.pr_number,
        "total_lines": tally.agents.values().map(AgentTally::lines).sum::<u64>(),
        "total_findings": report.findings.len(),
        "agent_metrics": agents,
        "outcome": report.outcome,
    });
    let mut events = vec![event(row, "analysis_metrics", "", metrics)];
    for finding in report.findings {
        let id = finding["finding_id"].as_str().unwrap_or_default().to_owned();
        events.push(event(row, "finding", &id, finding));
    }
    events.push(event(row, "decision_bundle", "", json!({"payload": report.bundle})));
    Ok(events)
}

fn event(row: &JobRow, kind: &str, part: &str, mut members: Value) -> Value {
    let part = if part.is_empty() { String::new() } else { format!("/{part}") };
    members["event_type"] = json!(kind);
    members["event_id"] = json!(format!("{}/{kind}{part}", row.id));
    members["schema_version"] = json!(schema::v1("review_event"));
    members["analysis_id"] = json!(row.id);
    members
}

fn agent_metrics(agent: &str, counts: &AgentTally) -> Value {
    let churn = counts.modified + counts.deleted;
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let by_category: BTreeMap<&String, u64> =
        counts.findings.iter().map(|(category, severities)| (category, severities.values().sum())).collect();
    json!({
        "agent_id": agent,
        "code_volume": counts.lines(),
        "churn_lines": churn,
        "churn_rate": share(churn, counts.lines()),
        "avg_line_complexity": share(counts.characters, counts.scored),
        "max_line_complexity": (counts.scored > 0).then_some(counts.longest),
        "findings_by_category": by_category,
        "findings_by_severity": counts.by_severity(),
    })
}
