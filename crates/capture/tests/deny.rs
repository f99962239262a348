//! Connections that a gate denies are not made, whatever the command does with the address meanwhile.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "a racing connect needs an address that changes under it")]

use agentprov_capture::{
    AttemptEnd, Backend, Command, ContentSink, Gate, Limits, Observation, Options, Orphans, Recorder, RecorderFault,
    Ruling, ScopeStart, StdoutTo, record_gated,
};
use agentprov_model::{CallResult, ContentId, GitBlobId, Kept, Outcome, OutputStream, ProcessId, SocketAddress, What};
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

/// Counts connects by result and writes the counts to a file when the attempt ends: it lives in another process.
struct Counter {
    denied_port: u16,
    denied: u64,
    passed: u64,
    /// Calls to the denied port that ended in another way.
    wrong: u64,
    /// Calls to the allowed port that the kernel refused or broke off.
    failed: u64,
    report: std::path::PathBuf,
}

struct NoContents;

impl ContentSink for NoContents {
    fn keep(&self, _bytes: &[u8], _sha256: ContentId, _git: Option<GitBlobId>) -> Kept {
        Kept::HashOnly(agentprov_model::HashOnly::RunBudget)
    }

    fn keep_output(&self, _stream: OutputStream, _bytes: Vec<u8>) -> agentprov_model::Content {
        panic!("no output is kept in this test")
    }
}

impl Recorder for Counter {
    fn begin(&mut self, _start: ScopeStart) -> Result<(), RecorderFault> {
        Ok(())
    }

    fn observe(&mut self, observation: Observation) {
        let What::Network(call) = observation.what else { return };
        let SocketAddress::Ip { port, .. } = call.address else { return };
        match (port == self.denied_port, call.result) {
            (true, CallResult::Errno(libc::EPERM)) => self.denied += 1,
            (false, CallResult::Ok(0)) => self.passed += 1,
            (false, CallResult::Errno(errno)) if errno != libc::EPERM => self.failed += 1,
            (false, CallResult::Unknown) => self.failed += 1,
            _ => self.wrong += 1,
        }
    }

    fn contents(&self) -> Arc<dyn ContentSink> {
        Arc::new(NoContents)
    }

    fn end(&mut self, _end: AttemptEnd) -> Result<(), RecorderFault> {
        let text = format!("{} {} {} {}", self.denied, self.passed, self.wrong, self.failed);
        std::fs::write(&self.report, text).map_err(|error| RecorderFault { message: error.to_string(), hint: None })
    }
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

#[test]
fn a_thread_that_rewrites_the_address_never_gets_through() {
    if let Ok(ports) = std::env::var(PORTS) {
        return race(&ports);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report");
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [allowed, denied] = [0, 1].map(|index: usize| listeners[index].local_addr().expect("an address").port());
    let command = Command {
        argv: vec![
            std::env::current_exe().expect("this test").into(),
            "a_thread_that_rewrites_the_address_never_gets_through".into(),
            "--exact".into(),
        ],
        workdir: folder.path().to_owned(),
        env: vec![(PORTS.into(), format!("{allowed} {denied}").into())],
        stdout: StdoutTo::Stderr,
        keep_output: None,
    };
    let options = Options {
        backend: Backend::Auto,
        reads: false,
        grace: Duration::from_millis(50),
        orphans: Orphans::Observe,
        workspace: folder.path().to_owned(),
        own_files: Vec::new(),
        limits: Limits::default(),
        contents: false,
        sample_interval: Duration::from_millis(25),
    };
    if !agentprov_capture::probe().iter().any(|probe| probe.name == "ptrace" && probe.usable) {
        println!("SKIP a_thread_that_rewrites_the_address_never_gets_through: no ptrace here");
        return;
    }
    let counter = Counter { denied_port: denied, denied: 0, passed: 0, wrong: 0, failed: 0, report: report.clone() };
    let gate = || Some(Arc::new(DenyPort(denied)) as Arc<dyn Gate>);
    let stop = Arc::new(AtomicBool::new(false));
    let counts = listeners.map(|listener| count(listener, Arc::clone(&stop)));
    let finished = record_gated(&command, &options, gate, || Ok(counter), &mut |_| {}).expect("a recording");
    stop.store(true, Ordering::SeqCst);
    let [through_allowed, through_denied] = counts.map(|count| count.join().expect("a count"));
    assert_eq!(finished.outcome, Outcome::Exited(0));
    assert_eq!(through_denied, 0, "connects to the denied port that got through");
    let report = std::fs::read_to_string(report).expect("a report");
    let numbers: Vec<u64> = report.split(' ').map(|number| number.parse().expect("a number")).collect();
    let [denied, passed, wrong, failed] = numbers[..] else { panic!("four numbers: {report}") };
    println!("denied {denied}, passed {passed}");
    // A busy machine may break off a call that the gate lets through; it is then recorded as what it was.
    assert_eq!((denied + passed + failed, wrong), (CONNECTS as u64, 0));
    assert!(failed < CONNECTS as u64 / 100, "{failed} allowed calls failed");
    assert!(denied > 0 && passed > 0, "the race must go both ways: {report}");
    assert_eq!(through_allowed, passed, "what is recorded is what happened");
}

/// The command: connects while another thread rewrites the port.
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
    for _ in 0..CONNECTS {
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
