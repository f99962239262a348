//! What people decide on findings, and how findings stand.

use crate::analysis::report::Report;
use crate::analytics::lives::lives;
use crate::http::analyses::decided;
use crate::http::call::{Call, Handled, Shared, with_request_id};
use crate::http::problem::Problem;
use crate::workers::now;
use agentprov_review::FindingId;
use agentprov_review::change::RepositoryId;
use agentprov_review::governance::{SignedWaiver, Waiver, WaiverAction};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

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
    let known = shared.with_queue(|queue| Ok(lives(queue, None)?))?;
    let of_finding = known.values().filter_map(|lives| lives.get(&finding));
    let repositories: BTreeSet<&str> = of_finding.map(|life| life.repo.as_str()).collect();
    let analyst = &shared.analyst;
    let mut held = None;
    for repository in &repositories {
        let waiver = Waiver {
            finding: finding.clone(),
            repository: RepositoryId::Posted((*repository).to_owned()),
            action,
            reason: word.reason.clone(),
            by: word.approver_identity.clone(),
            at: at.clone(),
            until: word.until.clone(),
        };
        if let Some(mistake) = waiver.mistake() {
            return Err(Problem::field(&["body", "until"], "invalid", mistake));
        }
        analyst.keep(&waiver)?;
        held = held.or(analyst.words()?.of(repository, now()).get(&finding).map(suppression));
    }
    if repositories.is_empty() {
        return Err(missing());
    }
    let status = if held.is_some() { "suppressed" } else { "open" };
    with_request_id(json!({"finding_id": finding, "status": status, "suppression": held}))
}

fn suppression(waiver: &SignedWaiver) -> Value {
    let word = &waiver.word;
    json!({
        "suppressed_at": word.at, "reason": word.reason, "approver_identity": word.by, "until": word.until,
        "signed_by": waiver.signed_by,
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
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    // All findings of an analysis are of one pull request.
    let first = report.findings.first().unwrap_or(&Value::Null);
    let pull_request = (text(first, "repo_id"), text(first, "pr_number"));
    let waivers = shared.analyst.words()?.of(&pull_request.0, now());
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
        finding["refused_waiver"] = json!(waivers.refused(&id).filter(|_| waiver.is_none()));
        finding["remediated_at"] = json!(gone.map(|(at, _)| at.to_rfc3339()));
        finding["remediation_analysis_id"] = json!(gone.map(|(_, id)| id));
    }
    Ok(page)
}
