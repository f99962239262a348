//! What people decide on findings, and how findings stand.

use crate::analysis::report::Report;
use crate::analytics::lives::lives;
use crate::http::analyses::decided;
use crate::http::call::{Call, Handled, Shared, with_request_id};
use crate::http::problem::Problem;
use crate::workers::now;
use agentprov_review::FindingId;
use agentprov_review::governance::{Waiver, WaiverAction, Waivers};
use serde::Deserialize;
use serde_json::{Value, json};

/// Characters of a reason or a name.
const MAX_TEXT: usize = 4096;

/// What a client decides.
#[derive(Deserialize)]
struct Word {
    status: Status,
    reason: String,
    approver_identity: String,
    #[serde(default)]
    until: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Open,
    Suppressed,
}

/// `POST /v1/findings/{id}/status`
pub(crate) fn decide(shared: &Shared, call: &Call) -> Handled {
    let missing = || Problem::not_found(format!("no analysis has a finding '{}'", call.id));
    let finding: FindingId = call.id.parse().map_err(|_| missing())?;
    let word: Word = crate::http::analyses::parsed(&call.body)?;
    for (name, text) in [("reason", &word.reason), ("approver_identity", &word.approver_identity)] {
        if text.trim().is_empty() || text.chars().count() > MAX_TEXT {
            let what = format!("it has to be 1 to {MAX_TEXT} characters, and more than blanks");
            return Err(Problem::field(&["body", name], "invalid", what));
        }
    }
    let action = if word.status == Status::Open { WaiverAction::Reopen } else { WaiverAction::Suppress };
    let at = now().to_rfc3339();
    let waiver = Waiver { finding, action, reason: word.reason, by: word.approver_identity, at, until: word.until };
    if let Some(mistake) = waiver.mistake() {
        return Err(Problem::field(&["body", "until"], "invalid", mistake));
    }
    let known = shared.with_queue(|queue| Ok(lives(queue, None)?))?;
    if !known.values().any(|lives| lives.contains_key(&waiver.finding)) {
        return Err(missing());
    }
    let analyst = &shared.analyst;
    waiver
        .append(&analyst.waiver_file)
        .map_err(|source| crate::ServerError::System { action: "keep what was decided on a finding", source })?;
    let waivers = analyst.waivers(now())?;
    let suppression = waivers.get(&waiver.finding).map(suppression);
    let status = if suppression.is_some() { "suppressed" } else { "open" };
    with_request_id(json!({"finding_id": waiver.finding, "status": status, "suppression": suppression}))
}

fn suppression(waiver: &Waiver) -> Value {
    json!({
        "suppressed_at": waiver.at, "reason": waiver.reason, "approver_identity": waiver.by, "until": waiver.until,
    })
}

/// `GET /v1/analysis/{id}/findings`, as the findings stand now.
pub(crate) fn list(shared: &Shared, call: &Call) -> Handled {
    let offset = call.query.number("offset", 0, 0, u64::from(u32::MAX))? as usize;
    let limit = call.query.number("limit", 100, 1, 1000)? as usize;
    let report = decided(shared, &call.id)?;
    let total = report.findings.len();
    let page = standing(shared, report, offset, limit)?;
    with_request_id(json!({"analysis_id": call.id, "total": total, "findings": page}))
}

fn standing(shared: &Shared, report: Report, offset: usize, limit: usize) -> Result<Vec<Value>, Problem> {
    let waivers: Waivers = shared.analyst.waivers(now())?;
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    // All findings of an analysis are of one pull request.
    let first = report.findings.first().unwrap_or(&Value::Null);
    let pull_request = (text(first, "repo_id"), text(first, "pr_number"));
    let lives = shared.with_queue(|queue| Ok(lives(queue, Some(&pull_request))?))?;
    let mut page: Vec<Value> = report.findings.into_iter().skip(offset).take(limit).collect();
    for finding in &mut page {
        let Ok(id) = text(finding, "finding_id").parse::<FindingId>() else { continue };
        let life = lives.get(&pull_request).and_then(|lives| lives.get(&id));
        let gone = life.and_then(|life| life.remediated.as_ref());
        let waiver = waivers.get(&id);
        let status = match (waiver, gone) {
            (Some(_), _) => "suppressed",
            (None, Some(_)) => "remediated",
            (None, None) => "open",
        };
        finding["status"] = json!(status);
        finding["suppression"] = json!(waiver.map(suppression));
        finding["remediated_at"] = json!(gone.map(|(at, _)| at.to_rfc3339()));
        finding["remediation_analysis_id"] = json!(gone.map(|(_, id)| id));
    }
    Ok(page)
}
