//! Notices of decisions: signed, once each, also when the receiver was down.

use crate::place::Place;
use crate::service::{Daemon, change};
use agentprov_model::hmac::hmac_sha256;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "a key of sixteen and more";

/// A receiver that refuses the first notice and takes the others. Gives head and body of each.
fn receiver() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/notices", listener.local_addr().expect("an address"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let status = if number == 0 { "503 Service Unavailable" } else { "204 No Content" };
            if tell.send(take(stream, status)).is_err() {
                return;
            }
        }
    });
    (url, told)
}

fn take(mut stream: TcpStream, status: &str) -> (String, Vec<u8>) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
    }
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.expect("a length")];
    reader.read_exact(&mut body).expect("a body");
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("it reads");
    (head, body)
}

fn analysed(daemon: &Daemon, number: usize) -> String {
    let (status, accepted) = daemon.post("", &change(number, 2, "import pickle"));
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["analysis_id"].as_str().expect("an id").to_owned();
    daemon.decided(&id);
    id
}

#[test]
fn every_decision_is_told_once_signed_and_without_code() {
    let place = Place::new();
    // What ended before there was a receiver is not told.
    let mut before = Daemon::start(&place);
    analysed(&before, 1);
    before.child.kill().expect("SIGKILL");
    before.child.wait().expect("its end");

    let (url, told) = receiver();
    let settings = [
        ("PROVENANCE_WEBHOOK_URL", url.as_str()),
        ("PROVENANCE_WEBHOOK_KEY", KEY),
        ("PROVENANCE_SERVICE_BASE_URL", "https://review.example"),
    ];
    let daemon = Daemon::start_with(&place, &[], &settings);
    let ids = [analysed(&daemon, 2), analysed(&daemon, 3)];
    let mut notices: Vec<Value> = Vec::new();
    for _ in 0..3 {
        let (head, body) = told.recv_timeout(PATIENCE).expect("a notice");
        assert!(head.starts_with("POST /notices HTTP/1.1\r\n"), "{head}");
        let signature =
            format!("x-agentprov-signature: sha256={}\r\n", HEXLOWER.encode(&hmac_sha256(KEY.as_bytes(), &body)));
        assert!(head.to_ascii_lowercase().contains(&signature), "{head}");
        assert!(!String::from_utf8_lossy(&body).contains("import pickle"));
        notices.push(serde_json::from_slice(&body).expect("a document"));
    }
    // The first was refused, and sent again as it was.
    assert_eq!(notices[0], notices[1]);
    for (notice, id) in notices[1..].iter().zip(&ids) {
        assert_eq!(notice["analysis_id"], json!(id));
        assert_eq!(notice["event_id"], format!("{id}/decision"));
        assert_eq!(notice["status_url"], format!("https://review.example/v1/analysis/{id}"));
        assert_eq!(notice["findings_by_severity"], json!({"medium": 2}));
        assert_eq!(notice["outcome"], daemon.get(&format!("/v1/analysis/{id}")).1["decision"]["outcome"]);
    }
    assert!(told.try_recv().is_err(), "more than was decided");
    let export = daemon.get("/v1/export").1;
    assert_eq!((&export["enabled"], &export["webhook"]["enabled"]), (&json!(false), &json!(true)), "{export}");
}

#[test]
fn a_webhook_without_a_key_or_in_the_open_ends_the_start() {
    let place = Place::new();
    for (settings, why) in [
        (&[("PROVENANCE_WEBHOOK_URL", "http://127.0.0.1:1")][..], "have to be signed"),
        (&[("PROVENANCE_WEBHOOK_URL", "http://127.0.0.1:1"), ("PROVENANCE_WEBHOOK_KEY", "short")], "16 bytes"),
        (&[("PROVENANCE_WEBHOOK_URL", "http://review.example"), ("PROVENANCE_WEBHOOK_KEY", KEY)], "plain text"),
    ] {
        let mut command = place.command(["daemon", "serve", "--listen", "127.0.0.1:0"]);
        let output = command.envs(settings.iter().copied()).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{said}");
        assert!(!said.contains("short"), "{said}");
    }
}
