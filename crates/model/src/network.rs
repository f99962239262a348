//! Socket calls and the addresses they name.

use crate::os_bytes::OsBytes;
use crate::outcome::CallResult;
use crate::special::{ClassTable, DestinationClass};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A socket call with an address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkCall {
    /// Which call.
    pub op: NetworkOp,
    /// The address as the caller gave it.
    pub address: SocketAddress,
    /// How the call ended; a non-blocking connect ends with EINPROGRESS.
    pub result: CallResult,
}

/// Socket calls that name an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkOp {
    /// `connect(2)`.
    Connect,
    /// `bind(2)`.
    Bind,
    /// `sendto(2)`, `sendmsg(2)` or `sendmmsg(2)` with an address.
    Send,
}

/// A socket address.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketAddress {
    /// AF_INET or AF_INET6.
    Ip {
        /// The address, IPv4-mapped ones left as they came.
        ip: IpAddr,
        /// Port in host order.
        port: u16,
    },
    /// AF_UNIX.
    Unix {
        /// Path, or the name without its leading NUL when `abstract_name`.
        path: OsBytes,
        /// True for the abstract name space.
        #[serde(default, rename = "abstract", skip_serializing_if = "std::ops::Not::not")]
        abstract_name: bool,
    },
    /// Any other family, such as netlink.
    Other {
        /// The AF_ number.
        family: u16,
    },
    /// The address could not be read from the caller's memory.
    Unreadable,
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip { ip: IpAddr::V4(ip), port } => write!(f, "{ip}:{port}"),
            Self::Ip { ip: IpAddr::V6(ip), port } => write!(f, "[{ip}]:{port}"),
            Self::Unix { path, abstract_name: true } => write!(f, "unix:@{}", path.lossy()),
            Self::Unix { path, abstract_name: false } => write!(f, "unix:{}", path.lossy()),
            Self::Other { family } => write!(f, "family {family}"),
            Self::Unreadable => f.write_str("unreadable address"),
        }
    }
}

/// What kind of place an IP address is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// A cloud metadata service.
    Metadata,
    /// This host.
    Loopback,
    /// Private, carrier-grade NAT or link-local ranges.
    Private,
    /// Everything else.
    Public,
}

impl Destination {
    /// What the built-in table says of an address.
    pub fn of(ip: IpAddr) -> Self {
        Self::coarse(ClassTable::builtin().address(ip).0).unwrap_or(Self::Public)
    }

    /// The coarser word for a class of the table; `None` for a name, which says nothing about where it leads.
    pub const fn coarse(class: DestinationClass) -> Option<Self> {
        match class {
            DestinationClass::Metadata => Some(Self::Metadata),
            DestinationClass::Loopback => Some(Self::Loopback),
            DestinationClass::Private | DestinationClass::Cgnat | DestinationClass::LinkLocal => Some(Self::Private),
            DestinationClass::Multicast | DestinationClass::Reserved | DestinationClass::Public => Some(Self::Public),
            DestinationClass::Named => None,
        }
    }

    /// The name as it stands in documents and rule files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let cases = [
            ("169.254.169.254", Destination::Metadata),
            ("::ffff:169.254.169.254", Destination::Metadata),
            ("fd00:ec2::254", Destination::Metadata),
            ("127.0.0.2", Destination::Loopback),
            ("::1", Destination::Loopback),
            ("10.1.2.3", Destination::Private),
            ("100.64.0.1", Destination::Private),
            ("fd12::1", Destination::Private),
            ("fe80::1", Destination::Private),
            ("100.128.0.1", Destination::Public),
            ("2606:4700::1", Destination::Public),
        ];
        for (text, class) in cases {
            let ip = text.parse().expect("a literal address");
            assert_eq!(Destination::of(ip), class, "{text}");
        }
    }
}
