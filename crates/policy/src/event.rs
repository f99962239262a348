//! What a rule can see of an event.

use agentprov_model::special;
use agentprov_model::{
    Access, CallResult, EventType, Fact, FileOp, NetworkOp, OsBytes, PrivilegeCall, SocketAddress, What,
};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// An event as rules see it, from a fact or from a line of telemetry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PolicyEvent {
    /// Who reported it.
    pub source: Cow<'static, str>,
    /// Its type.
    pub event_type: Cow<'static, str>,
    /// The paths that it names.
    pub paths: Vec<OsBytes>,
    /// The destination as it was written.
    pub dst: Option<String>,
    /// Destination address.
    pub dst_ip: Option<IpAddr>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// Arguments of a program; a set-id call to root adds `setuid_root` or `setgid_root`.
    pub args: Vec<String>,
    /// The executable that really runs, where it was seen: the first argument can say anything.
    pub exe: Option<String>,
    /// A file's bytes can be read.
    pub reads: bool,
    /// A file, or its name, can be changed.
    pub writes: bool,
    /// The call is known to have failed.
    pub failed: bool,
    /// Numeric user id of the process.
    pub user: Option<u32>,
    /// Programs of the ancestors.
    pub ancestors: Vec<String>,
    /// Application context.
    pub scope: EventScope,
    /// The process holds something of a secret that was read before.
    pub tainted: bool,
}

/// Application context of an event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventScope {
    /// Run.
    pub run: Option<Arc<str>>,
    /// Session.
    pub session: Option<Arc<str>>,
    /// Attempt.
    pub attempt: Option<Arc<str>>,
    /// Tool call.
    pub tool_call: Option<Arc<str>>,
}

impl PolicyEvent {
    /// The event in a fact; `None` for facts that are no events of a process. `user` is who the process was before.
    pub fn of(fact: &Fact, user: Option<u32>) -> Option<Self> {
        let mut event = Self {
            source: fact.source().to_owned().into(),
            event_type: fact.event_type().name().into(),
            user,
            ..Self::default()
        };
        match &fact.what {
            What::ProcessExec(exec) => {
                event.args = exec.argv.iter().map(|argument| argument.lossy().into_owned()).collect();
                event.exe = exec.exe.as_ref().or(exec.path.as_ref()).map(|exe| exe.lossy().into_owned());
                event.failed = is_failure(exec.result);
            }
            What::FileOpened(open) => {
                event.paths.push(open.path.clone());
                event.paths.extend(open.given.clone());
                event.reads = matches!(open.access, Access::Read | Access::ReadWrite);
                event.writes = open.access.writes() || open.create || open.truncate;
                event.failed = is_failure(open.result);
            }
            What::FileChanged(change) => {
                event.paths.push(change.path.clone());
                // The text of a symbolic link is what the new name will read.
                event.paths.extend(change.path2.clone());
                event.writes = true;
                event.reads = matches!(change.op, FileOp::Link | FileOp::Symlink);
                event.failed = is_failure(change.result);
            }
            What::FileVersion(version) => {
                event.paths.push(version.path.clone());
                event.writes = true;
            }
            What::Network(call) => {
                event.take_address(&call.address);
                event.failed = is_failure(call.result) && call.op == NetworkOp::Bind;
            }
            What::Privilege(call) => event.take_privilege(call),
            What::ProcessOutlived => {}
            _ => return None,
        }
        Some(event)
    }

    fn take_address(&mut self, address: &SocketAddress) {
        match address {
            SocketAddress::Ip { ip, port } => {
                self.dst = Some(ip.to_string());
                self.dst_ip = Some(*ip);
                self.dst_port = Some(*port);
            }
            SocketAddress::Unix { path, abstract_name: false } => self.paths.push(path.clone()),
            _ => {}
        }
    }

    fn take_privilege(&mut self, call: &PrivilegeCall) {
        self.args.push(call.call.clone());
        self.args.extend(call.args.iter().map(|(name, value)| format!("{name}={}", value.lossy())));
        self.failed = is_failure(call.result);
        let is_id = |name: &str| name.ends_with("uid") || name.ends_with("gid");
        let to_root = call.args.iter().any(|(name, value)| is_id(name) && value.as_bytes() == b"0");
        let was_root = self.user == Some(0);
        if to_root && !was_root {
            match self.event_type.as_ref() {
                "setuid" => self.args.push("setuid_root".to_owned()),
                "setgid" => self.args.push("setgid_root".to_owned()),
                _ => {}
            }
        }
    }

    /// Takes a destination written as text: address, name, with a port or without.
    pub fn take_destination(&mut self, text: &str) {
        self.dst = Some(text.to_owned());
        if let Some(ip) = special::Destination::parse(text).ip {
            self.dst_ip = Some(ip);
        }
        let port = text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
        if let Some(port) = port.and_then(|(_, port)| port.parse().ok()) {
            self.dst_port = Some(port);
        }
    }

    /// What the event acted on, in one text: the path, the destination, or the command.
    pub fn object(&self) -> OsBytes {
        if let Some(path) = self.paths.first() {
            return path.clone();
        }
        match (&self.dst, self.dst_port) {
            (Some(dst), Some(port)) if self.dst_ip.is_some_and(|ip| ip.is_ipv6()) => format!("[{dst}]:{port}").into(),
            (Some(dst), Some(port)) if !dst.ends_with(&format!(":{port}")) => format!("{dst}:{port}").into(),
            (Some(dst), _) => dst.as_str().into(),
            (None, _) => self.args.join(" ").into(),
        }
    }

    /// True for a type that the contract names.
    pub fn is_type(&self, kind: EventType) -> bool {
        self.event_type == kind.name()
    }
}

fn is_failure(result: CallResult) -> bool {
    matches!(result, CallResult::Errno(_))
}
