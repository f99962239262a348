//! Responses on real processes, files and sockets: the effect, and what is said when there is none.

use crate::facts::*;
use agentprov_model::*;
use agentprov_policy::respond::{Adapter, Export, Kill, ProcPipes, Quarantine, Responder, Retry, Webhook, hmac_sha256};
use agentprov_policy::taint::PipeView;
use agentprov_policy::{RuleJudge, load};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const EPOCH: EventTime = EventTime::from_nanos(5);
use ResponseState::{Attempted, Confirmed, Failed, Requested, Unsupported};

/// A child of this test, ended when the test is over.
struct Victim(Child);

impl Victim {
    fn new(program: &str, arguments: &[&str]) -> Self {
        let child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(child.expect("the program starts"))
    }

    fn key(&self) -> ProcessKey {
        agentprov_capture::process_key(self.0.id()).expect("it is alive")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Judges one secret read of the process with a rule that asks for `response`.
fn respond(key: &ProcessKey, response: ResponseKind, adapter: Box<dyn Adapter>) -> Derivations {
    let decision = if response == ResponseKind::Kill { "kill" } else { "quarantine" };
    let text = format!(
        "rules:\n  - id: r\n    match: {{class: secret}}\n    decision: {decision}\n    response: {response}\n"
    );
    let rules = Arc::new(load::from_text("r", &text).expect("loads"));
    let responder = Responder::start(vec![(response, adapter)], || EPOCH).expect("a thread");
    let mut judge = RuleJudge::new(rules, RuleMode::Enforce).with_responder(responder);
    let mut derived = Derivations::default();
    derived.judge(&mut judge, &[bound(key), started(1, key, None), opened(2, key, "/w/.env", Access::Read)]);
    derived.finish(&mut judge);
    derived
}

#[test]
fn kill_ends_the_process_and_says_so_when_it_did() {
    let mut victim = Victim::new("sleep", &["60"]);
    let derived = respond(&victim.key(), ResponseKind::Kill, Box::new(Kill::default()));
    let (states, evidence) = derived.course(ResponseKind::Kill);
    assert_eq!(states, [Requested, Attempted, Confirmed], "{evidence}");
    let status = victim.0.wait().expect("it can be reaped");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    let steps = derived.responses();
    assert!(steps[1..].iter().all(|(_, step)| step.request == Some(steps[0].0)));
    assert_eq!(steps[2].1.reached, EPOCH);
}

#[test]
fn kill_leaves_a_process_alone_that_only_has_the_pid() {
    let mut victim = Victim::new("sleep", &["60"]);
    let other = ProcessKey { start_ticks: victim.key().start_ticks - 1, ..victim.key() };
    let (states, evidence) = respond(&other, ResponseKind::Kill, Box::new(Kill::default())).course(ResponseKind::Kill);
    assert_eq!(states, [Requested, Attempted, Unsupported], "{evidence}");
    let foreign = ProcessKey { boot: BootId(ELSEWHERE.into()), ..victim.key() };
    let (states, evidence) =
        respond(&foreign, ResponseKind::Kill, Box::new(Kill::default())).course(ResponseKind::Kill);
    assert_eq!(states, [Requested, Attempted, Unsupported], "{evidence}");
    assert!(victim.0.try_wait().expect("it can be asked").is_none(), "it must still run");
}

#[test]
fn quarantine_stops_the_whole_tree() {
    let mut victim = Victim::new("sh", &["-c", "sleep 60 & echo $!; wait"]);
    let mut line = String::new();
    BufReader::new(victim.0.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a pid");
    let child: u32 = line.trim().parse().expect("a pid");
    let derived = respond(&victim.key(), ResponseKind::Quarantine, Box::new(Quarantine::default()));
    let (states, evidence) = derived.course(ResponseKind::Quarantine);
    assert_eq!(states, [Requested, Attempted, Confirmed], "{evidence}");
    for pid in [victim.0.id(), child] {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
        assert!(stat.contains(") T "), "{stat}");
    }
    let child = agentprov_capture::process_key(child).expect("it is there");
    let (states, evidence) = respond(&child, ResponseKind::Kill, Box::new(Kill::default())).course(ResponseKind::Kill);
    assert_eq!(states.last(), Some(&Confirmed), "{evidence}");
}

#[test]
fn quarantine_of_a_process_that_has_ended_fails() {
    let mut victim = Victim::new("true", &[]);
    let key = victim.key();
    victim.0.wait().expect("it ends");
    let (states, evidence) =
        respond(&key, ResponseKind::Quarantine, Box::new(Quarantine::default())).course(ResponseKind::Quarantine);
    assert_eq!(states, [Requested, Attempted, Failed], "{evidence}");
}

#[test]
fn taint_needs_a_known_process() {
    let text = "rules:\n  - id: r\n    match: {class: secret}\n    decision: audit\n    response: taint\n";
    let rules = Arc::new(load::from_text("r", text).expect("loads"));
    let mut orphan = opened(2, &key(1), "/w/.env", Access::Read);
    orphan.process = None;
    let mut derived = Derivations::default();
    derived.judge(&mut RuleJudge::new(rules, RuleMode::Enforce), &[orphan]);
    assert_eq!(derived.course(ResponseKind::Taint).0, [Requested, Failed]);
}

#[test]
fn export_writes_the_evidence_or_says_why_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = |folder: std::path::PathBuf| respond(&key(1), ResponseKind::Export, Box::new(Export { folder }));
    let derived = into(folder.path().join("out"));
    let (states, evidence) = derived.course(ResponseKind::Export);
    assert_eq!(states, [Requested, Attempted, Confirmed], "{evidence}");
    let written = folder.path().join("out").join(format!("{}.json", derived.risks()[0].0));
    let notice: serde_json::Value = serde_json::from_slice(&std::fs::read(written).expect("a file")).expect("JSON");
    assert_eq!((notice["rule_id"].as_str(), notice["object"].as_str()), (Some("r"), Some("/w/.env")));
    std::fs::write(folder.path().join("file"), "").expect("a file");
    let (states, evidence) = into(folder.path().join("file").join("out")).course(ResponseKind::Export);
    assert_eq!(states, [Requested, Attempted, Failed], "{evidence}");
}

/// Head and body of a request.
type Request = (String, Vec<u8>);

/// Answers each of the statuses in turn; gives back each request.
fn receiver(statuses: &'static [u16]) -> (String, std::thread::JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let thread = std::thread::spawn(move || {
        let serve = |status: &u16| {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).expect("a line");
            }
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
            let mut body = vec![0; length.parse().expect("a number")];
            reader.read_exact(&mut body).expect("a body");
            write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n").expect("an answer");
            (head, body)
        };
        statuses.iter().map(serve).collect()
    });
    (url, thread)
}

