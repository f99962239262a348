//! Whose session file it is, by its lines.

use super::{Kind, claude, codex, text};
use serde_json::Value;

/// The kind that a line shows; None where it could stand in any file.
pub(super) fn of(line: &Value) -> Option<Kind> {
    let kind = text(line, "type")?;
    if line.get("payload").is_some() && matches!(kind, "session_meta" | "response_item" | "turn_context" | "event_msg")
    {
        return Some(Kind::Codex(codex::Codex::default()));
    }
    line.get("sessionId").is_some().then(|| Kind::Claude(claude::Claude::default()))
}
