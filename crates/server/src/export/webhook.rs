//! One signed notice of each decision, to whoever waits for it.

use crate::analysis::report::Report;
use crate::analysis::tally::Tally;
use crate::error::ServerError;
use crate::outgoing::Endpoint;
use agentprov_model::hmac::hmac_sha256;
use agentprov_model::schema;
use agentprov_store::{JobRow, JobState};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A receiver of notices.
///
/// The body is JSON; `X-Agentprov-Signature: sha256=<hex>` is its HMAC under the shared key, as in notices of risks.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub endpoint: Endpoint,
    /// The shared key.
    pub key: Vec<u8>,
    /// What addresses of analyses begin with, where that is known.
    pub base_url: Option<String>,
}

impl Webhook {
    pub(super) fn send(&self, notice: &Value) -> Result<(), String> {
        let body = notice.to_string().into_bytes();
        let signature = format!("sha256={}", HEXLOWER.encode(&hmac_sha256(&self.key, &body)));
        self.endpoint.post_signed(&signature, &body)
    }

    /// What is told of an analysis that has ended: what was decided, not the code that it is about.
    ///
    /// # Errors
    /// [`ServerError::Kept`] where what is kept of it can't be read.
    pub(super) fn notice(&self, row: &JobRow, output: Option<&[u8]>) -> Result<Value, ServerError> {
        let mut notice = match row.state {
            JobState::Failed => json!({"event_type": "analysis_failed", "error": row.problem}),
            _ => decided(row, output.unwrap_or_default())?,
        };
        let kind = notice["event_type"].as_str().unwrap_or_default();
        notice["event_id"] = json!(format!("{}/{kind}", row.id));
        notice["schema_version"] = json!(schema::v1("review_notice"));
        notice["analysis_id"] = json!(row.id);
        notice["ended_at"] = json!(row.updated.to_rfc3339());
        if let Some(base) = &self.base_url {
            notice["status_url"] = json!(format!("{base}/analysis/{}", row.id));
        }
        Ok(notice)
    }
}

fn decided(row: &JobRow, output: &[u8]) -> Result<Value, ServerError> {
    let report: Report = serde_json::from_slice(output)
        .map_err(|error| ServerError::Kept { id: row.id.clone(), why: error.to_string() })?;
    let tally = Tally::read(row)?;
    let mut by_severity: BTreeMap<&str, u64> = BTreeMap::new();
    for severity in report.findings.iter().filter_map(|finding| finding["severity"].as_str()) {
        *by_severity.entry(severity).or_default() += 1;
    }
    Ok(json!({
        "event_type": "decision",
        "repo_id": tally.repo,
        "pr_number": tally.pr_number,
        "branch": tally.branch,
        "decision_id": report.decision_id,
        "decided_at": report.decided_at,
        "outcome": report.outcome,
        "rationale": report.rationale,
        "policy_version": report.policy_version,
        "findings_by_severity": by_severity,
    }))
}
