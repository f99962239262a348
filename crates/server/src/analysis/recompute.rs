//! Deciding anew, to see whether a signed decision is what its inputs lead to.

use crate::analysis::Analyst;
use crate::analysis::decide::decision;
use crate::analysis::report::Report;
use crate::error::ServerError;
use crate::settings::Settings;
use agentprov_attest::decision::{DecisionStatement, differences};
use agentprov_model::EventTime;
use agentprov_review::governance::Policy;
use agentprov_store::Store;

/// What a second computation came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recomputed {
    /// The same decision.
    Same,
    /// Another one; each difference in words.
    Different(Vec<String>),
    /// It could not be done, and why.
    Impossible(String),
}

/// Decides anew from the input that the store keeps, under the policy in the statement and the rules of this
/// program. The statement's signature is checked by the caller, before.
///
/// # Errors
/// [`ServerError`] when the store can't be read.
pub fn recompute(store: &Store, signed: &DecisionStatement, settings: Settings) -> Result<Recomputed, ServerError> {
    let wanted = &signed.predicate;
    let Some(input) = store.queue()?.input(&wanted.analysis_id)? else {
        return Ok(Recomputed::Impossible(format!(
            "the input of analysis {} is not in this store",
            wanted.analysis_id
        )));
    };
    let policy: Policy = match serde_json::from_value(wanted.settings.clone()) {
        Ok(policy) => policy,
        Err(error) => return Ok(Recomputed::Impossible(format!("its settings can't be read: {error}"))),
    };
    let analyst = Analyst::new(Settings { policy: policy.clone(), ..settings }, store, wanted.tool.argv.clone())?;
    // What GitHub said then is part of what was decided about.
    let kept = store.queue()?.output(&wanted.analysis_id)?;
    let report: Option<Report> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let asked = report.and_then(|report| report.pull_request);
    let judged = match analyst.judge(&input, policy, asked) {
        Ok(judged) => judged,
        Err(error) => return Ok(Recomputed::Impossible(error.to_string())),
    };
    let computed = decision(&analyst, &judged, &wanted.analysis_id, &EventTime::from_nanos(0).to_rfc3339());
    let found = differences(wanted, &computed);
    // Other rules find other things: that says nothing about the decision.
    if wanted.digests.rules != computed.digests.rules && wanted.digests.inputs == computed.digests.inputs {
        let version = &wanted.tool.version;
        return Ok(Recomputed::Impossible(format!("it was made with other rules (agentprov {version})")));
    }
    Ok(if found.is_empty() { Recomputed::Same } else { Recomputed::Different(found) })
}
