//! Connections.

use crate::recording::{self, Ended};
use agentprov_capture::{Gate, Ruling};
use agentprov_model::{CallResult, Outcome, ProcessId, SocketAddress, What};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

/// Ports for the racing program: allowed, denied.
const PORTS: &str = "DENY_TEST_PORTS";
const CONNECTS: usize = 2_000;

/// Denies one port.
struct DenyPort(u16);

impl Gate for DenyPort {
    fn connect(&self, process: Option<ProcessId>, address: &SocketAddress) -> Ruling {
        assert!(process.is_some());
        match address {
            SocketAddress::Ip { port, .. } if *port == self.0 => Ruling::Deny,
            _ => Ruling::Allow,
        }
    }
}

fn sort(what: &What, denied: &str) -> Option<Ended> {
    let What::Network(call) = what else { return None };
    let SocketAddress::Ip { port, .. } = call.address else { return None };
    Some(match (port.to_string() == denied, call.result) {
        (true, CallResult::Errno(libc::EPERM)) => Ended::Denied,
        (false, CallResult::Ok(0)) => Ended::Passed,
        (_, result) => Ended::Other(format!("port {port} (denied is {denied}) ended with {result:?}")),
    })
}

/// Accepts until told to stop; gives how many came.
fn count(listener: TcpListener, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    listener.set_nonblocking(true).expect("a listener");
    std::thread::spawn(move || {
        let mut came = 0;
        loop {
            match listener.accept() {
                Ok(_) => came += 1,
                Err(_) if stop.load(Ordering::SeqCst) => return came,
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    })
}

pub(crate) fn a_thread_that_rewrites_the_address_never_gets_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [allowed, denied] = [0, 1].map(|index: usize| listeners[index].local_addr().expect("an address").port());
    let stop = Arc::new(AtomicBool::new(false));
    let accepted = listeners.map(|listener| count(listener, Arc::clone(&stop)));
    let ports = format!("{allowed} {denied}");
    let (finished, counts) =
        recording::again((PORTS, &ports), folder.path(), Arc::new(DenyPort(denied)), (sort, &denied.to_string()));
    stop.store(true, Ordering::SeqCst);
    let [through_allowed, through_denied] = accepted.map(|count| count.join().expect("a count"));
    assert_eq!(finished.outcome, Outcome::Exited(0));
    assert_eq!(through_denied, 0, "connects to the denied port that got through");
    assert_eq!((counts.denied + counts.passed, counts.wrong), (CONNECTS as u64, 0), "{counts:?}");
    assert!(counts.denied > 0 && counts.passed > 0, "the race must go both ways: {counts:?}");
    assert_eq!(through_allowed, counts.passed, "what is recorded is what happened");
}

/// The command, where this is it.
pub(crate) fn command() -> bool {
    std::env::var(PORTS).map(|ports| race(&ports)).is_ok()
}

/// Connects while another thread rewrites the port.
fn race(ports: &str) {
    let (allowed, denied) = ports.split_once(' ').expect("two ports");
    let [allowed, denied] = [allowed, denied].map(|port| port.parse::<u16>().expect("a port").to_be());
    // struct sockaddr_in: family, port, address, padding.
    let address: &'static [AtomicU16; 8] = Box::leak(Box::new(std::array::from_fn(|_| AtomicU16::new(0))));
    address[0].store(libc::AF_INET as u16, Ordering::SeqCst);
    address[1].store(allowed, Ordering::SeqCst);
    let ip = u32::from_ne_bytes([127, 0, 0, 1]).to_ne_bytes();
    address[2].store(u16::from_ne_bytes([ip[0], ip[1]]), Ordering::SeqCst);
    address[3].store(u16::from_ne_bytes([ip[2], ip[3]]), Ordering::SeqCst);
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&stop);
    let rewriter = std::thread::spawn(move || {
        while !done.load(Ordering::Relaxed) {
            address[1].store(denied, Ordering::Relaxed);
            address[1].store(allowed, Ordering::Relaxed);
        }
    });
    for round in 0..CONNECTS {
        // A busy machine may keep the other thread from running: both ports must come all the same.
        address[1].store(if round % 2 == 0 { allowed } else { denied }, Ordering::Relaxed);
        // SAFETY: plain integers; the address is 16 live bytes that may change, as the test means them to.
        unsafe {
            let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
            assert!(socket >= 0, "a socket");
            libc::connect(socket, address.as_ptr().cast(), 16);
            libc::close(socket);
        }
    }
    stop.store(true, Ordering::Relaxed);
    rewriter.join().expect("the thread ends");
}
