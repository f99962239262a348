//! What passes between an agent and an MCP server.

use super::Redactor;
use agentprov_model::Redaction;
use agentprov_model::mcp::{Body, McpDeed, McpSaid};

pub(super) fn redact(redactor: &Redactor, said: &mut McpSaid, receipts: &mut Vec<Redaction>) {
    match &mut said.deed {
        McpDeed::Started { command, .. } => redactor.argv(command, receipts),
        McpDeed::Request(request) => {
            body(redactor, &mut request.params, "params", receipts);
            if let Some(target) = &mut request.target {
                text(redactor, target, receipts);
            }
        }
        McpDeed::Response(response) => {
            body(redactor, &mut response.body, "result", receipts);
            if let Some(target) = &mut response.target {
                text(redactor, target, receipts);
            }
        }
        McpDeed::Notification { params, .. } => body(redactor, params, "params", receipts),
        McpDeed::Ready { .. } | McpDeed::Tools { .. } | McpDeed::Unreadable { .. } | McpDeed::Ended { .. } => {}
    }
}

fn body(redactor: &Redactor, body: &mut Option<Body>, place: &str, receipts: &mut Vec<Redaction>) {
    if let Some(kept) = body.as_mut().and_then(|body| body.kept.as_mut()) {
        redactor.place(kept, place, receipts);
    }
}

/// A resource is named by an address, which can hold a password.
fn text(redactor: &Redactor, target: &mut String, receipts: &mut Vec<Redaction>) {
    let mut bytes = agentprov_model::OsBytes::from(target.as_str());
    redactor.place(&mut bytes, "target", receipts);
    *target = bytes.lossy().into_owned();
}
