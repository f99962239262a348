//! What passes between an agent and an MCP server, as a relay between them sees it.

use crate::declared::{ProcessAnchor, TextDigest, TraceParent};
use crate::ids::{IdError, SessionId};
use crate::os_bytes::OsBytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One thing that passed, or that was found out about what passed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct McpSaid {
    /// The connection: one start of a server.
    pub connection: ConnectionId,
    /// The server, by the name that it was wrapped under.
    pub server: String,
    /// What passed.
    pub deed: McpDeed,
    /// The relay's process; the server is its child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<ProcessAnchor>,
}

/// One start of a server: 16 hex digits, drawn.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionId(String);

impl ConnectionId {
    /// From random bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(data_encoding::HEXLOWER.encode(&bytes))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConnectionId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError::Form(text.to_owned(), "16 lower-case hex digits")) }
    }
}

impl TryFrom<String> for ConnectionId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ConnectionId> for String {
    fn from(id: ConnectionId) -> Self {
        id.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who sent a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum McpSide {
    /// The agent, as the client.
    Agent,
    /// The server.
    Server,
}

impl McpSide {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Server => "server",
        }
    }

    /// Who the messages of this side go to.
    pub const fn other(self) -> Self {
        match self {
            Self::Agent => Self::Server,
            Self::Server => Self::Agent,
        }
    }
}

/// What passed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum McpDeed {
    /// The server is started.
    Started {
        /// Its command.
        command: Vec<OsBytes>,
        /// The agent's session, as its environment says at that time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
    /// Both sides have introduced themselves.
    Ready {
        /// The agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<McpPeer>,
        /// The server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<McpPeer>,
        /// Version of the protocol that the server chose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protocol: Option<String>,
    },
    /// The server described its tools.
    Tools {
        /// Each with the hash of its whole description.
        tools: Vec<PinnedTool>,
        /// What differs from the descriptions that were pinned before; empty where nothing does, or nothing was.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed: Vec<ToolChange>,
    },
    /// Something is asked.
    Request(McpRequest),
    /// Something is answered.
    Response(McpResponse),
    /// Something is told that has no answer.
    Notification {
        /// By whom.
        from: McpSide,
        /// What.
        method: String,
        /// Its parameters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        params: Option<Body>,
    },
    /// A line that is no message. It was passed on all the same.
    Unreadable {
        /// Who sent it.
        from: McpSide,
        /// What is wrong with it.
        why: String,
        /// The line.
        line: Body,
    },
    /// The connection is over.
    Ended {
        /// Requests that nobody answered, by side and id.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unanswered: Vec<(McpSide, String)>,
        /// Bytes that were passed on and not looked at: the reader was too far behind.
        #[serde(default, skip_serializing_if = "is_zero")]
        skipped: u64,
        /// The server's exit status, 128 + signal.
        status: i32,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A side by its own words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct McpPeer {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A tool and the hash of what the server says of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct PinnedTool {
    /// The tool.
    pub name: String,
    /// SHA-256 of its description: its JSON with sorted keys.
    pub sha256: String,
}

/// A tool whose description is not what it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToolChange {
    /// The tool.
    pub name: String,
    /// Its hash before; absent where it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Its hash now; absent where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// Parameters, a result or a line: named, and kept only where asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Body {
    /// Hash and length of its exact bytes.
    pub digest: TextDigest,
    /// The text, redacted and cut, where contents are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<OsBytes>,
}

/// Something is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct McpRequest {
    /// By whom.
    pub from: McpSide,
    /// Id of the request, as its JSON.
    pub id: String,
    /// What.
    pub method: String,
    /// The tool, resource or prompt that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Body>,
    /// Trace context that the agent put in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// Something is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct McpResponse {
    /// Who had asked.
    pub to: McpSide,
    /// Id of the request, as its JSON.
    pub id: String,
    /// What was asked; absent where no such request is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The tool, resource or prompt that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How it went.
    pub outcome: McpOutcome,
    /// Time between the two, as the relay saw them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// The result, or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// How a request went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum McpOutcome {
    /// There is a result.
    Completed,
    /// There is a result in which the tool says that it failed.
    ToolFailed,
    /// The request failed, with this code.
    Error(i64),
}

impl McpSaid {
    /// Tool descriptions that are not what they were.
    pub fn tool_changes(&self) -> &[ToolChange] {
        match &self.deed {
            McpDeed::Tools { changed, .. } => changed,
            _ => &[],
        }
    }
}
