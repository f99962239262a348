//! Kinds of addresses.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What kind of place a destination is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationClass {
    /// A cloud metadata service.
    Metadata,
    /// This host, or no address at all (0.0.0.0, ::).
    Loopback,
    /// RFC 1918 and fc00::/7.
    Private,
    /// Carrier-grade NAT, 100.64.0.0/10.
    Cgnat,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// Multicast and broadcast.
    Multicast,
    /// Documentation, benchmarking and other ranges that are not routed.
    Reserved,
    /// Everything else.
    Public,
    /// A host name that says nothing about the place.
    Named,
}

impl DestinationClass {
    /// The name as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Cgnat => "cgnat",
            Self::LinkLocal => "link_local",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::Public => "public",
            Self::Named => "named",
        }
    }

    /// True for what the contract calls `private_cidr`.
    pub const fn is_private_cidr(self) -> bool {
        matches!(self, Self::Private | Self::Cgnat | Self::LinkLocal)
    }

    /// By range alone; metadata services are entries of the table.
    pub(super) fn by_range(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::v4(ip),
            IpAddr::V6(ip) => Self::v6(ip),
        }
    }

    fn v4(ip: Ipv4Addr) -> Self {
        let [a, b, c, _] = ip.octets();
        match (a, b, c) {
            (127, ..) => Self::Loopback,
            _ if ip.is_unspecified() => Self::Loopback,
            (10, ..) | (172, 16..=31, _) | (192, 168, _) => Self::Private,
            (100, 64..=127, _) => Self::Cgnat,
            (169, 254, _) => Self::LinkLocal,
            (224..=239, ..) => Self::Multicast,
            _ if ip.is_broadcast() => Self::Multicast,
            (0 | 240..=255, ..) | (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => {
                Self::Reserved
            }
            _ => Self::Public,
        }
    }

    fn v6(ip: Ipv6Addr) -> Self {
        let [first, second, ..] = ip.segments();
        if ip.is_loopback() || ip.is_unspecified() {
            Self::Loopback
        } else if first & 0xfe00 == 0xfc00 {
            Self::Private
        } else if first & 0xffc0 == 0xfe80 {
            Self::LinkLocal
        } else if first & 0xff00 == 0xff00 {
            Self::Multicast
        } else if (first == 0x2001 && second == 0x0db8) || first == 0x0100 {
            Self::Reserved
        } else {
            Self::Public
        }
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped (::ffff:0:0/96), compatible (::/96), NAT64 (64:ff9b::/96)
/// and 6to4 (2002::/16). Anything else stays as it is.
pub fn embedded_v4(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let [w, x] = high.to_be_bytes();
        let [y, z] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0, 0, 0, 0, 0, 0) if g != 0 => v4(g, h),
        (0x2002, ..) => v4(b, c),
        _ => ip,
    }
}

/// Addresses with a common prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is neither an address nor a CIDR such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl Network {
    /// A single address.
    pub const fn single(ip: IpAddr) -> Self {
        let bits = match ip {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        Self { base: ip, bits }
    }

    /// True where the address lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let differing = u32::from(base) ^ u32::from(ip);
                differing.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let differing = u128::from(base) ^ u128::from(ip);
                differing.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refuse = || NetworkError(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| refuse())?)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| refuse())?;
        let whole = Self::single(base).bits;
        match bits {
            Some(bits) if bits > whole => Err(refuse()),
            bits => Ok(Self { base, bits: bits.unwrap_or(whole) }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}
