//! What `agentprov hook` does: one message, one record in the spool.

use super::spool::{Spool, SpoolError, count_lost};
use super::{anchor, declare};
use crate::redact::Redactor;
use agentprov_model::declared::{Agent, Declared, ProcessAnchor, TraceParent};
use agentprov_model::llm::LlmSaid;
use agentprov_model::mcp::McpSaid;
use agentprov_model::{EventTime, OsBytes, Redaction, What};
use agentprov_store::{Location, StoreError, command_key};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Longest message that is read.
const MAX_MESSAGE: u64 = 64 << 20;

/// A record of the spool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Carried {
    /// When the hook ran.
    pub at: EventTime,
    /// What was taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<Redaction>,
    /// What was said.
    #[serde(flatten)]
    pub said: Said,
}

/// Something that waits in the spool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// An agent said it of itself.
    Declared(Box<Declared>),
    /// It passed between an agent and an MCP server.
    Mcp(Box<McpSaid>),
    /// The proxy of a recording saw it.
    Llm(Box<LlmSaid>),
}

impl Said {
    /// The process that carried it.
    pub fn anchor(&self) -> Option<&ProcessAnchor> {
        match self {
            Self::Declared(declared) => declared.anchor.as_ref(),
            Self::Mcp(said) => said.anchor.as_ref(),
            Self::Llm(said) => said.anchor.as_ref(),
        }
    }

    /// Takes it out of a fact; None where the fact tells of something else.
    pub fn of(what: What) -> Option<Self> {
        match what {
            What::Declared(declared) => Some(Self::Declared(declared)),
            What::Mcp(said) => Some(Self::Mcp(said)),
            What::Llm(said) => Some(Self::Llm(said)),
            _ => None,
        }
    }

    /// As what a fact tells.
    pub fn what(self) -> What {
        match self {
            Self::Declared(declared) => What::Declared(declared),
            Self::Mcp(said) => What::Mcp(said),
            Self::Llm(said) => What::Llm(said),
        }
    }
}

/// Why a message was not kept.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// Standard input can't be read.
    #[error("read the message: {0}")]
    Input(#[from] io::Error),
    /// There is no folder for a store.
    #[error("no store is found from the agent's folder, and there is no home for the user's own")]
    NoStore,
    /// The data dir can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool can't be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Reads one message and leaves it in the spool of the store that belongs to the agent's folder.
///
/// # Errors
/// [`CarryError`]; a caller that is a hook keeps it to itself. A message that did not fit was counted.
pub fn carry(
    agent: Agent,
    data_dir: Option<&Path>,
    input: impl Read,
    trace: Option<TraceParent>,
    at: EventTime,
) -> Result<(), CarryError> {
    let mut message = Vec::new();
    input.take(MAX_MESSAGE).read_to_end(&mut message)?;
    let location = location(data_dir, &message)?;
    location.check_owner()?;
    if !location.dir.is_dir() {
        location.create()?;
    }
    let kept = keep(agent, &location.dir, &message, trace, at);
    if kept.is_err() {
        count_lost(&location.dir)?;
    }
    kept
}

fn keep(agent: Agent, dir: &Path, message: &[u8], trace: Option<TraceParent>, at: EventTime) -> Result<(), CarryError> {
    let key = command_key(dir)?;
    let mut declared = declare(agent, message, &key);
    // Where /proc is closed the message is kept all the same; it then belongs to no recorded process.
    declared.anchor = anchor::here().ok();
    declared.trace = trace;
    let mut what = What::Declared(Box::new(declared));
    let redacted = Redactor::for_few_texts().redact(&mut what);
    let Some(said) = Said::of(what) else { return Ok(()) };
    let record = Carried { at, redacted, said };
    let bytes = serde_json::to_vec(&record).map_err(io::Error::from)?;
    Ok(Spool::create(dir)?.push(&bytes)?)
}

/// The named data dir, else the one that the command line would find from the agent's folder, else the user's own.
fn location(data_dir: Option<&Path>, message: &[u8]) -> Result<Location, CarryError> {
    if let Some(dir) = data_dir {
        return Ok(Location::chosen(std::path::absolute(dir)?));
    }
    let folder = folder_of(message).map_or_else(std::env::current_dir, Ok)?;
    Location::find_or_own(&folder).ok_or(CarryError::NoStore)
}

/// The folder that the message names, without understanding the rest of it.
fn folder_of(message: &[u8]) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Folder {
        cwd: Option<OsBytes>,
        #[serde(default)]
        workspace_roots: Vec<OsBytes>,
    }
    let found: Folder = serde_json::from_slice(message).ok()?;
    let folder = found.cwd.filter(|cwd| !cwd.is_empty()).or_else(|| found.workspace_roots.into_iter().next())?;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(folder.as_bytes()));
    path.is_absolute().then_some(path)
}
