//! The findings of an analysis as SARIF 2.1.0: what a review gives, with what clients of the service look up.

use crate::analysis::Analyst;
use crate::analysis::report::Judged;
use agentprov_model::EventTime;
use agentprov_review::report::{VersionControl, public_uri, sarif};
use agentprov_store::JobRow;
use serde_json::{Value, json};

/// The name of the tool that clients of the existing service know.
const DRIVER: &str = "Provenance Governance";

impl Analyst {
    /// Where a posted repository is: its own address, or its name on the GitHub that the settings name. A bare name alone does
    /// not say where it is.
    pub(crate) fn repository_uri(&self, repo: &str) -> Option<String> {
        let is_name = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        public_uri(repo).or_else(|| {
            let (owner, name) = repo.split_once('/').filter(|(owner, name)| is_name(owner) && is_name(name))?;
            Some(format!("{}/{owner}/{name}", self.settings.github.as_ref()?.endpoint.web_address()))
        })
    }
}

/// The document of a finished analysis.
pub(crate) fn document(
    judged: &Judged,
    id: &str,
    repository_uri: Option<String>,
    times: (EventTime, EventTime),
) -> Value {
    let branch = judged.payload.branch.clone();
    let version_control = repository_uri.map(|repository_uri| VersionControl { repository_uri, branch });
    let mut document = sarif(&judged.review, &judged.change, version_control.as_ref(), times);
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
