//! Sessions, prompts and subagents.

use super::text::TextDigest;
use crate::os_bytes::OsBytes;
use serde::{Deserialize, Serialize};

/// A session begins or goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SessionStarted {
    /// Why, in the agent's word: `startup`, `resume`, `clear` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The agent's own record of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<OsBytes>,
}

/// A session ended.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SessionEnded {
    /// Why, in the agent's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The user asked something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PromptGiven {
    /// What, by hash and length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<TextDigest>,
}

/// The agent has answered and waits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TurnEnded {
    /// The answer, by hash and length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<TextDigest>,
    /// It was broken off, or failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken_off: bool,
}

/// A subagent, as its agent names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubagentRef {
    /// Its id.
    pub id: String,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}
