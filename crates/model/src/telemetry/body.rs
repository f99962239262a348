//! What an event says happened, by kind.

use crate::event_type::EventType;
use crate::file::Access;
use crate::os_bytes::OsBytes;
use crate::outcome::Outcome;
use crate::special::{ClassMatch, DestinationClass, Severity};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelemetryBody {
    /// A program was run.
    Exec(ExecSeen),
    /// A process ended.
    Exit(ExitSeen),
    /// A process was made.
    Spawn(SpawnSeen),
    /// A process was there.
    Process(ProcessSeen),
    /// Something was done to a file.
    File(FileSeen),
    /// Something was done with a socket.
    Network(NetworkSeen),
    /// A name was looked up.
    Dns(DnsSeen),
    /// Plain text passed through TLS.
    Tls(TlsSeen),
    /// Privilege was used or sought.
    Privilege(PrivilegeSeen),
    /// A resource ran short.
    Pressure(PressureSeen),
    /// A policy of the source spoke.
    Verdict(VerdictSeen),
    /// A process tree is not as it should be.
    Tree(TreeSeen),
    /// Memory was mapped executable, or io_uring was used.
    Map(MapSeen),
}

/// A program was run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ExecSeen {
    /// The program's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<OsBytes>,
    /// The arguments; where the source joined them, split at blanks and flagged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<OsBytes>,
    /// The arguments as the source joined them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv_raw: Option<OsBytes>,
    /// Working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<OsBytes>,
}

/// A process ended.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ExitSeen {
    /// How; absent where the source did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A process was made.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SpawnSeen {
    /// Pid of the new process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<u32>,
}

/// A process was there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProcessSeen {
    /// Its command line, joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<OsBytes>,
}

/// Something was done to a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileSeen {
    /// What.
    pub action: FileAction,
    /// Normalised path: no `.`, no empty segments, `..` resolved by name where that is possible.
    pub path: OsBytes,
    /// The path as it came, where normalising changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<OsBytes>,
    /// The second path of a rename or link, normalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path2: Option<OsBytes>,
    /// What an open asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Flags in the source's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// Inode, where the source gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// Bytes passed, where the source gave them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Things done to files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileAction {
    /// Opened; `access` says for what.
    Open,
    /// Read from.
    Read,
    /// Written to.
    Write,
    /// Made.
    Create,
    /// Renamed.
    Rename,
    /// A name removed.
    Unlink,
    /// A hard or symbolic link made.
    Link,
    /// Attributes changed, or a directory or node made.
    Meta,
}

/// Something was done with a socket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkSeen {
    /// What.
    pub action: NetworkAction,
    /// The other end's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The other end's name, or its address in a form that is no IP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The other end's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Our own end's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_ip: Option<IpAddr>,
    /// Our own end's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_port: Option<u16>,
    /// Protocol in the source's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// What kind of place the other end is.
    pub destination: DestinationClass,
}

/// Things done with sockets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkAction {
    /// Connected to the other end.
    Connect,
    /// Took a connection from the other end.
    Accept,
    /// Bound to an address or listened at it.
    Bind,
    /// Sent.
    Send,
    /// Received.
    Receive,
    /// Closed.
    Close,
}

/// A name was looked up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DnsSeen {
    /// The name, lower-case, without a final dot.
    pub host: String,
}

/// Plain text passed through TLS.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TlsSeen {
    /// Which way.
    pub direction: TlsDirection,
    /// SHA-256 of the captured bytes, in hex, as the source computed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_sha256: Option<String>,
    /// Bytes in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Host that an HTTP request named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// HTTP path without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// Which way plain text passed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsDirection {
    /// Received and decrypted.
    Read,
    /// About to be encrypted and sent.
    Write,
}

/// Privilege was used or sought.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PrivilegeSeen {
    /// Name of the call, such as `setuid`.
    pub call: String,
    /// The user id asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The group id asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Pid of the process acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
    /// What was asked of it, such as the ptrace request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// A resource ran short.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PressureSeen {
    /// Which resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Observations lost since the source began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
    /// Observations lost since the last such report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_delta: Option<u64>,
}

