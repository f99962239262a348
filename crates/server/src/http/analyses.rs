//! Taking changes in, and telling what became of them.

use crate::analysis::decide::evidence_of;
use crate::analysis::report::{Report, analysis_id, digest};
use crate::http::call::{Call, Handled, Reply, Shared};
use crate::http::problem::Problem;
use crate::workers::now;
use agentprov_review::change::{Payload, PayloadError, from_payload};
use agentprov_store::{Accepted, JobRow, JobState, NewJob};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Analyses that may wait.
const MAX_WAITING: u64 = 10_000;
const NOT_DECIDED: &str = "the analysis is not decided yet";

/// `POST /v1/analysis`
pub(crate) fn submit(shared: &Shared, call: &Call) -> Handled {
    let payload = read(shared, &call.body)?;
    // What is stored is the payload as it was understood: equal changes have equal inputs, however they are spelled.
    let input =
        serde_json::to_vec(&payload).map_err(|error| Problem::new(422, "invalid-request", error.to_string()))?;
    drop(payload);
    let inputs = digest(&input);
    let id = analysis_id(inputs);
    let key = call.idempotency_key.as_deref();
    let job = NewJob { id: &id, digest: inputs, subject: "analysis", input: &input, key };
    let accepted = shared.with_queue(|queue| Ok(queue.accept(job, MAX_WAITING, now())?))?;
    let id = match accepted {
        Accepted::New => {
            shared.caller.ring();
            id
        }
        Accepted::Known(known) => known,
        Accepted::KeyUsed => {
            let why = "the key was used before, for another change";
            return Err(Problem::field(&["header", "Idempotency-Key"], "reused", why).with_status(409, "conflict"));
        }
        Accepted::Full => return Err(Problem::new(429, "queue-full", format!("{MAX_WAITING} analyses wait already"))),
    };
    let row = shared.with_queue(|queue| job_of(queue.get(&id)?, &id))?;
    let prefix = shared.analyst.settings.prefix.as_str();
    let status_url = format!("{}{prefix}/analysis/{id}", call.base_url);
    Ok(Reply::Json(202, json!({"analysis_id": id, "status": status(row.state), "status_url": status_url})))
}

/// Reads and checks everything before anything is stored.
fn read(shared: &Shared, body: &[u8]) -> Result<Payload, Problem> {
    let payload: Payload = parsed(body)?;
    let change = from_payload(&payload).map_err(refused)?;
    if !payload.evidence.is_empty() {
        shared.analyst.attribution(&payload, &change).map_err(refused)?;
    }
    Ok(payload)
}

/// A body as what it has to be.
///
/// # Errors
/// A problem with the place of the field that is wrong.
pub(crate) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string().replace('[', ".").replace(']', "");
        let place: &[&str] = if path == "." { &["body"] } else { &["body", &path] };
        Problem::field(place, "invalid", error.inner().to_string())
    })?;
    reader.end().map_err(|error| Problem::field(&["body"], "invalid", error.to_string()))?;
    Ok(value)
}

fn refused(error: PayloadError) -> Problem {
    if error.too_large {
        return Problem::new(413, "too-large", error.to_string());
    }
    Problem::field(&["body", &error.field], "invalid", error.what)
}

fn job_of(row: Option<JobRow>, id: &str) -> Result<JobRow, Problem> {
    row.ok_or_else(|| Problem::not_found(format!("no analysis '{id}'")))
}

fn status(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "received",
        JobState::Running => "in_progress",
        JobState::Done => "completed",
        JobState::Failed => "failed",
    }
}

/// The row of an analysis, and its report where it has one.
fn look_up(shared: &Shared, id: &str) -> Result<(JobRow, Option<Report>), Problem> {
    let (row, output) = shared.with_queue(|queue| {
        let row = job_of(queue.get(id)?, id)?;
        Ok((row, queue.output(id)?))
    })?;
    let read = |bytes: Vec<u8>| {
        serde_json::from_slice(&bytes)
            .map_err(|_| Problem::new(500, "internal", format!("what is kept of analysis '{id}' can't be read")))
    };
    Ok((row, output.map(read).transpose()?))
}

