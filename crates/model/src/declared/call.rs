//! Tool calls as their agent declares them.

use super::text::{CommandDigest, TextDigest};
use crate::content::ContentId;
use crate::ids::ToolCallId;
use crate::os_bytes::OsBytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A call by id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CallId {
    /// The id.
    pub id: ToolCallId,
    /// Who gave it.
    pub origin: IdOrigin,
}

/// Who gave a call its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdOrigin {
    /// The agent.
    Agent,
    /// Nobody: it is a hash of session, tool and input, the same for equal calls.
    Synthetic,
}

/// What a tool can be expected to do, by its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolClass {
    /// Runs a command.
    Shell,
    /// Writes files.
    Edit,
    /// Reads files.
    Read,
    /// Looks for files or text.
    Search,
    /// Asks the network.
    Fetch,
    /// Hands work to a subagent.
    Task,
    /// A tool of an MCP server.
    Mcp,
    /// Something else, or not known.
    Other,
}

impl ToolClass {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Edit => "edit",
            Self::Read => "read",
            Self::Search => "search",
            Self::Fetch => "fetch",
            Self::Task => "task",
            Self::Mcp => "mcp",
            Self::Other => "other",
        }
    }
}

/// A call is about to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallStarted {
    /// The call.
    pub call: CallId,
    /// The tool's name.
    pub tool: String,
    /// What such a tool does.
    pub class: ToolClass,
    /// What it was given.
    pub input: ToolInput,
}

/// A call ended, or was refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallEnded {
    /// The call.
    pub call: CallId,
    /// The tool's name.
    pub tool: String,
    /// How.
    pub status: CallStatus,
    /// Exit status of a command, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// How long it took, as the agent says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What came back, by hash and length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TextDigest>,
    /// The error text, by hash and length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TextDigest>,
    /// What the call was given, as the end repeats it: where the beginning was lost, this is what is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<ToolInput>,
}

/// How a call ended, as its agent says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// The tool came back.
    Completed,
    /// The tool failed.
    Failed,
    /// It was not allowed and did not run.
    Denied,
    /// It was broken off.
    Interrupted,
}

impl CallStatus {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a tool was given, as far as it can be compared with deeds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolInput {
    /// A command.
    Shell(ShellInput),
    /// The whole content of a file.
    Write(WriteInput),
    /// Replacements in a file.
    Edit(EditInput),
    /// Changes of several files.
    Patch(PatchInput),
    /// Files or folders to look at.
    Paths(Vec<OsBytes>),
    /// An address to ask.
    Address(OsBytes),
    /// A tool of an MCP server.
    Mcp {
        /// The server, as the agent names it.
        server: String,
        /// The tool there.
        tool: String,
    },
    /// Nothing that can be compared.
    Other,
}

impl ToolInput {
    /// Files that the call says it writes.
    pub fn written(&self) -> Vec<&OsBytes> {
        match self {
            Self::Write(write) => vec![&write.path],
            Self::Edit(edit) => vec![&edit.path],
            Self::Patch(patch) => {
                patch.files.iter().flat_map(|file| std::iter::once(&file.path).chain(&file.moved_to)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShellInput {
    /// The command, redacted, cut where it is long.
    pub command: OsBytes,
    /// Length of the raw command.
    pub bytes: u64,
    /// Keyed hash of the raw command.
    pub digest: CommandDigest,
    /// It was asked to run in the background.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
}

/// The whole content of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WriteInput {
    /// The file.
    pub path: OsBytes,
    /// Name of the content, as facts name it; absent where the message did not carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentId>,
    /// Its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Replacements in a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EditInput {
    /// The file.
    pub path: OsBytes,
    /// How many.
    pub replacements: u64,
    /// Keyed hashes of the first lines that come in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_lines: Vec<LineHash>,
}

/// Changes of several files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PatchInput {
    /// The files, in the order of the patch.
    pub files: Vec<PatchedFile>,
    /// The patch, by hash and length.
    pub patch: TextDigest,
}

/// A file in a patch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PatchedFile {
    /// The file, joined to the working folder.
    pub path: OsBytes,
    /// What happens to it.
    pub op: PatchOp,
    /// Its new name, where it is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<OsBytes>,
}

/// What a patch does to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchOp {
    /// It is made.
    Add,
    /// It is changed.
    Update,
    /// It is removed.
    Delete,
}

/// Keyed hash of one line, cut to 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LineHash(pub [u8; 8]);

impl Serialize for LineHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for LineHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("a line hash has 16 hex digits"))
    }
}
