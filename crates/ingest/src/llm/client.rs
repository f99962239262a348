//! Which process holds the other end of a connection on the loopback interface.

use crate::hooks::anchor;
use agentprov_model::declared::ProcessAnchor;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;

/// Lines of the table of sockets that are looked at.
const MOST_SOCKETS: usize = 1 << 20;

/// The process that holds each client's end of its connection to `server`, by one look at the host for all of them.
/// None where it is gone, or where several hold it and nothing tells which of them calls.
pub fn find_clients(clients: &[SocketAddr], server: SocketAddr) -> Vec<Option<ProcessAnchor>> {
    if clients.is_empty() {
        return Vec::new();
    }
    let inodes = socket_inodes(clients, server);
    let holders = holders(&inodes.iter().flatten().copied().collect());
    let only = |inode: &u64| match holders.get(inode)?.as_slice() {
        [holder] => holder.clone(),
        _ => None,
    };
    inodes.iter().map(|inode| only(inode.as_ref()?)).collect()
}

/// The inodes of the clients' ends, from the kernel's table.
fn socket_inodes(clients: &[SocketAddr], server: SocketAddr) -> Vec<Option<u64>> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let server = table_address(server);
    let mut inodes = HashMap::new();
    for line in table.lines().take(MOST_SOCKETS) {
        let fields: Vec<&str> = line.split_ascii_whitespace().take(10).collect();
        if let [_, local, remote, .., inode] = fields.as_slice()
            && server.as_deref() == Some(*remote)
            && let Some(inode) = inode.parse().ok().filter(|inode| *inode != 0)
        {
            inodes.insert(*local, inode);
        }
    }
    clients.iter().map(|client| inodes.get(table_address(*client)?.as_str()).copied()).collect()
}

/// An address as the table writes it: the four bytes as one number of the host's order.
fn table_address(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

/// Processes that have the sockets open, by socket; None stands for one that is gone meanwhile.
fn holders(inodes: &HashSet<u64>) -> HashMap<u64, Vec<Option<ProcessAnchor>>> {
    let mut found: HashMap<u64, Vec<Option<ProcessAnchor>>> = HashMap::new();
    if inodes.is_empty() {
        return found;
    }
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // Clients are of the recording, and so among the newest: they are seen before a short call is over.
    pids.sort_unstable_by_key(|pid| Reverse(*pid));
    for pid in pids {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let held: HashSet<u64> = open.filter_map(|file| socket(&std::fs::read_link(file.path()).ok()?)).collect();
        for inode in held.intersection(inodes) {
            found.entry(*inode).or_default().push(anchor::of(pid).ok());
        }
    }
    found
}

/// The inode, where a descriptor's link is of a socket.
fn socket(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
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
        let other = TcpStream::connect(server).expect("it is reached");
        let both = [client, other.local_addr().expect("its address")];
        let found = find_clients(&both, server);
        assert!(found.iter().all(|found| found.as_ref().is_some_and(|found| found.carrier.pid == std::process::id())));
        drop(stream);
        assert_eq!(find_clients(&[client], server), [None], "nobody holds it");
    }
}
