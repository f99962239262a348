//! Calls of models: a path can hold a key, and what is kept of a text anything.

use super::Redactor;
use agentprov_model::llm::{LlmDeed, LlmOutcome, LlmSaid};
use agentprov_model::mcp::Body;
use agentprov_model::{OsBytes, Redaction};

pub(super) fn redact(redactor: &Redactor, said: &mut LlmSaid, receipts: &mut Vec<Redaction>) {
    let LlmDeed::Call(call) = &mut said.deed else { return };
    text(redactor, &mut call.path, "path", receipts);
    if let LlmOutcome::Unreachable(why) = &mut call.outcome {
        text(redactor, why, "outcome", receipts);
    }
    body(redactor, &mut call.request, "request", receipts);
    if let Some(response) = &mut call.response {
        body(redactor, response, "response", receipts);
    }
}

fn body(redactor: &Redactor, body: &mut Body, place: &str, receipts: &mut Vec<Redaction>) {
    if let Some(kept) = &mut body.kept {
        redactor.place(kept, place, receipts);
    }
}

fn text(redactor: &Redactor, text: &mut String, place: &str, receipts: &mut Vec<Redaction>) {
    let mut bytes = OsBytes::from(text.as_str());
    redactor.place(&mut bytes, place, receipts);
    *text = bytes.lossy().into_owned();
}
