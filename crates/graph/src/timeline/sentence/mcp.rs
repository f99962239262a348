//! What passed between an agent and an MCP server, in one line.

use super::{command_line, visible_text};
use agentprov_model::mcp::{McpDeed, McpOutcome, McpPeer, McpSaid, ToolChange};

pub(super) fn mcp(said: &McpSaid) -> String {
    format!("mcp {}: {}", visible_text(&said.server), deed(&said.deed))
}

fn deed(deed: &McpDeed) -> String {
    match deed {
        McpDeed::Started { command, .. } => format!("started {}", command_line(command)),
        McpDeed::Ready { client, server, .. } => {
            format!("{} speaks to {}", peer(client.as_ref()), peer(server.as_ref()))
        }
        McpDeed::Tools { tools, changed } if changed.is_empty() && tools.len() == 1 => "1 tool described".to_owned(),
        McpDeed::Tools { tools, changed } if changed.is_empty() => format!("{} tools described", tools.len()),
        McpDeed::Tools { changed, .. } => {
            let changes: Vec<String> = changed.iter().map(change).collect();
            format!("tool descriptions changed: {}", changes.join(", "))
        }
        McpDeed::Request(request) => {
            format!(
                "{} {} asks {}",
                request.from.name(),
                visible_text(&request.id),
                asked(Some(&request.method), request.target.as_deref())
            )
        }
        McpDeed::Response(response) => {
            let outcome = match response.outcome {
                McpOutcome::Completed => "completed".to_owned(),
                McpOutcome::ToolFailed => "failed".to_owned(),
                McpOutcome::Error(code) => format!("refused with error {code}"),
            };
            let asked = asked(response.method.as_deref(), response.target.as_deref());
            format!("{} {} {asked} {outcome}", response.to.name(), visible_text(&response.id))
        }
        McpDeed::Notification { from, method, .. } => format!("{} tells {}", from.name(), visible_text(method)),
        McpDeed::Unreadable { from, why, line } => {
            format!("a line of {} bytes by the {} is no message: {}", line.digest.bytes, from.name(), visible_text(why))
        }
        McpDeed::Ended { unanswered, skipped, status } => ended(unanswered.len(), *skipped, *status),
    }
}

fn ended(unanswered: usize, skipped: u64, status: i32) -> String {
    let mut text = format!("ended with status {status}");
    if unanswered > 0 {
        text.push_str(&format!(", {unanswered} requests unanswered"));
    }
    if skipped > 0 {
        text.push_str(&format!(", {skipped} bytes not looked at"));
    }
    text
}

fn peer(peer: Option<&McpPeer>) -> String {
    let Some(peer) = peer else { return "(not named)".to_owned() };
    match &peer.version {
        Some(version) => format!("{} {}", visible_text(&peer.name), visible_text(version)),
        None => visible_text(&peer.name),
    }
}

fn change(change: &ToolChange) -> String {
    let how = match (&change.was, &change.now) {
        (None, _) => "is new",
        (Some(_), None) => "is gone",
        (Some(_), Some(_)) => "is described otherwise",
    };
    format!("{} {how}", visible_text(&change.name))
}

fn asked(method: Option<&str>, target: Option<&str>) -> String {
    let method = visible_text(method.unwrap_or("(not asked)"));
    match target {
        Some(target) => format!("{method} {}", visible_text(target)),
        None => method,
    }
}
