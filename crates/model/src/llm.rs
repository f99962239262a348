//! Calls of models, as a proxy between an agent and the vendor sees them.

use crate::declared::ProcessAnchor;
use crate::ids::{RunId, ToolCallId};
use crate::mcp::Body;
use serde::{Deserialize, Serialize};

/// One thing that the proxy of a recording saw or did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LlmSaid {
    /// Run of the recording that the proxy belongs to.
    pub run: RunId,
    /// What.
    pub deed: LlmDeed,
    /// The process at the other end of the connection, where it could be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<ProcessAnchor>,
}

/// What the proxy saw or did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LlmDeed {
    /// It waits for calls: only these ways lead through it.
    Listening {
        /// Port on the loopback interface.
        port: u16,
        /// Where calls are forwarded to.
        upstreams: Vec<LlmUpstream>,
    },
    /// A call that is over.
    Call(Box<LlmCall>),
}

/// Where calls of one vendor's clients go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LlmUpstream {
    /// Whose clients.
    pub vendor: LlmVendor,
    /// Scheme, host and port; never a user, a password or a query.
    pub origin: String,
}

/// Whose clients are led through the proxy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LlmVendor {
    /// Clients that read `ANTHROPIC_BASE_URL`.
    Anthropic,
    /// Clients that read `OPENAI_BASE_URL`.
    Openai,
    /// Clients that read `GOOGLE_GEMINI_BASE_URL`.
    Gemini,
}

impl LlmVendor {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Anthropic, Self::Openai, Self::Gemini];

    /// The name as it stands in documents and in the proxy's paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
            Self::Gemini => "gemini",
        }
    }

    /// The vendor of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.name() == name)
    }

    /// The variable in which clients look for the base of their addresses.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Anthropic => "ANTHROPIC_BASE_URL",
            Self::Openai => "OPENAI_BASE_URL",
            Self::Gemini => "GOOGLE_GEMINI_BASE_URL",
        }
    }

    /// What clients take where that variable is not set.
    pub const fn default_base(self) -> &'static str {
        match self {
            Self::Anthropic => "https://api.anthropic.com",
            Self::Openai => "https://api.openai.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com",
        }
    }
}

/// A request and what came back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LlmCall {
    /// Whose client asked.
    pub vendor: LlmVendor,
    /// Method of the request.
    pub method: String,
    /// Path of the request without its query.
    pub path: String,
    /// The request; its length is that of what had passed when the call was over.
    pub request: Body,
    /// How it went.
    pub outcome: LlmOutcome,
    /// The response, as far as it passed; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Body>,
    /// From the request to the first byte of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// From the request to the end.
    pub duration_us: u64,
    /// What the response says of itself.
    pub reply: LlmReply,
}

/// How a call went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LlmOutcome {
    /// The response passed to its end, with this status.
    Completed(u16),
    /// The client went away before the response's end, which had begun with this status.
    Cancelled(u16),
    /// The upstream broke off within a response that had begun with this status.
    Broken(u16),
    /// The client went away before there was a response.
    Abandoned,
    /// There was no response; the client was told 502 and why.
    Unreachable(String),
}

/// What a response says of itself, put together from its events where it is streamed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LlmReply {
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why the model stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Tokens of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Tool calls that it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<LlmToolCall>,
    /// Why it was not understood, or not wholly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_read: Option<String>,
}

/// A tool call that a model asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LlmToolCall {
    /// Its id, under which the agent declares it.
    pub id: ToolCallId,
    /// The tool.
    pub name: String,
}

impl LlmSaid {
    /// The call, where it is one.
    pub fn call(&self) -> Option<&LlmCall> {
        match &self.deed {
            LlmDeed::Call(call) => Some(call),
            LlmDeed::Listening { .. } => None,
        }
    }
}
