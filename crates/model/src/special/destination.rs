//! Reading destinations as sources write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A destination taken apart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Destination {
    /// The address, where the text holds one in any notation.
    pub ip: Option<IpAddr>,
    /// The name, lower-case and without a final dot, where it is no address.
    pub host: Option<String>,
    /// The port, where it was written behind.
    pub port: Option<u16>,
}

impl Destination {
    /// Reads `host`, `host:port`, `[v6]:port`, `v6`, `v6%zone`, and IPv4 in decimal, hex or octal.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']').unwrap_or((rest, ""));
            return Self::of(inside, after.strip_prefix(':').and_then(|port| port.parse().ok()));
        }
        match text.bytes().filter(|&byte| byte == b':').count() {
            0 => Self::of(text, None),
            1 => {
                let (host, port) = text.split_once(':').unwrap_or((text, ""));
                Self::of(host, port.parse().ok())
            }
            _ => Self::of(text, None),
        }
    }

    fn of(host: &str, port: Option<u16>) -> Self {
        let bare = host.split('%').next().unwrap_or(host).trim_end_matches('.');
        if bare.is_empty() {
            return Self { port, ..Self::default() };
        }
        match address(bare) {
            Some(ip) => Self { ip: Some(ip), host: None, port },
            None => Self { ip: None, host: Some(bare.to_ascii_lowercase()), port },
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse::<Ipv4Addr>().ok().or_else(|| loose_v4(text)).map(IpAddr::V4)
}

/// One to four numbers in decimal, hex or octal, as `inet_aton(3)` takes them.
fn loose_v4(text: &str) -> Option<Ipv4Addr> {
    let mut numbers = [0u32; 4];
    let mut count = 0;
    for part in text.split('.') {
        *numbers.get_mut(count)? = number(part)?;
        count += 1;
    }
    let (last, octets) = numbers.get(..count)?.split_last()?;
    let room = 32 - 8 * octets.len() as u32;
    if octets.iter().any(|&octet| octet > 255) || u64::from(*last) >= 1u64 << room {
        return None;
    }
    let high = octets.iter().enumerate().fold(0u32, |sum, (index, &octet)| sum | octet << (24 - 8 * index as u32));
    Some(Ipv4Addr::from(high | last))
}

fn number(text: &str) -> Option<u32> {
    // The standard library would take a sign.
    if text.contains('+') {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}
