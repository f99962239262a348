//! Which process holds the other end of a connection on the loopback interface.

use crate::hooks::anchor;
use agentprov_model::declared::ProcessAnchor;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Sockets whose holder is remembered: more than an agent keeps open at once.
const MOST_REMEMBERED: usize = 256;
/// Lines of the table of sockets that are looked at.
const MOST_SOCKETS: usize = 1 << 20;

/// Finds clients, and remembers whose a socket was: a socket's inode names it as long as it is open.
#[derive(Default)]
pub struct Clients {
    known: HashMap<u64, ProcessAnchor>,
}

impl Clients {
    /// The process that holds the client's end of a connection from `client` to `server`. None where it is gone, or
    /// where several hold it and nothing tells which of them calls.
    pub fn find(&mut self, client: SocketAddr, server: SocketAddr) -> Option<ProcessAnchor> {
        let inode = socket_inode(client, server)?;
        if let Some(known) = self.known.get(&inode) {
            return Some(known.clone());
        }
        let mut holders = holders(inode);
        let pid = holders.pop().filter(|_| holders.is_empty())?;
        let found = anchor::of(pid).ok()?;
        if self.known.len() >= MOST_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(inode, found.clone());
        Some(found)
    }
}

/// The inode of the client's end, from the kernel's table.
fn socket_inode(client: SocketAddr, server: SocketAddr) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let (client, server) = (table_address(client)?, table_address(server)?);
    let line = table.lines().take(MOST_SOCKETS).find(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next() == Some(client.as_str()) && fields.next() == Some(server.as_str())
    })?;
    line.split_ascii_whitespace().nth(9)?.parse().ok().filter(|inode| *inode != 0)
}

/// An address as the table writes it: the four bytes as one number of the host's order.
fn table_address(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

/// Processes that have the socket open and can be looked at.
fn holders(inode: u64) -> Vec<u32> {
    let name = format!("socket:[{inode}]");
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        open.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == name.as_str()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_holder_of_a_connection_is_found_and_a_closed_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = listener.local_addr().expect("its address");
        let stream = TcpStream::connect(server).expect("it is reached");
        let client = stream.local_addr().expect("its address");
        let mut clients = Clients::default();
        let found = clients.find(client, server).expect("it is us");
        assert_eq!(found.carrier.pid, std::process::id());
        assert_eq!(clients.find(client, server), Some(found), "the second look is remembered");
        drop(stream);
        assert_eq!(clients.find(client, server), None, "nobody holds it");
    }
}
