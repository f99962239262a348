//! Destinations as text: every spelling of an address, and names.

use crate::network::Destination;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A destination without port, brackets, zone or trailing dot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name in lower case.
    Name(String),
}

/// Names that lead to a cloud's metadata service.
const METADATA_NAMES: [&str; 8] = [
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.tencentyun.com",
    "metadata.azure.internal",
    "metadata.platformequinix.com",
];

pub(super) fn class_of_name(name: &str) -> Option<Destination> {
    if METADATA_NAMES.contains(&name) {
        return Some(Destination::Metadata);
    }
    let local = name == "localhost" || name.ends_with(".localhost");
    local.then_some(Destination::Loopback)
}

impl Host {
    /// Reads `host`, `host:port`, `[v6]:port`, `v6%zone`, and the decimal, hex and octal spellings of IPv4.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self::Ip(ip));
        }
        let bare = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None if text.matches(':').count() == 1 => text.split_once(':')?.0,
            None => text,
        };
        let bare = bare.split_once('%').map_or(bare, |(address, _zone)| address).trim_end_matches('.');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Some(Self::Ip(ip));
        }
        if let Some(ip) = loose_v4(bare) {
            return Some(Self::Ip(IpAddr::V4(ip)));
        }
        (!bare.is_empty()).then(|| Self::Name(bare.to_ascii_lowercase()))
    }
}

/// IPv4 as `inet_aton` reads it: one to four parts, each decimal, `0x` hex or `0` octal; the last fills the rest.
fn loose_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|&part| part > 255) {
        return None;
    }
    let room = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if room < 32 && *last >= 1 << room {
        return None;
    }
    let high = leading.iter().zip([24u32, 16, 8]).fold(0, |bits, (part, shift)| bits | part << shift);
    Some(Ipv4Addr::from_bits(high | last))
}

fn number(text: &str) -> Option<u32> {
    if text.is_empty() || text.starts_with('+') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

/// The IPv4 address to which an IPv6 address leads: IPv4-mapped, NAT64 (64:ff9b::/96) and 6to4 (2002::/16).
pub fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        return Some(join(g, h));
    }
    if a == 0x2002 {
        return Some(join(b, c));
    }
    ip.to_ipv4_mapped()
}
