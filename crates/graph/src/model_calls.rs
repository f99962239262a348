//! Calls of models that passed a recording's proxy.

use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::llm::{LlmCall, LlmDeed, LlmSaid};
use agentprov_model::{AttemptNo, EventType, Fact, What};
use agentprov_store::{Reader, RunRow, Seq};

/// The call of a fact, where it is one.
pub fn model_call(fact: &Fact) -> Option<&LlmCall> {
    match &fact.what {
        What::Llm(said) => said.call(),
        _ => None,
    }
}

/// Calls of a run that asked for this tool call, in the order of the log.
///
/// # Errors
/// What the store says.
pub fn asked_for(reader: &Reader, run: &RunRow, tool_call: &str) -> Result<Vec<(Seq, Fact)>, GraphError> {
    let mut calls = facts_of_type(reader, run, EventType::LlmCall)?;
    calls.retain(|(_, fact)| {
        model_call(fact).is_some_and(|call| call.reply.tool_calls.iter().any(|tool| tool.id.as_str() == tool_call))
    });
    Ok(calls)
}

/// What a proxy that nothing passed does not show; None where there was no proxy, or calls passed it.
///
/// # Errors
/// What the store says.
pub fn silence(reader: &Reader, run: &RunRow, only: Option<AttemptNo>) -> Result<Option<String>, GraphError> {
    let of_attempt = |fact: &Fact| only.is_none_or(|only| fact.attempt == only);
    let proxies = facts_of_type(reader, run, EventType::LlmProxy)?;
    let waited = proxies.iter().any(|(_, fact)| of_attempt(fact) && is_listening(&fact.what));
    if !waited || facts_of_type(reader, run, EventType::LlmCall)?.iter().any(|(_, fact)| of_attempt(fact)) {
        return Ok(None);
    }
    Ok(Some("llm_proxy: no call of a model passed the proxy; what was called past it is not known".to_owned()))
}

fn is_listening(what: &What) -> bool {
    matches!(what, What::Llm(said) if matches!(**said, LlmSaid { deed: LlmDeed::Listening { .. }, .. }))
}
