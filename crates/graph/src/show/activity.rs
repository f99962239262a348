//! Reads, connections, privileged calls and gaps, summed up.

use crate::timeline::{errno_name, visible};
use agentprov_model::network::SocketAddress;
use agentprov_model::{CallResult, Fact, FileOpened, Gap, NetworkCall, OsBytes, PrivilegeCall};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Opens for reading below one folder outside the workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReadGroup {
    /// The folder: the first two segments of the path.
    pub folder: OsBytes,
    /// Different paths that were opened.
    pub files: u64,
    /// Opens that succeeded.
    pub opened: u64,
    /// Opens that failed.
    pub failed: u64,
    /// Opens whose end was not seen.
    pub unknown: u64,
}

/// An address that was named in socket calls.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Destination {
    /// The address.
    pub address: String,
    /// `metadata`, `private`, `loopback` or `public`; absent for addresses that are not IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<agentprov_model::Destination>,
    /// `connect`, `bind` or `send`.
    pub op: agentprov_model::NetworkOp,
    /// Calls by result: `ok`, the name of an errno, or `unknown`.
    pub results: BTreeMap<String, u64>,
    /// Processes that called.
    pub processes: Vec<String>,
}

/// A privileged call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PrivilegeRow {
    /// When.
    pub time: String,
    /// Process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// System call.
    pub call: String,
    /// Its arguments.
    pub args: Vec<(String, OsBytes)>,
    /// `ok`, the name of an errno, or `unknown`.
    pub result: String,
    /// Fact.
    pub event_id: String,
}

/// Something that could not be seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GapRow {
    /// Kind.
    pub kind: &'static str,
    /// Classes whose claims it weakens.
    pub classes: Vec<&'static str>,
    /// What happened.
    pub detail: String,
    /// How often.
    pub count: u64,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
    /// Fact.
    pub event_id: String,
}

/// A call's result in one word.
pub(super) fn result_word(result: CallResult) -> String {
    match result {
        CallResult::Ok(_) => "ok".into(),
        CallResult::Errno(number) => errno_name(number),
        CallResult::Unknown => "unknown".into(),
    }
}

/// Groups opens for reading outside all of `workspaces`.
#[derive(Default)]
pub(super) struct Reads {
    groups: BTreeMap<OsBytes, (BTreeSet<OsBytes>, u64, u64, u64)>,
}

impl Reads {
    pub(super) fn add(&mut self, open: FileOpened, workspaces: &[OsBytes]) {
        if open.access.writes() || workspaces.iter().any(|workspace| is_below(&open.path, workspace)) {
            return;
        }
        let group = self.groups.entry(folder_of(&open.path)).or_default();
        group.0.insert(open.path);
        match open.result {
            CallResult::Ok(_) => group.1 += 1,
            CallResult::Errno(_) => group.2 += 1,
            CallResult::Unknown => group.3 += 1,
        }
    }

    pub(super) fn finish(self) -> Vec<ReadGroup> {
        let groups = self.groups.into_iter();
        groups
            .map(|(folder, (files, opened, failed, unknown))| ReadGroup {
                folder,
                files: files.len() as u64,
                opened,
                failed,
                unknown,
            })
            .collect()
    }
}

fn is_below(path: &OsBytes, folder: &OsBytes) -> bool {
    let rest = path.as_bytes().strip_prefix(folder.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn folder_of(path: &OsBytes) -> OsBytes {
    let bytes = path.as_bytes();
    let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').nth(2).map(|(at, _)| at);
    let end = third.or_else(|| bytes.iter().rposition(|byte| *byte == b'/').filter(|at| *at > 0));
    OsBytes::from(&bytes[..end.unwrap_or(bytes.len())])
}

/// Sums socket calls by address and call.
#[derive(Default)]
pub(super) struct Network(Vec<Destination>);

impl Network {
    pub(super) fn add(&mut self, call: &NetworkCall, process: Option<String>) {
        let address = call.address.to_string();
        let known = self.0.iter().position(|known| known.address == address && known.op == call.op);
        let place = known.unwrap_or_else(|| {
            let class = match &call.address {
                SocketAddress::Ip { ip, .. } => Some(agentprov_model::Destination::of(*ip)),
                SocketAddress::Unix { .. } | SocketAddress::Other { .. } | SocketAddress::Unreadable => None,
            };
            let (results, processes) = (BTreeMap::new(), Vec::new());
            self.0.push(Destination { address, class, op: call.op, results, processes });
            self.0.len() - 1
        });
        let entry = &mut self.0[place];
        *entry.results.entry(result_word(call.result)).or_insert(0) += 1;
        if let Some(process) = process.filter(|process| !entry.processes.contains(process)) {
            entry.processes.push(process);
        }
    }

    pub(super) fn finish(self) -> Vec<Destination> {
        self.0
    }
}

pub(super) fn privilege_row(fact: &Fact, call: &PrivilegeCall) -> PrivilegeRow {
    PrivilegeRow {
        time: fact.at.to_rfc3339(),
        process_id: fact.process.map(|process| process.to_string()),
        call: call.call.clone(),
        args: call.args.clone(),
        result: result_word(call.result),
        event_id: fact.id.to_string(),
    }
}

pub(super) fn gap_row(fact: &Fact, gap: &Gap) -> GapRow {
    GapRow {
        kind: gap.kind.name(),
        classes: gap.classes.iter().map(|class| class.name()).collect(),
        detail: visible(&gap.detail.as_str().into()),
        count: gap.count,
        way_out: gap.way_out.clone(),
        event_id: fact.id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders() {
        for (path, folder) in [
            ("/usr/lib/x/libc.so", "/usr/lib"),
            ("/etc/passwd", "/etc"),
            ("/etc/ssl/certs", "/etc/ssl"),
            ("/vmlinuz", "/vmlinuz"),
        ] {
            assert_eq!(folder_of(&path.into()), OsBytes::from(folder), "{path}");
        }
    }
}
