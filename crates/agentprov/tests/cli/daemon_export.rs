//! What analyses came to is handed on, to a file or a database, also when the receiver or the service was down.

use crate::place::Place;
use crate::service::{Daemon, change};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn analysed(daemon: &Daemon, number: usize) -> String {
    let (status, accepted) = daemon.post("", &change(number, 2, "import pickle"));
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["analysis_id"].as_str().expect("an id").to_owned();
    daemon.decided(&id);
    id
}

/// Waits until one analysis was handed over and that is kept.
fn handed_over(daemon: &Daemon) {
    let end = Instant::now() + PATIENCE;
    loop {
        let export = daemon.get("/v1/export").1;
        if (&export["handed_over"], &export["problem"]) == (&json!(1), &Value::Null) {
            return;
        }
        assert!(Instant::now() < end, "{export}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The lines of a file, once there are so many.
fn lines(file: &Path, count: usize) -> Vec<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= count || Instant::now() > end {
            return text.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_file_has_every_event_once_over_two_starts() {
    let place = Place::new();
    let file = place.work().join("events/out.jsonl");
    let path = file.display().to_string();
    let settings = [("PROVENANCE_TIMESERIES_BACKEND", "file"), ("PROVENANCE_TIMESERIES_PATH", path.as_str())];
    let mut daemon = Daemon::start_with(&place, &[], &settings);
    let first = analysed(&daemon, 1);
    let events = lines(&file, 4);
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event_type"].as_str()).collect();
    assert_eq!(kinds, ["analysis_metrics", "finding", "finding", "decision_bundle"]);
    assert!(events.iter().all(|event| event["analysis_id"] == json!(first)), "{events:?}");
    assert!(events.iter().all(|event| event["timestamp"].as_str().is_some_and(|time| time.ends_with("+00:00"))));
    let metrics = &events[0];
    assert_eq!((&metrics["total_lines"], &metrics["total_findings"]), (&json!(2), &json!(2)), "{metrics}");
    let agent = &metrics["agent_metrics"][0];
    assert_eq!((&agent["agent_id"], &agent["churn_rate"]), (&json!("codex"), &json!(0.0)), "{agent}");
    assert_eq!(agent["findings_by_severity"], json!({"medium": 2}), "{agent}");
    assert_eq!(events[3]["payload"]["payloadType"], "application/provenance.decision+json");

    handed_over(&daemon);
    daemon.child.kill().expect("SIGKILL");
    daemon.child.wait().expect("its end");
    let daemon = Daemon::start_with(&place, &[], &settings);
    analysed(&daemon, 2);
    let events = lines(&file, 8);
    let ids: BTreeSet<&str> = events.iter().filter_map(|event| event["event_id"].as_str()).collect();
    assert_eq!((ids.len(), events.len()), (8, 8), "{events:?}");
}

/// A server that refuses the first request and takes the others. Gives what each had: head and rows.
fn database() -> (String, Receiver<(String, Vec<Value>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let request = take(stream, if number == 0 { "500 Internal Server Error" } else { "200 OK" });
            if number > 0 && tell.send(request).is_err() {
                return;
            }
        }
    });
    (url, told)
}

fn take(mut stream: TcpStream, status: &str) -> (String, Vec<Value>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
    }
    let headers = head.to_ascii_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("a body");
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("it reads");
    let rows = String::from_utf8(body).expect("text");
    (head, rows.lines().map(|row| serde_json::from_str(row).expect("a row")).collect())
}

#[test]
fn a_database_gets_rows_of_its_tables_although_it_refused_them_first() {
    let place = Place::new();
    let (url, told) = database();
    let settings = [
        ("PROVENANCE_TIMESERIES_BACKEND", "clickhouse"),
        ("PROVENANCE_CLICKHOUSE_URL", url.as_str()),
        ("PROVENANCE_CLICKHOUSE_USER", "writer"),
        ("PROVENANCE_CLICKHOUSE_PASSWORD", "secret"),
    ];
    let daemon = Daemon::start_with(&place, &[], &settings);
    let id = analysed(&daemon, 1);
    let (head, events) = told.recv_timeout(PATIENCE).expect("rows");
    assert!(head.contains("INSERT%20INTO%20%60provenance%60.%60analysis_events%60%20FORMAT%20JSONEachRow"), "{head}");
    assert!(head.contains(": Basic d3JpdGVyOnNlY3JldA=="), "{head}");
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events.iter().all(|row| row["payload"]["analysis_id"] == json!(id)), "{events:?}");
    let time = events[0]["event_time"].as_str().expect("a time");
    assert!(time.len() == 19 && time.as_bytes()[10] == b' ', "{time}");
    let (head, findings) = told.recv_timeout(PATIENCE).expect("rows");
    assert!(head.contains("%60findings%60"), "{head}");
    assert_eq!(findings.len(), 2);
    let row = &findings[0];
    assert_eq!((&row["rule_key"], &row["severity"]), (&json!("PY001"), &json!("medium")), "{row}");
    assert_eq!((&row["repo_id"], &row["pr_number"]), (&json!("org/name"), &json!("1")), "{row}");

    handed_over(&daemon);
}

#[test]
fn no_analysis_waits_for_a_receiver_that_is_down() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let settings = [("PROVENANCE_TIMESERIES_BACKEND", "clickhouse"), ("PROVENANCE_CLICKHOUSE_URL", url.as_str())];
    let daemon = Daemon::start_with(&place, &[], &settings);
    analysed(&daemon, 1);
    let end = Instant::now() + PATIENCE;
    loop {
        let (status, export) = daemon.get("/v1/export");
        assert_eq!(status, 200, "{export}");
        if export["problem"].as_str().is_some_and(|why| why.contains("ClickHouse at http://127.0.0.1")) {
            break;
        }
        assert!(Instant::now() < end, "{export}");
        std::thread::sleep(Duration::from_millis(20));
    }
    analysed(&daemon, 2);
}