fn webhook(url: &str, dead: &std::path::Path) -> Box<dyn Adapter> {
    let retry = Retry { tries: 3, pause: Duration::from_millis(5), timeout: Duration::from_secs(5) };
    Box::new(Webhook::new(url, b"shared key".to_vec(), retry, dead.to_owned()).expect("a URL"))
}

#[test]
fn a_webhook_gets_a_signed_body_even_at_the_second_try() {
    let dead = tempfile::tempdir().expect("a folder");
    let (url, server) = receiver(&[503, 204]);
    let (states, evidence) =
        respond(&key(1), ResponseKind::Notify, webhook(&url, dead.path())).course(ResponseKind::Notify);
    assert_eq!(states, [Requested, Attempted, Confirmed], "{evidence}");
    assert!(evidence.contains("204 at try 2"), "{evidence}");
    let requests = server.join().expect("the server ends");
    for (head, body) in &requests {
        let signature = data_encoding::HEXLOWER.encode(&hmac_sha256(b"shared key", body));
        assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("X-Agentprov-Signature: sha256={signature}\r\n")), "{head}");
    }
    assert_eq!(requests[0].1, requests[1].1);
}

#[test]
fn a_notice_that_cannot_be_delivered_is_kept() {
    let dead = tempfile::tempdir().expect("a folder");
    let (url, server) = receiver(&[500, 500, 500]);
    let derived = respond(&key(1), ResponseKind::Notify, webhook(&url, dead.path()));
    let (states, evidence) = derived.course(ResponseKind::Notify);
    assert_eq!(states, [Requested, Attempted, Failed], "{evidence}");
    let requests = server.join().expect("the server ends");
    let kept = std::fs::read(dead.path().join(format!("{}.json", derived.risks()[0].0))).expect("a dead letter");
    assert_eq!(kept, requests[0].1);
    assert!(Webhook::new("https://x/", vec![], Retry::default(), dead.path().to_owned()).is_err());
    assert!(Webhook::new("http://a b/", vec![], Retry::default(), dead.path().to_owned()).is_err());
}

#[test]
fn a_response_that_nothing_can_carry_out_is_unsupported() {
    let derived = respond(&key(1), ResponseKind::Quarantine, Box::new(Quarantine::default()));
    let (states, evidence) = derived.course(ResponseKind::Quarantine);
    assert_eq!(states.last(), Some(&Unsupported), "{evidence}");
}

#[test]
fn pipes_of_a_live_process_are_seen_with_their_direction() {
    let victim = Victim::new("sleep", &["60"]);
    let inode = |descriptor: u32| {
        let link = std::fs::read_link(format!("/proc/{}/fd/{descriptor}", victim.0.id())).expect("a link");
        let text = link.to_str().expect("text").trim_start_matches("pipe:[").trim_end_matches(']').to_owned();
        text.parse::<u64>().expect("an inode")
    };
    let ends = ProcPipes.ends(&victim.key());
    assert!(ends.reads.contains(&inode(0)) && !ends.writes.contains(&inode(0)));
    assert!(ends.writes.contains(&inode(1)) && !ends.reads.contains(&inode(1)));
    let other = ProcessKey { start_ticks: 1, ..victim.key() };
    assert_eq!(ProcPipes.ends(&other), agentprov_policy::taint::PipeEnds::default());
}
