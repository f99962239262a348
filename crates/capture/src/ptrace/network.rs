//! Socket addresses from the memory of the tracee.

use super::syscalls::Call;
use crate::sys::memory;
use agentprov_model::{NetworkOp, OsBytes, SocketAddress};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest address that is read: `struct sockaddr_storage`.
const ADDRESS_MAX: usize = 128;
/// Messages of one sendmmsg that are looked at.
const MESSAGES_MAX: u64 = 1024;

/// The addresses that a socket call names; `None` where it names none and need not be recorded.
pub(crate) fn addresses(
    tid: i32,
    call: Call,
    args: &[u64; 6],
    narrow: bool,
) -> Option<(NetworkOp, Vec<SocketAddress>)> {
    match call {
        Call::Connect => Some((NetworkOp::Connect, vec![address(tid, args[1], args[2])])),
        Call::Bind => Some((NetworkOp::Bind, vec![address(tid, args[1], args[2])])),
        Call::Sendto if args[4] != 0 => Some((NetworkOp::Send, vec![address(tid, args[4], args[5])])),
        Call::Sendmsg => Some((NetworkOp::Send, vec![message(tid, args[1], narrow)?])),
        Call::Sendmmsg => {
            // struct mmsghdr: a msghdr (56 bytes, 28 for 32-bit programs) and a length, padded.
            let stride = if narrow { 32 } else { 64 };
            let mut seen: Vec<SocketAddress> = Vec::new();
            for index in 0..args[2].min(MESSAGES_MAX) {
                if let Some(address) = message(tid, args[1] + index * stride, narrow)
                    && !seen.contains(&address)
                {
                    seen.push(address);
                }
            }
            (!seen.is_empty()).then_some((NetworkOp::Send, seen))
        }
        Call::Socketcall => {
            let mut words = [0u8; 24];
            memory::read_exact(tid, args[1], &mut words).ok()?;
            let mut inner = [0u64; 6];
            for (slot, word) in inner.iter_mut().zip(words.chunks_exact(4)) {
                *slot = u64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            }
            // linux/net.h
            let call = match args[0] {
                2 => Call::Bind,
                3 => Call::Connect,
                11 => Call::Sendto,
                16 => Call::Sendmsg,
                20 => Call::Sendmmsg,
                _ => return None,
            };
            addresses(tid, call, &inner, true)
        }
        _ => None,
    }
}

/// `msg_name` of a `struct msghdr`.
fn message(tid: i32, header: u64, narrow: bool) -> Option<SocketAddress> {
    let mut raw = [0u8; 12];
    let (pointer, length) = if narrow {
        memory::read_exact(tid, header, &mut raw[..8]).ok()?;
        (u64::from(word(&raw, 0)), word(&raw, 4))
    } else {
        memory::read_exact(tid, header, &mut raw).ok()?;
        (u64::from(word(&raw, 0)) | u64::from(word(&raw, 4)) << 32, word(&raw, 8))
    };
    (pointer != 0).then(|| address(tid, pointer, u64::from(length)))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn address(tid: i32, pointer: u64, length: u64) -> SocketAddress {
    let mut raw = [0u8; ADDRESS_MAX];
    let length = (length as usize & 0xffff_ffff).min(ADDRESS_MAX);
    match memory::read_exact(tid, pointer, &mut raw[..length]) {
        Ok(()) => parse(&raw[..length]),
        Err(_) => SocketAddress::Unreadable,
    }
}

/// Reads a `struct sockaddr` (ip(7), ipv6(7), unix(7)).
pub(crate) fn parse(raw: &[u8]) -> SocketAddress {
    let Some((family, rest)) = raw.split_first_chunk::<2>() else { return SocketAddress::Unreadable };
    let family = u16::from_ne_bytes(*family);
    let port = || rest.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
    match i32::from(family) {
        libc::AF_INET => {
            let ip = raw.get(4..8).and_then(|ip| <[u8; 4]>::try_from(ip).ok());
            match (ip, port()) {
                (Some(ip), Some(port)) => SocketAddress::Ip { ip: IpAddr::V4(Ipv4Addr::from(ip)), port },
                _ => SocketAddress::Unreadable,
            }
        }
        libc::AF_INET6 => {
            let ip = raw.get(8..24).and_then(|ip| <[u8; 16]>::try_from(ip).ok());
            match (ip, port()) {
                (Some(ip), Some(port)) => SocketAddress::Ip { ip: IpAddr::V6(Ipv6Addr::from(ip)), port },
                _ => SocketAddress::Unreadable,
            }
        }
        libc::AF_UNIX => match rest.split_first() {
            Some((0, name)) => SocketAddress::Unix { path: OsBytes::from(name), abstract_name: true },
            _ => {
                let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
                SocketAddress::Unix { path: OsBytes::from(&rest[..end]), abstract_name: false }
            }
        },
        _ => SocketAddress::Other { family },
    }
}

/// A daemon that works outside the tree, where the address is one of a known daemon.
pub(crate) fn delegate(address: &SocketAddress) -> Option<&'static str> {
    const SOCKETS: [(&str, &str); 10] = [
        ("docker.sock", "docker"),
        ("podman.sock", "podman"),
        ("containerd.sock", "containerd"),
        ("buildkitd.sock", "buildkit"),
        ("crio.sock", "cri-o"),
        ("lxd/unix.socket", "lxd"),
        ("nix/daemon-socket/socket", "the nix daemon"),
        ("watchman", "watchman"),
        ("bazel", "bazel"),
        ("gradle", "gradle"),
    ];
    match address {
        SocketAddress::Ip { ip, port: 4226 } if ip.to_canonical().is_loopback() => Some("sccache"),
        SocketAddress::Unix { path, .. } => {
            let text = path.lossy();
            SOCKETS.iter().find(|(part, _)| text.contains(part)).map(|(_, name)| *name)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_each_family() {
        let v4 = [2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse(&v4).to_string(), "127.0.0.1:8080");
        let mut v6 = [0u8; 28];
        (v6[0], v6[2], v6[3], v6[23]) = (10, 0, 80, 1);
        assert_eq!(parse(&v6).to_string(), "[::1]:80");
        assert_eq!(parse(b"\x01\x00/run/x\0junk").to_string(), "unix:/run/x");
        assert_eq!(parse(b"\x01\x00\0name").to_string(), "unix:@name");
        assert_eq!(parse(&[16, 0, 0, 0]), SocketAddress::Other { family: 16 });
        assert_eq!(parse(&[2, 0, 1]), SocketAddress::Unreadable);
        assert_eq!(delegate(&parse(b"\x01\x00/var/run/docker.sock\0")), Some("docker"));
    }
}