/// A policy of the source spoke.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VerdictSeen {
    /// Its verdict, in its own words.
    pub verdict: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A process tree is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TreeSeen {
    /// The process, by command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<OsBytes>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Memory was mapped executable, or io_uring was used.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MapSeen {
    /// True for io_uring operations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub io_uring: bool,
    /// The file mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<OsBytes>,
}

impl TelemetryBody {
    /// The contract's name, given what the object was classified as.
    pub fn event_type(&self, class: Option<&ClassMatch>) -> EventType {
        match self {
            Self::Exec(_) => EventType::Execve,
            Self::Exit(_) => EventType::ProcessExit,
            Self::Spawn(_) => EventType::ProcessFork,
            Self::Process(_) => EventType::ProcessObserved,
            Self::File(file) => file.event_type(class),
            Self::Network(network) => network.event_type(),
            Self::Dns(_) => EventType::DnsQuery,
            Self::Tls(tls) if tls.direction == TlsDirection::Read => EventType::TlsRead,
            Self::Tls(_) => EventType::TlsWrite,
            Self::Privilege(privilege) => crate::event_type::privilege_type(&privilege.call),
            Self::Pressure(_) => EventType::ResourcePressure,
            Self::Verdict(_) => EventType::PolicyVerdict,
            Self::Tree(_) => EventType::AbnormalProcessTree,
            Self::Map(map) if map.io_uring => EventType::IoUring,
            Self::Map(_) => EventType::ExecMap,
        }
    }

    /// Paths that the event is about: a program's, a file's, and the second one of a rename or link.
    pub fn paths(&self) -> impl Iterator<Item = &OsBytes> {
        let (first, second) = match self {
            Self::Exec(exec) => (exec.path.as_ref(), None),
            Self::File(file) => (Some(&file.path), file.path2.as_ref()),
            Self::Map(map) => (map.path.as_ref(), None),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The other end's address.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Network(network) => network.ip,
            _ => None,
        }
    }

    /// The other end's name.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Network(network) => network.host.as_deref(),
            Self::Dns(dns) => Some(&dns.host),
            Self::Tls(tls) => tls.host.as_deref(),
            _ => None,
        }
    }
}

impl FileSeen {
    fn event_type(&self, class: Option<&ClassMatch>) -> EventType {
        let secret = class.is_some_and(|class| class.class.is_secret() && class.severity >= Severity::Medium);
        match self.action {
            FileAction::Open | FileAction::Read if secret => EventType::SecretPath,
            FileAction::Open if self.access.is_some_and(Access::writes) => EventType::FileWrite,
            FileAction::Open | FileAction::Read => EventType::FileOpen,
            FileAction::Write | FileAction::Create => EventType::FileWrite,
            FileAction::Rename => EventType::FileRename,
            FileAction::Unlink => EventType::FileUnlink,
            FileAction::Link => EventType::FileLink,
            FileAction::Meta => EventType::FileMeta,
        }
    }
}

impl NetworkSeen {
    fn event_type(&self) -> EventType {
        match self.action {
            NetworkAction::Accept => EventType::NetworkAccept,
            NetworkAction::Bind => EventType::NetworkBind,
            NetworkAction::Receive => EventType::NetworkReceive,
            NetworkAction::Close => EventType::NetworkClose,
            NetworkAction::Connect | NetworkAction::Send if self.protocol.as_deref() == Some("unix") => {
                EventType::IpcConnect
            }
            NetworkAction::Connect | NetworkAction::Send => match self.destination {
                DestinationClass::Metadata => EventType::MetadataIp,
                class if class.is_private_cidr() => EventType::PrivateCidr,
                _ if self.action == NetworkAction::Send => EventType::NetworkSend,
                _ => EventType::NetworkConnect,
            },
        }
    }
}
