//! Socket calls and the addresses they name.

use crate::classify::embedded_v4;
use crate::os_bytes::OsBytes;
use crate::outcome::CallResult;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    /// Classifies an address; IPv4-mapped, NAT64 and 6to4 IPv6 count as the IPv4 address to which they lead.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => embedded_v4(ip).map_or_else(|| Self::of_v6(ip), Self::of_v4),
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

    fn of_v4(ip: Ipv4Addr) -> Self {
        const METADATA: [[u8; 4]; 9] = [
            [169, 254, 169, 254],
            [169, 254, 170, 2],
            [169, 254, 170, 23],
            [168, 63, 129, 16],
            [192, 0, 0, 192],
            [100, 100, 100, 200],
            [169, 254, 42, 42],
            [169, 254, 0, 23],
            [169, 254, 10, 10],
        ];
        let octets = ip.octets();
        if METADATA.contains(&octets) {
            return Self::Metadata;
        }
        let carrier_grade_nat = octets[0] == 100 && (64..128).contains(&octets[1]);
        if ip.is_loopback() || ip.is_unspecified() {
            Self::Loopback
        } else if ip.is_private() || ip.is_link_local() || carrier_grade_nat {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        const METADATA: [Ipv6Addr; 8] = [
            Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
            Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
            Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
            Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
            Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200),
            Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
            Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
        ];
        let first = ip.segments()[0];
        if METADATA.contains(&ip) {
            Self::Metadata
        } else if ip.is_loopback() || ip.is_unspecified() {
            Self::Loopback
        } else if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 {
            Self::Private
        } else {
            Self::Public
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
