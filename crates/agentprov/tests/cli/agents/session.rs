//! A session of an agent with a model that plays a script, recorded.

use super::{golden, npm};
use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place, Said};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Seconds after which a session is ended from outside.
const LONGEST: &str = "40";

/// Runs an agent until there is a file, and interrupts it then, as a user does.
const INTERRUPTED: &str = "file=$1; shift; \"$@\" & until [ -e \"$file\" ]; do sleep 0.1; done; kill -INT $!; wait $!";

/// A session to be: its place, the agent, and what the model will ask for.
pub(crate) struct Session {
    pub(crate) place: Place,
    pub(crate) program: PathBuf,
    /// The agent's command line.
    pub(crate) words: Vec<String>,
    /// Settings of the agent.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    steps: Vec<Value>,
    conversations: Vec<Value>,
}

impl Session {
    pub(crate) fn new(program: PathBuf, words: &[&str], settings: &'static [(&'static str, &'static str)]) -> Self {
        let place = Place::new();
        for folder in ["home", "tmp"] {
            std::fs::create_dir(place.root().join(folder)).expect("a folder");
        }
        let words = std::iter::once(program.to_string_lossy().into_owned())
            .chain(words.iter().map(|word| (*word).to_owned()))
            .collect();
        Self { place, program, words, settings, steps: Vec::new(), conversations: Vec::new() }
    }

    /// Calls that the model asks for together.
    pub(crate) fn step(&mut self, calls: &[(&str, &str, Value)]) -> &mut Self {
        self.steps.push(asked(calls));
        self
    }

    /// Calls that it asks for one after the other where a conversation begins with a text, as a subagent's does.
    pub(crate) fn told(&mut self, text: &str, calls: &[(&str, &str, Value)]) -> &mut Self {
        let steps: Vec<Value> = calls.iter().map(|call| asked(std::slice::from_ref(call))).collect();
        self.conversations.push(json!({"told": text, "steps": steps, "last": "Seen."}));
        self
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.place.work().join(name).to_string_lossy().into_owned()
    }

    /// Interrupts the agent as soon as there is a file.
    pub(crate) fn interrupt_at(&mut self, name: &str) {
        let interrupted = ["sh", "-c", INTERRUPTED, "interrupted", name].map(str::to_owned);
        self.words.splice(0..0, interrupted);
    }

    /// Records the session and compares.
    pub(crate) fn reconciled(&self, name: &str) -> Value {
        self.reconciled_with(name, 0)
    }

    /// The same where the agent ends with a status of its own.
    pub(crate) fn reconciled_with(&self, name: &str, status: i32) -> Value {
        let script = self.place.root().join("script.json");
        let text = json!({"steps": self.steps, "conversations": self.conversations}).to_string();
        std::fs::write(&script, text).expect("a script can be written");
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/model-server/model_server.py");
        let mut command = Command::new("timeout");
        command.args([LONGEST, "unshare"]).args(npm::namespace());
        npm::alone(&mut command).arg("python3").args([&server, &script]).args(["--", PROGRAM]);
        command.args(["record", "--quiet", "--run", "r1", "--"]).args(&self.words);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMPDIR", self.place.root().join("tmp")).envs(self.settings.iter().copied());
        let said = Said::of(&self.place.surround(&mut command).output_in_time());
        assert_eq!(said.status, status, "stdout: {}\nstderr: {}", said.stdout, said.stderr);
        let document = self.place.run(["reconcile", "r1", "--json"]).ok().json();
        golden::keep(name, &self.place, &self.program);
        document
    }

    /// Files of the workspace that belong to a call for certain, without the drafts that the agent renames.
    pub(crate) fn files(&self, document: &Value, id: &str) -> Vec<String> {
        let rows = call(document, id)["files"].as_array().cloned().unwrap_or_default();
        let certain = rows.iter().filter(|row| row["state"] == "bound");
        let names = certain.map(|row| row["path"].as_str().expect("a path").to_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('/') && !name.contains(".tmp.")).collect();
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn explained(&self, id: &str) -> String {
        self.place.run(["graph", "explain", "--tool-call", id]).ok().stdout
    }

    /// What is known of who owns a line, counted from zero.
    pub(crate) fn line(&self, name: &str, line: usize) -> Value {
        self.place.run(["blame", name, "--json"]).ok().json()["lines"][line].clone()
    }

    /// The line, counted from zero, is owned by that call.
    pub(crate) fn owns(&self, id: &str, name: &str, line: usize) {
        let found = self.line(name, line);
        assert_eq!(found["owner"]["tool_call_id"], id, "{name}:{}: {found:#}", line + 1);
    }

    /// Every call is there and has its effects.
    pub(crate) fn effects(&self, document: &Value, files: &[(&str, &[&str])]) {
        for (id, names) in files {
            assert_eq!(call(document, id)["state"], "matched", "{id}: {document:#}");
            assert_eq!(self.files(document, id), *names, "{id}: {document:#}");
        }
    }

    /// And nothing else was done.
    pub(crate) fn matched(&self, document: &Value, files: &[(&str, &[&str])]) {
        self.effects(document, files);
        assert_eq!(document["undeclared"], json!([]), "{document:#}");
    }
}

fn asked(calls: &[(&str, &str, Value)]) -> Value {
    calls.iter().map(|(id, name, input)| json!({"id": id, "name": name, "input": input})).collect()
}

pub(crate) fn call<'d>(document: &'d Value, id: &str) -> &'d Value {
    let calls = document["calls"].as_array().expect("calls");
    calls.iter().find(|call| call["tool_call_id"] == id).unwrap_or_else(|| panic!("no call {id} in {document:#}"))
}

pub(crate) fn roots(document: &Value, id: &str) -> Vec<Value> {
    let rows = call(document, id)["processes"].as_array().cloned().unwrap_or_default();
    rows.into_iter().filter(|row| row["root"] == true).collect()
}
