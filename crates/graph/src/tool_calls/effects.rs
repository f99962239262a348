//! Files that were written and connections that were made: what calls are held against.

use super::binding::Binding;
use crate::attempts::facts_of_type;
use crate::error::GraphError;
use agentprov_model::network::SocketAddress;
use agentprov_model::{
    ContentId, EventId, EventTime, EventType, Fact, FileState, FileVersion, NetworkCall, NetworkOp, OsBytes, ProcessId,
    VersionCause, What,
};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::HashSet;

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A file passed to a new state.
    File {
        /// Absolute path.
        path: OsBytes,
        /// Path below the workspace.
        workspace_path: Option<OsBytes>,
        /// The new content, where it was read.
        content: Option<ContentId>,
        /// The file is gone.
        removed: bool,
        /// What made the state.
        cause: VersionCause,
    },
    /// An address was named in a socket call.
    Connection {
        /// The address.
        address: SocketAddress,
    },
}

/// One thing that was done, and to which call it belongs.
#[derive(Clone, Debug)]
pub struct Effect {
    /// What.
    pub deed: Deed,
    /// When.
    pub at: EventTime,
    /// Leaf of the fact.
    pub seq: Seq,
    /// Id of the fact.
    pub event: EventId,
    /// Who; several where several had the file open for writing.
    pub processes: Vec<ProcessId>,
    /// To which call it belongs; None where no process below an agent did it.
    pub binding: Option<Binding>,
}

/// Everything that was done, in order of time; nothing is bound yet.
pub(super) fn deeds(reader: &Reader, run: &RunRow) -> Result<Vec<Effect>, GraphError> {
    let kinds = [EventType::FileWrite, EventType::NetworkConnect, EventType::MetadataIp, EventType::PrivateCidr];
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(facts_of_type(reader, run, kind)?.into_iter().filter_map(|(seq, fact)| effect(seq, fact)));
    }
    found.sort_by_key(|effect| (effect.at, effect.seq));
    Ok(found)
}

fn effect(seq: Seq, fact: Fact) -> Option<Effect> {
    let (deed, processes) = match fact.what {
        What::FileVersion(version) => {
            let writers =
                if version.writers.is_empty() { fact.process.into_iter().collect() } else { version.writers.clone() };
            (file(version), writers)
        }
        What::Network(NetworkCall { op: NetworkOp::Connect | NetworkOp::Send, address, .. }) => {
            (Deed::Connection { address }, fact.process.into_iter().collect())
        }
        _ => return None,
    };
    Some(Effect { deed, at: fact.at, seq, event: fact.id, processes, binding: None })
}

fn file(version: FileVersion) -> Deed {
    Deed::File {
        content: version.after.content().map(|content| content.sha256),
        removed: version.after == FileState::Missing,
        path: version.path,
        workspace_path: version.workspace_path,
        cause: version.cause,
    }
}

/// Processes that changed the workspace, git's own files aside, or reached the network.
pub(super) fn active(deeds: &[Effect]) -> HashSet<ProcessId> {
    let counts = |effect: &&Effect| match &effect.deed {
        Deed::File { workspace_path: Some(path), .. } => !path.as_bytes().starts_with(b".git/"),
        Deed::File { workspace_path: None, .. } => false,
        Deed::Connection { address } => matches!(address, SocketAddress::Ip { .. }),
    };
    deeds.iter().filter(counts).flat_map(|effect| effect.processes.iter().copied()).collect()
}
