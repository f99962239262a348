//! A call of a model, in one line.

use super::visible_text;
use agentprov_model::llm::{LlmCall, LlmDeed, LlmOutcome, LlmSaid};

pub(super) fn llm(said: &LlmSaid) -> String {
    match &said.deed {
        LlmDeed::Listening { port, upstreams } => {
            let ways: Vec<String> =
                upstreams.iter().map(|way| format!("{} to {}", way.vendor.name(), visible_text(&way.origin))).collect();
            format!("proxy for calls of models on port {port}: {}", ways.join(", "))
        }
        LlmDeed::Call(call) => one(call),
    }
}

fn one(call: &LlmCall) -> String {
    let model = call.reply.model.as_deref().unwrap_or("(not named)");
    let mut text = format!(
        "model {} of {}: {} {}, {}",
        visible_text(model),
        call.vendor.name(),
        visible_text(&call.method),
        visible_text(&call.path),
        outcome(&call.outcome),
    );
    if let (Some(input), Some(output)) = (call.reply.input_tokens, call.reply.output_tokens) {
        text.push_str(&format!(", {input} tokens in, {output} out"));
    }
    if let Some(reason) = &call.reply.stop_reason {
        text.push_str(&format!(", stopped by {}", visible_text(reason)));
    }
    let asked: Vec<String> =
        call.reply.tool_calls.iter().map(|tool| format!("{} {}", visible_text(&tool.name), tool.id)).collect();
    if !asked.is_empty() {
        text.push_str(&format!(", asks for {}", asked.join(", ")));
    }
    if let Some(why) = &call.reply.not_read {
        text.push_str(&format!(", not read: {}", visible_text(why)));
    }
    text
}

fn outcome(outcome: &LlmOutcome) -> String {
    match outcome {
        LlmOutcome::Completed(status) => format!("status {status}"),
        LlmOutcome::Cancelled(status) => format!("status {status}, broken off by the client"),
        LlmOutcome::Broken(status) => format!("status {status}, broken off by the upstream"),
        LlmOutcome::Abandoned => "given up by the client".to_owned(),
        LlmOutcome::Unreachable(why) => format!("no answer: {}", visible_text(why)),
    }
}