/// What was decided, or why there is no decision.
///
/// # Errors
/// A problem where nothing is decided.
pub(crate) fn decided(shared: &Shared, id: &str) -> Result<Report, Problem> {
    match look_up(shared, id)? {
        (_, Some(report)) => Ok(report),
        (JobRow { state: JobState::Failed, problem, .. }, None) => {
            Err(Problem::not_found(format!("the analysis failed: {}", problem.unwrap_or_default())))
        }
        (_, None) => Err(Problem::not_found(NOT_DECIDED)),
    }
}

/// `GET /v1/analysis/{id}`
pub(crate) fn show(shared: &Shared, call: &Call) -> Handled {
    let (row, report) = look_up(shared, &call.id)?;
    let decision = report.as_ref().map(|report| {
        let (repo, pr) = subject(&row);
        json!({
            "decision_id": report.decision_id,
            "analysis_id": row.id,
            "repo_id": repo,
            "pr_number": pr,
            "decided_at": report.decided_at,
            "outcome": report.outcome,
            "rationale": report.rationale,
            "reasons": report.reasons,
            "provenance_status": report.provenance_status,
            "policy_version": report.policy_version,
            "evidence_links": evidence_of(&report.reasons),
        })
    });
    Ok(Reply::Json(
        200,
        json!({
            "analysis_id": row.id,
            "status": status(row.state),
            "created_at": row.accepted.to_rfc3339(),
            "updated_at": row.updated.to_rfc3339(),
            "attempts": row.attempts,
            "findings_total": report.as_ref().map_or(0, |report| report.findings.len()),
            "risk_summary": report.as_ref().map_or_else(|| json!({}), |report| report.risk_summary.clone()),
            "gaps": report.as_ref().map_or_else(Vec::new, |report| report.gaps.clone()),
            "decision": decision,
            "enrichment": report.as_ref().and_then(enrichment),
            "error": row.problem,
        }),
    ))
}

/// What asking GitHub came to; none where it was not asked.
fn enrichment(report: &Report) -> Option<Value> {
    let missing = report.pull_request.as_ref().map(|pull| &pull.missing);
    match (missing, &report.asked_in_vain) {
        (Some(missing), _) if missing.is_empty() => Some(json!({"status": "complete", "missing": []})),
        (Some(missing), _) => Some(json!({"status": "partial", "missing": missing})),
        (None, Some(why)) => Some(json!({"status": "failed", "missing": [why]})),
        (None, None) => None,
    }
}

fn subject(row: &JobRow) -> (Value, Value) {
    let summary: Value =
        row.summary.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    (summary["repo"].clone(), summary["pr_number"].clone())
}

/// `GET /v1/analysis/{id}/decision`
pub(crate) fn decision(shared: &Shared, call: &Call) -> Handled {
    let report = decided(shared, &call.id)?;
    Ok(Reply::Json(
        200,
        json!({
            "analysis_id": report.analysis_id,
            "decision_id": report.decision_id,
            "decision": report.outcome,
            "rationale": report.rationale,
            "reasons": report.reasons,
            "decided_at": report.decided_at,
            "evidence_links": evidence_of(&report.reasons),
            "risk_summary": report.risk_summary,
            "provenance_status": report.provenance_status,
            "provenance_confidence": report.provenance_confidence,
            "policy_version": report.policy_version,
        }),
    ))
}

/// `GET /v1/analysis/{id}/bundle`
pub(crate) fn bundle(shared: &Shared, call: &Call) -> Handled {
    let report = decided(shared, &call.id)?;
    Ok(Reply::Json(
        200,
        json!({
            "analysis_id": report.analysis_id,
            "request_id": format!("rq_{}-{}", report.policy_version, report.analysis_id),
            "bundle": report.bundle,
            "statement": report.statement,
        }),
    ))
}

/// `GET /v1/analysis/{id}/sarif`
pub(crate) fn sarif(shared: &Shared, call: &Call) -> Handled {
    let (row, report) = look_up(shared, &call.id)?;
    let document = report.map_or_else(|| crate::analysis::sarif::unfinished(&row), |report| report.sarif);
    Ok(Reply::Bytes("application/sarif+json", document.to_string().into_bytes()))
}

/// `GET /v1/analysis/{id}/input`: the bytes that the decision's input digest is of.
pub(crate) fn input(shared: &Shared, call: &Call) -> Handled {
    let input = shared.with_queue(|queue| Ok(queue.input(&call.id)?))?;
    let input = input.ok_or_else(|| Problem::not_found(format!("no analysis '{}'", call.id)))?;
    Ok(Reply::Bytes("application/json", input))
}
