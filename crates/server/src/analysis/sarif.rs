//! The findings of an analysis as SARIF 2.1.0: what a review gives, with what clients of the service look up.

use crate::analysis::report::Judged;
use agentprov_model::EventTime;
use agentprov_review::report::sarif;
use agentprov_store::JobRow;
use serde_json::{Value, json};

/// The name of the tool that clients of the existing service know.
const DRIVER: &str = "Provenance Governance";

/// The document of a finished analysis.
pub(crate) fn document(judged: &Judged, id: &str, created: EventTime, ended: EventTime) -> Value {
    let mut document = sarif(&judged.review, &judged.change, created, ended);
    let run = &mut document["runs"][0];
    run["tool"]["driver"]["name"] = json!(DRIVER);
    run["automationDetails"]["id"] = json!(format!("agentprov/{id}"));
    for result in run["results"].as_array_mut().into_iter().flatten() {
        let properties = &mut result["properties"];
        properties["analysis_id"] = json!(id);
        properties["repo_id"] = json!(judged.payload.repo);
        properties["pr_number"] = json!(judged.payload.pr_number);
    }
    document
}

/// The document of an analysis that has no findings yet, or will not have any.
pub(crate) fn unfinished(row: &JobRow) -> Value {
    let why = row.problem.as_deref().unwrap_or("the analysis is not finished");
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": DRIVER, "rules": []}},
            "invocations": [{
                "executionSuccessful": false,
                "startTimeUtc": row.accepted.to_rfc3339(),
                "endTimeUtc": row.updated.to_rfc3339(),
                "toolExecutionNotifications": [{"level": "error", "message": {"text": why}}],
            }],
            "results": [],
        }],
    })
}
