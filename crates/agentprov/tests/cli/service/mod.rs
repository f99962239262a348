//! The service, started for a test, and a client of few lines.

use crate::place::{PROGRAM, Place};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A service of its own for a test; it ends with the test.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
    /// What it said before it listened.
    pub(crate) warnings: Vec<String>,
}

impl Daemon {
    pub(crate) fn start(place: &Place) -> Self {
        Self::start_with(place, &[], &[])
    }

    /// With more arguments, and settings from the environment.
    pub(crate) fn start_with(place: &Place, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["daemon", "serve", "--listen", "127.0.0.1:0"]).args(arguments).stderr(Stdio::piped());
        let mut child = place.surround(&mut command).envs(settings.iter().copied()).spawn().expect("the program");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut warnings = Vec::new();
        let address = loop {
            let line = said.next().unwrap_or_else(|| panic!("it ended: {warnings:?}")).expect("text");
            match line.strip_prefix("listening on http://") {
                Some(address) => break address.to_owned(),
                None => warnings.push(line),
            }
        };
        let token = std::fs::read_to_string(place.data_dir().join("daemon.token")).expect("a token").trim().to_owned();
        Self { child, address, token, warnings }
    }

    pub(crate) fn ask(&self, head: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (address, length) = (&self.address, body.len());
        write!(stream, "{head}\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let (_, document) = answer.split_once("\r\n\r\n").expect("a body");
        (status, serde_json::from_str(document).unwrap_or(Value::Null))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {}", self.token), "")
    }

    pub(crate) fn post(&self, extra: &str, body: &Value) -> (u16, Value) {
        let token = &self.token;
        let head = format!(
            "POST /v1/analysis HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json{extra}"
        );
        self.ask(&head, &body.to_string())
    }

    pub(crate) fn decided(&self, id: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let (status, document) = self.get(&format!("/v1/analysis/{id}"));
            assert_eq!(status, 200, "{document}");
            if document["status"] == "completed" || document["status"] == "failed" {
                return document;
            }
            assert!(Instant::now() < end, "{document}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A change that could be posted: so many lines of that content.
pub(crate) fn change(number: usize, lines: usize, content: &str) -> Value {
    let line = |at: usize| {
        json!({
            "file_path": format!("src/a{}.py", at % 5), "line_number": at / 5 + 1, "change_type": "added",
            "content": content, "attribution": {"agent_id": "codex"},
        })
    };
    let rows: Vec<Value> = (0..lines).map(line).collect();
    json!({
        "repo": "org/name", "pr_number": number, "base_sha": "a".repeat(40), "head_sha": "b".repeat(40),
        "provenance_data": {"changed_lines": rows},
    })
}
