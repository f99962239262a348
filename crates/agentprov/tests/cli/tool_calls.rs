//! Scripted agents that call their hooks around real commands: what they did is known line by line, and so is what a
//! recording must say of it.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place, Said, has};
use agentprov_model::{Fact, RunId, What};
use agentprov_store::{Durability, Location, Prepared, Store};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::Command;

/// A shell script that is an agent.
pub(crate) struct Agent {
    pub(crate) place: Place,
    script: String,
    name: &'static str,
    messages: u32,
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self::called("claude")
    }

    fn called(name: &'static str) -> Self {
        let place = Place::new();
        std::fs::create_dir(place.root().join("messages")).expect("a folder");
        Self { place, script: "set -u\n".to_owned(), name, messages: 0 }
    }

    pub(crate) fn line(&mut self, line: &str) -> &mut Self {
        writeln!(self.script, "{line}").expect("memory");
        self
    }

    /// A hook of the agent.
    pub(crate) fn says(&mut self, event: &str, fields: Value) -> &mut Self {
        self.messages += 1;
        let mut message = json!({"session_id": "s1", "cwd": self.place.work(), "hook_event_name": event});
        let fields = fields.as_object().expect("fields").clone();
        message.as_object_mut().expect("an object").extend(fields);
        let path = self.place.root().join(format!("messages/{}.json", self.messages));
        std::fs::write(&path, message.to_string()).expect("a message can be written");
        let name = self.name;
        self.line(&format!("'{PROGRAM}' hook {name} <'{}'", path.display()))
    }

    pub(crate) fn pre(&mut self, id: &str, tool: &str, input: &Value) -> &mut Self {
        self.says("PreToolUse", json!({"tool_name": tool, "tool_input": input, "tool_use_id": id}))
    }

    pub(crate) fn post(&mut self, id: &str, tool: &str, input: &Value) -> &mut Self {
        self.says(
            "PostToolUse",
            json!({"tool_name": tool, "tool_input": input, "tool_use_id": id, "tool_response": {}}),
        )
    }

    /// A whole shell call.
    pub(crate) fn shell(&mut self, id: &str, command: &str) -> &mut Self {
        let input = json!({"command": command});
        self.pre(id, "Bash", &input).runs(command).post(id, "Bash", &input)
    }

    /// Runs a command as agents do.
    pub(crate) fn runs(&mut self, command: &str) -> &mut Self {
        self.line(&format!("bash -c {}", quoted(command)))
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.place.work().join(name).to_string_lossy().into_owned()
    }

    pub(crate) fn record_with(&self, options: &[&str]) -> Said {
        let script = self.place.root().join("agent.sh");
        std::fs::write(&script, &self.script).expect("a script can be written");
        let script = script.to_string_lossy().into_owned();
        let mut words = vec!["record", "--quiet", "--run", "r1"];
        words.extend(options);
        words.extend(["--", "sh", &script]);
        self.place.run(words)
    }

    /// Records the agent and compares.
    pub(crate) fn reconciled(&self) -> Value {
        self.record_with(&[]).ok();
        self.place.run(["reconcile", "r1", "--json"]).ok().json()
    }
}

pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

pub(crate) fn call<'d>(document: &'d Value, id: &str) -> &'d Value {
    let calls = document["calls"].as_array().expect("calls");
    calls.iter().find(|call| call["tool_call_id"] == id).unwrap_or_else(|| panic!("no call {id} in {document:#}"))
}

/// Files that belong to a call for certain.
fn files(document: &Value, id: &str) -> BTreeSet<String> {
    let rows = call(document, id)["files"].as_array().cloned().unwrap_or_default();
    let certain = rows.iter().filter(|row| row["state"] == "bound");
    certain.map(|row| row["path"].as_str().expect("a path").to_owned()).collect()
}

pub(crate) fn undeclared(document: &Value) -> Vec<(String, String)> {
    let rows = document["undeclared"].as_array().expect("rows");
    let text = |row: &Value, key: &str| row[key].as_str().expect("text").to_owned();
    rows.iter().map(|row| (text(row, "kind"), text(row, "what"))).collect()
}

pub(crate) fn roots(document: &Value, id: &str) -> Vec<Value> {
    let rows = call(document, id)["processes"].as_array().cloned().unwrap_or_default();
    rows.into_iter().filter(|row| row["root"] == true).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_kind_of_call_finds_its_effect() {
    let mut agent = Agent::new();
    let written = json!({"file_path": agent.path("b.txt"), "content": "two\n"});
    let edited = json!({"file_path": agent.path("b.txt"), "old_string": "two", "new_string": "three"});
    agent.says("SessionStart", json!({"source": "startup"})).says("UserPromptSubmit", json!({"prompt": "work"}));
    agent.shell("t-shell", "echo one >a.txt; cat a.txt >/dev/null");
    agent.pre("t-write", "Write", &written).line("printf 'two\\n' >b.txt").post("t-write", "Write", &written);
    agent.pre("t-edit", "Edit", &edited).line("printf 'three\\n' >b.txt.new; mv b.txt.new b.txt");
    agent.post("t-edit", "Edit", &edited);
    let fails = json!({"command": "echo no >c.txt; exit 3"});
    agent.pre("t-fails", "Bash", &fails).runs("echo no >c.txt; exit 3");
    agent.says(
        "PostToolUseFailure",
        json!({"tool_name": "Bash", "tool_input": fails, "tool_use_id": "t-fails", "error": "Exit code 3"}),
    );
    agent.says("SessionEnd", json!({"reason": "other"}));
    let document = agent.reconciled();
    for id in ["t-shell", "t-write", "t-fails"] {
        assert_eq!(call(&document, id)["state"], "matched", "{id}: {document:#}");
        assert_eq!(call(&document, id)["never_ended"], false);
    }
    assert_eq!(files(&document, "t-shell"), set(&["a.txt"]));
    assert_eq!(files(&document, "t-write"), set(&["b.txt"]));
    assert_eq!(files(&document, "t-fails"), set(&["c.txt"]));
    assert_eq!(call(&document, "t-write")["files"][0]["rung"], "same_content");
    assert_eq!(call(&document, "t-fails")["status"], "failed");
    assert_eq!(roots(&document, "t-shell")[0]["rung"], "unique_command");
    assert_eq!(document["sessions"][0]["calls"], 4);
    assert_eq!(document["sessions"][0]["ended"], true);
}

/// An edit beside the file, then a rename, all by the agent itself, and an edit that changes nothing.
#[test]
fn edits_by_the_agent_itself_are_bound_by_path() {
    let mut agent = Agent::new();
    let edit = json!({"file_path": agent.path("b.txt"), "old_string": "x", "new_string": "y"});
    let other = json!({"file_path": agent.path("other.txt"), "content": "declared\n"});
    agent.line("printf 'x\\n' >b.txt");
    agent.pre("t-1", "Edit", &edit).line("printf 'y\\n' >b.txt").post("t-1", "Edit", &edit);
    agent.pre("t-2", "Edit", &edit).line("printf 'y\\n' >b.txt").post("t-2", "Edit", &edit);
    agent.pre("t-3", "Write", &other).line("printf 'another\\n' >other.txt").post("t-3", "Write", &other);
    let document = agent.reconciled();
    assert_eq!(files(&document, "t-1"), set(&["b.txt"]));
    assert_eq!(call(&document, "t-1")["files"][0]["rung"], "same_path");
    assert_eq!(call(&document, "t-2")["state"], "matched", "{document:#}");
    assert_eq!(files(&document, "t-2"), set(&[]));
    assert_eq!(call(&document, "t-3")["differences"][0]["kind"], "other_content", "{document:#}");
    assert_eq!(undeclared(&document), [("file".to_owned(), "wrote b.txt".to_owned())], "the first writing has no call");
    assert_eq!(document["verdict"], "differs");
}

/// The output of a recording that goes to a file of the workspace is no deed that a call would have to declare. A file
/// that the agent opens itself is, by whatever name it was opened.
#[test]
fn redirected_output_needs_no_call() {
    let mut agent = Agent::new();
    agent.line("echo said");
    agent.shell("t-1", "echo one >a.txt").line("echo own >own.txt");
    agent.line("mkdir old; exec 3>old/moved.txt; mv old new; echo moved >&3; exec 3>&-");
    agent.line("echo real >real.txt; ln -s real.txt link; echo linked >link");
    let script = agent.place.root().join("agent.sh");
    std::fs::write(&script, &agent.script).expect("a script can be written");
    let line = format!("'{PROGRAM}' record --quiet --run r1 -- sh '{}' >said.txt 2>&1", script.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]);
    assert!(agent.place.surround(&mut shell).output_in_time().status.success());
    let document = agent.place.run(["reconcile", "r1", "--json"]).ok().json();
    let listed: String = undeclared(&document).into_iter().map(|(_, what)| format!("{what}\n")).collect();
    for name in ["own.txt", "moved.txt", "real.txt"] {
        assert!(listed.contains(name), "{name} is not in {listed}");
    }
    assert!(!listed.contains("said.txt"), "{listed}");
    let rows = document["scaffolding"].as_array().expect("rows");
    let given = rows.iter().find(|row| row["rule"] == "inherited_output").expect("it is listed");
    assert_eq!(given["effects"], json!(["wrote said.txt"]), "{document:#}");
}

/// Where an agent renames its draft before the release of it was noticed, the draft has no version of its own: the line
/// is the call's nevertheless.
#[test]
fn a_line_of_a_draft_without_a_version_belongs_to_its_edit() {
    if !has("a_line_of_a_draft_without_a_version_belongs_to_its_edit", "python3") {
        return;
    }
    let mut agent = Agent::new();
    agent.place.write("b.txt", "x\n");
    let edit = json!({"file_path": agent.path("b.txt"), "old_string": "x", "new_string": "y"});
    agent.line("sleep 0.01").pre("t-1", "Edit", &edit);
    let before = agent.script.len();
    agent.post("t-1", "Edit", &edit);
    let after = agent.script.split_off(before);
    let program = "import os, subprocess, sys\nopen(\"b.tmp\", \"w\").write(\"y\\n\")\nos.rename(\"b.tmp\", \"b.txt\")\n\
                   subprocess.run([\"sh\", \"-c\", sys.argv[1]])";
    agent.line(&format!("exec python3 -c {} {}", quoted(program), quoted(&after)));
    agent.record_with(&[]).ok();
    let owner = |run: &str| {
        let document = agent.place.run(["blame", "b.txt", "--run", run, "--json"]).ok().json();
        let line = &document["lines"][0];
        (line["method"].clone(), line["owner"]["tool_call_id"].clone())
    };
    assert_eq!(owner("r1").1, "t-1");
    let of_draft = |fact: &Fact| match &fact.what {
        What::FileVersion(version) => version.path.as_bytes().ends_with(b"b.tmp"),
        _ => false,
    };
    let facts: Vec<Fact> = agent.place.facts("r1").into_iter().filter(|fact| !of_draft(fact)).collect();
    append(&agent.place, "r2", &facts);
    assert_eq!(owner("r2"), (json!("opened_for_writing"), json!("t-1")));
}

fn append(place: &Place, run: &str, facts: &[Fact]) {
    let store = Store::open(Location::chosen(place.data_dir())).expect("a store");
    let mut writer = store.writer().expect("a writer");
    writer
        .transaction(Durability::Process, |batch| {
            let run = batch.open_run(&RunId::new(run).expect("a name"))?;
            facts.iter().try_for_each(|fact| batch.append(run, &Prepared::new(fact)).map(drop))
        })
        .expect("facts can be appended");
}

#[test]
fn parallel_calls_keep_apart() {
    let mut agent = Agent::new();
    let (one, two) = ("sleep 0.2; echo 1 >one.txt", "sleep 0.2; echo 2 >two.txt");
    agent.pre("t-1", "Bash", &json!({"command": one})).pre("t-2", "Bash", &json!({"command": two}));
    agent.line(&format!("bash -c '{two}' & bash -c '{one}' & wait"));
    agent.post("t-2", "Bash", &json!({"command": two})).post("t-1", "Bash", &json!({"command": one}));
    let document = agent.reconciled();
    assert_eq!(files(&document, "t-1"), set(&["one.txt"]), "{document:#}");
    assert_eq!(files(&document, "t-2"), set(&["two.txt"]));
    assert_eq!(document["verdict"], "agrees", "{document:#}");
}

#[test]
fn identical_parallel_calls_are_ambiguous_and_both_are_named() {
    let mut agent = Agent::new();
    let input = json!({"command": "sleep 0.2; echo $$ >>both.txt"});
    agent.pre("t-1", "Bash", &input).pre("t-2", "Bash", &input);
    agent.line("bash -c 'sleep 0.2; echo $$ >>both.txt' & bash -c 'sleep 0.2; echo $$ >>both.txt' & wait");
    agent.post("t-1", "Bash", &input).post("t-2", "Bash", &input);
    let document = agent.reconciled();
    for (id, other) in [("t-1", "t-2"), ("t-2", "t-1")] {
        assert_eq!(call(&document, id)["state"], "ambiguous", "{document:#}");
        let roots = roots(&document, id);
        assert_eq!(roots.len(), 2, "{document:#}");
        for root in roots {
            assert_eq!(root["alternatives"], json!([other]), "{document:#}");
            assert!(root["confidence"].as_f64().expect("a number") < 0.5);
        }
    }
    assert_eq!(document["verdict"], "undecided");
}

#[test]
fn the_same_command_one_after_the_other_is_exact() {
    let mut agent = Agent::new();
    for id in ["t-1", "t-2", "t-3"] {
        agent.shell(id, "echo again >>log.txt");
    }
    let document = agent.reconciled();
    let mut seen = BTreeSet::new();
    for id in ["t-1", "t-2", "t-3"] {
        assert_eq!(call(&document, id)["state"], "matched", "{document:#}");
        assert_eq!(files(&document, id), set(&["log.txt"]));
        let roots = roots(&document, id);
        assert_eq!((roots.len(), &roots[0]["state"]), (1, &json!("bound")));
        seen.insert(roots[0]["process_id"].to_string());
    }
    assert_eq!(seen.len(), 3, "each call has a process of its own");
    assert_eq!(document["verdict"], "agrees", "{document:#}");
}

/// Equal calls of an agent that gives no ids.
#[test]
fn calls_without_ids_are_told_apart_by_order() {
    let mut agent = Agent::called("gemini");
    let fields = json!({"tool_name": "run_shell_command", "tool_input": {"command": "echo again >>log.txt"},
        "tool_response": {"llmContent": ""}});
    for _ in 0..2 {
        agent.says("BeforeTool", fields.clone()).runs("echo again >>log.txt").says("AfterTool", fields.clone());
    }
    let document = agent.reconciled();
    let calls = document["calls"].as_array().expect("calls");
    assert_eq!(calls.len(), 2, "{document:#}");
    for call in calls {
        assert_eq!((&call["id_origin"], &call["state"]), (&json!("synthetic"), &json!("matched")), "{document:#}");
    }
    assert_eq!(calls[1]["tool_call_id"], format!("{}#2", calls[0]["tool_call_id"].as_str().expect("an id")));
    assert_eq!(document["verdict"], "agrees", "{document:#}");
}

#[test]
fn background_work_stays_with_its_call() {
    let mut agent = Agent::new();
    let command = "setsid sh -c '(sleep 0.3; echo late >late.txt) & exit 0' & sleep 0.4; echo last >last.txt";
    let input = json!({"command": command, "run_in_background": true});
    agent.pre("t-bg", "Bash", &input).line(&format!("bash -c {} &", quoted(command)));
    agent.line("sleep 0.1").post("t-bg", "Bash", &input);
    agent.shell("t-2", "echo two >two.txt");
    agent.line("wait");
    let document = agent.reconciled();
    assert_eq!(files(&document, "t-bg"), set(&["last.txt", "late.txt"]), "{document:#}");
    assert_eq!(files(&document, "t-2"), set(&["two.txt"]));
    assert_eq!(roots(&document, "t-bg")[0]["background"], true);
    assert_eq!(undeclared(&document), [("process".to_owned(), "sleep 0.1".to_owned())], "{document:#}");
}

#[test]
fn what_nobody_declared_is_listed_with_its_effects() {
    let mut agent = Agent::new();
    agent.shell("t-1", "echo one >one.txt");
    agent.runs("echo u >undeclared.txt").line("printf 's\\n' >sneaky.txt");
    agent.line("git --version >/dev/null 2>&1; uname -a >/dev/null");
    let document = agent.reconciled();
    let found: BTreeSet<(String, String)> = undeclared(&document).into_iter().collect();
    let expected = [("process", "bash -c 'echo u >undeclared.txt'"), ("file", "wrote sneaky.txt")];
    let expected = expected.map(|(kind, what)| (kind.to_owned(), what.to_owned()));
    assert_eq!(found, BTreeSet::from(expected), "{document:#}");
    let process = document["undeclared"].as_array().expect("rows").iter().find(|row| row["kind"] == "process");
    assert_eq!(process.expect("a row")["effects"], json!(["wrote undeclared.txt"]));
    assert!(!document["sessions"][0]["silent_while"].as_array().expect("facts").is_empty(), "no hook spoke of it");
    let rules: Vec<&Value> = document["scaffolding"].as_array().expect("rows").iter().map(|row| &row["rule"]).collect();
    assert!(rules.contains(&&json!("version_probe")) && rules.contains(&&json!("host_probe")), "{rules:?}");
    let fails = |what: &str| agent.place.run(["reconcile", "r1", "--fail-on", what]).status;
    assert_eq!((fails("undeclared"), fails("unmatched"), fails("hooks-missing")), (1, 0, 1));
    let said = agent.place.run(["reconcile", "r1", "--fail-on", "unmatched,undeclared"]).stderr;
    assert!(said.contains("--fail-on undeclared: there is at least one") && !said.contains("unmatched"), "{said}");
}

#[test]
fn a_call_that_does_other_than_it_says_is_found() {
    let mut agent = Agent::new();
    let says = json!({"command": "make test"});
    let refused = json!({"command": "echo r >refused.txt"});
    let path = json!({"file_path": agent.path("said.txt"), "content": "x\n"});
    agent.pre("t-other", "Bash", &says).runs("echo e >evil.txt").post("t-other", "Bash", &says);
    agent.pre("t-path", "Write", &path).line("printf 'x\\n' >done.txt").post("t-path", "Write", &path);
    agent.pre("t-refused", "Bash", &refused).runs("echo r >refused.txt");
    agent.says(
        "PermissionDenied",
        json!({"tool_name": "Bash", "tool_input": refused, "tool_use_id": "t-refused", "reason": "no"}),
    );
    let document = agent.reconciled();
    for (id, kind) in [("t-other", "other_command"), ("t-path", "other_path"), ("t-refused", "ran_although_denied")] {
        assert_eq!(call(&document, id)["differences"][0]["kind"], kind, "{id}: {document:#}");
        let evidence = call(&document, id)["differences"][0]["evidence"].as_array().expect("facts");
        let first = evidence.first().and_then(Value::as_str).expect("a fact");
        agent.place.run(["show", first]).ok();
    }
    assert_eq!(agent.place.run(["reconcile", "r1", "--fail-on", "unmatched"]).status, 1);
}

#[test]
fn a_second_process_with_the_declared_command_makes_both_doubtful() {
    let mut agent = Agent::new();
    let input = json!({"command": "echo x >>x.txt"});
    agent.pre("t-1", "Bash", &input).runs("echo x >>x.txt").runs("echo x >>x.txt").post("t-1", "Bash", &input);
    let document = agent.reconciled();
    assert_eq!(call(&document, "t-1")["state"], "ambiguous", "{document:#}");
    assert_eq!(roots(&document, "t-1").len(), 2);
    assert_eq!(agent.place.run(["reconcile", "r1", "--fail-on", "undeclared"]).status, 1);
}

/// Redaction makes both commands the same text; they are told apart all the same.
#[test]
fn commands_that_differ_in_a_secret_only_are_told_apart() {
    let mut agent = Agent::new();
    let command = |secret: &str, file: &str| format!("PASSWORD={secret} sleep 0.2; echo >{file}");
    let (one, two) = (command("hunter2222", "f"), command("hunter3333", "f"));
    agent.pre("t-1", "Bash", &json!({"command": one})).pre("t-2", "Bash", &json!({"command": two}));
    agent.line(&format!("bash -c '{one}' & bash -c '{two}' & wait"));
    agent.post("t-1", "Bash", &json!({"command": one})).post("t-2", "Bash", &json!({"command": two}));
    let document = agent.reconciled();
    for id in ["t-1", "t-2"] {
        assert_eq!(call(&document, id)["state"], "matched", "{document:#}");
        assert_eq!(roots(&document, id).len(), 1);
    }
    for entry in std::fs::read_dir(agent.place.data_dir()).expect("the data dir") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("it is readable");
            assert!(!bytes.windows(10).any(|window| window == b"hunter2222"), "{} holds the secret", path.display());
        }
    }
}

/// The line in which Claude Code runs a command.
#[test]
fn the_evaluated_line_is_the_command() {
    let mut agent = Agent::new();
    let input = json!({"command": "echo 'a b' >a.txt"});
    agent.pre("t-1", "Bash", &input);
    agent.line("bash -c \"true && eval 'echo '\\\"'\\\"'a b'\\\"'\\\"' >a.txt' < /dev/null && pwd -P >| ../cwd\"");
    agent.post("t-1", "Bash", &input);
    let document = agent.reconciled();
    assert_eq!(call(&document, "t-1")["state"], "matched", "{document:#}");
    assert!(files(&document, "t-1").contains("a.txt"));
}

#[test]
fn a_cancelled_call_is_closed_by_the_turn() {
    let mut agent = Agent::new();
    let input = json!({"command": "echo x >x.txt"});
    agent.pre("t-1", "Bash", &input).runs("echo x >x.txt").says("Stop", json!({}));
    agent.runs("echo x >x.txt");
    let document = agent.reconciled();
    let first = call(&document, "t-1");
    assert_eq!(
        (&first["never_ended"], &first["closed_by"], &first["state"]),
        (&json!(true), &json!("turn"), &json!("matched"))
    );
    assert_eq!(undeclared(&document).len(), 1, "the second one came after the turn: {document:#}");
}

#[test]
fn with_losses_absence_is_refused() {
    let mut agent = Agent::new();
    let input = json!({"command": "echo never"});
    agent.pre("t-1", "Bash", &input).post("t-1", "Bash", &input).runs("echo x >x.txt");
    let lost = agent.place.data_dir().join("hooks.lost");
    agent.line(&format!("printf x >>'{}'", lost.display()));
    agent.record_with(&[]).ok();
    let fails = |what: &str| agent.place.run(["reconcile", "r1", "--fail-on", what]).status;
    assert_eq!((fails("undeclared"), fails("unmatched"), fails("hooks-missing")), (3, 1, 1));

    let mut sampled = Agent::new();
    sampled.pre("t-1", "Bash", &input).post("t-1", "Bash", &input);
    sampled.record_with(&["--backend", "procfs"]).ok();
    let said = sampled.place.run(["reconcile", "r1", "--json", "--fail-on", "unmatched"]);
    assert_eq!(said.status, 3, "a sampler may have missed it: {}", said.stdout);
    assert_eq!(call(&said.json(), "t-1")["state"], "undecided");
}

#[test]
fn a_session_that_nobody_recorded_is_declared_only() {
    let mut agent = Agent::new();
    agent.place.run(["init"]).ok();
    agent.shell("t-1", "echo one >one.txt").line("exit 0");
    let script = agent.place.root().join("agent.sh");
    std::fs::write(&script, &agent.script).expect("a script can be written");
    let mut command = std::process::Command::new("sh");
    let status = agent.place.surround(command.arg(&script)).status().expect("it runs");
    assert!(status.success());
    let document = agent.place.run(["reconcile", "claude-s1", "--json"]).ok().json();
    assert_eq!(
        (&document["verdict"], &call(&document, "t-1")["state"]),
        (&json!("declared_only"), &json!("declared_only"))
    );
    agent.place.run(["show", "claude-s1"]).ok();
    agent.place.run(["verify", "--run", "claude-s1"]).ok();
}

#[test]
fn explain_and_blame_name_the_call() {
    let mut agent = Agent::new();
    let written = json!({"file_path": agent.path("b.txt"), "content": "two\n"});
    agent.line("printf 'old\\n' >before.txt").shell("t-1", "echo one >a.txt");
    agent.pre("t-2", "Write", &written).line("printf 'two\\n' >b.txt").post("t-2", "Write", &written);
    let twice = json!({"command": "sleep 0.1; echo three >c.txt"});
    agent.pre("t-3", "Bash", &twice).pre("t-4", "Bash", &twice);
    agent.runs("sleep 0.1; echo three >c.txt").post("t-3", "Bash", &twice).post("t-4", "Bash", &twice);
    agent.record_with(&[]).ok();
    let place = &agent.place;

    let explained = place.run(["graph", "explain", "--tool-call", "t-1"]).ok().stdout;
    for part in ["Bash echo one >a.txt", "session s1", "wrote a.txt", "unique_command"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    let document = place.run(["graph", "explain", "--tool-call", "t-2", "--json"]).ok().json();
    let edges = document["downstream"].as_array().expect("edges");
    assert!(
        edges.iter().any(|edge| edge["from_id"] == "t-2" && edge["to_id"] == "workspace_file/b.txt"),
        "{document:#}"
    );
    let file = place.run(["graph", "explain", "--file", "a.txt"]).ok().stdout;
    assert!(file.contains("tool call t-1: Bash"), "{file}");
    assert!(place.run(["graph", "explain", "--event", "evt-00000000000000000000000000000000"]).status != 0);

    let owner = |name: &str| place.run(["blame", name, "--json"]).ok().json()["lines"][0].clone();
    let shell = owner("a.txt");
    assert_eq!(shell["owner"]["tool_call_id"], "t-1", "{shell:#}");
    assert_eq!(shell["owner"]["session_id"], "s1");
    assert_eq!(owner("b.txt")["owner"]["declared"]["rung"], "same_content");
    assert_eq!(owner("before.txt")["owner"]["declared"], Value::Null);
    let either = owner("c.txt");
    assert_eq!(either["owner"]["declared"]["state"], "ambiguous", "{either:#}");
    assert_eq!(either["owner"]["declared"]["tool_call_ids"], json!(["t-3", "t-4"]));
    let text = place.run(["blame", "a.txt:1"]).ok().stdout;
    assert!(text.contains("tool call  t-1 (claude Bash, lineage"), "{text}");
    let shown = place.run(["show", "t-1"]).ok().stdout;
    assert!(shown.contains("t-1"), "{shown}");
}

/// Two agents in one folder run the same command at the same time: each below its own process.
#[test]
fn two_agents_in_one_folder_keep_apart() {
    let mut agent = Agent::new();
    let command = "sleep 0.2; echo x >>shared.txt";
    let mut parts = Vec::new();
    for session in ["s-a", "s-b"] {
        let fields = json!({"session_id": session, "tool_name": "Bash", "tool_input": {"command": command},
            "tool_use_id": format!("t-{session}")});
        let before = agent.script.len();
        agent.says("PreToolUse", fields.clone()).runs(command).says("PostToolUse", fields);
        let part = agent.script.split_off(before);
        let path = agent.place.root().join(format!("{session}.sh"));
        std::fs::write(&path, part).expect("a script can be written");
        parts.push(format!("sh '{}' &", path.display()));
    }
    agent.line(&parts.join(" ")).line("wait");
    let document = agent.reconciled();
    let mut seen = BTreeSet::new();
    for id in ["t-s-a", "t-s-b"] {
        assert_eq!(call(&document, id)["state"], "matched", "{document:#}");
        let roots = roots(&document, id);
        assert_eq!((roots.len(), &roots[0]["state"]), (1, &json!("bound")), "{document:#}");
        seen.insert(roots[0]["process_id"].to_string());
    }
    assert_eq!((seen.len(), document["verdict"].as_str()), (2, Some("agrees")), "{document:#}");
}

/// An agent that a call starts has calls of its own; what it does without one is the outer call's.
#[test]
fn a_nested_agent_has_calls_of_its_own() {
    let mut agent = Agent::new();
    let inner = json!({"session_id": "inner", "tool_name": "Bash", "tool_input": {"command": "echo in >in.txt"},
        "tool_use_id": "t-inner"});
    let before = agent.script.len();
    agent.says("PreToolUse", inner.clone()).runs("echo in >in.txt").says("PostToolUse", inner);
    agent.runs("echo other >other.txt");
    let part = agent.script.split_off(before);
    let path = agent.place.root().join("inner.sh");
    std::fs::write(&path, part).expect("a script can be written");
    agent.shell("t-outer", &format!("sh {}", path.display())).shell("t-last", "echo last >last.txt");
    let document = agent.reconciled();
    assert_eq!(files(&document, "t-inner"), set(&["in.txt"]), "{document:#}");
    assert_eq!(files(&document, "t-outer"), set(&["other.txt"]));
    assert_eq!(files(&document, "t-last"), set(&["last.txt"]));
    assert_eq!(document["verdict"], "agrees", "{document:#}");
}

/// A session that goes on in another process, and hooks that the agent starts through a shell.
#[test]
fn a_resumed_session_and_shell_form_hooks_find_their_agent() {
    let mut agent = Agent::new();
    for (number, source) in [(1, "startup"), (2, "resume")] {
        let before = agent.script.len();
        agent.says("SessionStart", json!({"source": source}));
        agent.shell(&format!("t-{number}"), &format!("echo {number} >{number}.txt"));
        let part = agent.script.split_off(before).replace(&format!("'{PROGRAM}' hook claude"), &shell_form());
        let path = agent.place.root().join(format!("part{number}.sh"));
        std::fs::write(&path, part).expect("a script can be written");
        agent.line(&format!("sh '{}'", path.display()));
    }
    let document = agent.reconciled();
    assert_eq!(document["sessions"][0]["agent_processes"].as_array().expect("processes").len(), 2, "{document:#}");
    for number in [1, 2] {
        assert_eq!(files(&document, &format!("t-{number}")), set(&[&format!("{number}.txt")]), "{document:#}");
    }
    assert_eq!(document["verdict"], "agrees", "{document:#}");
}

/// A shell that stays above the hook.
fn shell_form() -> String {
    format!("sh -c '{PROGRAM} hook claude; :'")
}

/// A hook that speaks after the recording has ended is found by lineage all the same, and the log still verifies.
#[test]
fn late_messages_join_the_run_of_their_process() {
    let mut agent = Agent::new();
    let input = json!({"command": "echo late >late.txt"});
    agent.shell("t-1", "echo one >one.txt").pre("t-late", "Bash", &input).runs("echo late >late.txt");
    let before = agent.script.len();
    agent.post("t-late", "Bash", &input);
    let part = agent.script.split_off(before);
    agent.line(&format!("(sleep 0.6; {}) </dev/null >/dev/null 2>&1 &", part.trim_end()));
    agent.record_with(&["--post-root-grace-ms", "0"]).ok();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let document = agent.place.run(["reconcile", "r1", "--json"]).ok().json();
        if call(&document, "t-late")["status"] == "completed" {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the late message did not come: {document:#}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    agent.place.run(["verify", "--run", "r1"]).ok();
    agent.place.run(["fsck"]).ok();
    assert_eq!(agent.place.run(["runs", "--json"]).ok().json()["runs"].as_array().map(Vec::len), Some(1));
}

/// An agent in a pid namespace of its own counts its processes otherwise than the recorder does.
#[test]
fn an_agent_in_a_pid_namespace_is_found() {
    const UNSHARE: &str = "unshare --user --map-root-user --pid --fork --mount-proc";
    let possible = std::process::Command::new("sh").args(["-c", &format!("{UNSHARE} true 2>/dev/null")]).status();
    if !possible.is_ok_and(|status| status.success()) {
        println!("SKIP an_agent_in_a_pid_namespace_is_found: no pid namespace can be made here");
        return;
    }
    let mut agent = Agent::new();
    let before = agent.script.len();
    agent.shell("t-1", "echo one >one.txt").shell("t-2", "echo two >two.txt");
    let part = agent.script.split_off(before);
    let path = agent.place.root().join("inner.sh");
    std::fs::write(&path, part).expect("a script can be written");
    agent.line(&format!("{UNSHARE} sh '{}'", path.display()));
    let document = agent.reconciled();
    assert_eq!(files(&document, "t-1"), set(&["one.txt"]), "{document:#}");
    assert_eq!(files(&document, "t-2"), set(&["two.txt"]));
    assert_eq!(document["verdict"], "agrees", "{document:#}");
}

/// The second of two equal calls began when the first one's process was running already.
#[test]
fn equal_calls_that_overlap_in_part_are_told_apart() {
    let mut agent = Agent::new();
    let input = json!({"command": "sleep 0.4; echo x >>x.txt"});
    agent.pre("t-1", "Bash", &input).line("bash -c 'sleep 0.4; echo x >>x.txt' & first=$!").line("sleep 0.1");
    agent.pre("t-2", "Bash", &input).line("bash -c 'sleep 0.4; echo x >>x.txt' & second=$!");
    agent.line("wait $first").post("t-1", "Bash", &input).line("wait $second").post("t-2", "Bash", &input);
    let document = agent.reconciled();
    let start = |id: &str| {
        let roots = roots(&document, id);
        assert_eq!((roots.len(), &roots[0]["state"]), (1, &json!("bound")), "{document:#}");
        roots[0]["process_id"].as_str().expect("an id").to_owned()
    };
    let shown =
        |id: &str| agent.place.run(["show", &start(id), "--json"]).ok().json()["process"]["started_at"].to_string();
    assert!(shown("t-1") < shown("t-2"), "the first call has the first process");
    let confidence = &roots(&document, "t-2")[0]["confidence"];
    assert_eq!((&roots(&document, "t-1")[0]["confidence"], confidence), (&json!(1.0), &json!(0.9)));
}

/// A store that was named, not found, is the hooks' store too.
#[test]
fn hooks_follow_the_recorder_to_a_named_store() {
    let mut agent = Agent::new();
    agent.shell("t-1", "echo one >one.txt");
    let store = agent.place.root().join("elsewhere");
    let store = store.to_string_lossy().into_owned();
    agent.record_with(&["--data-dir", &store]).ok();
    let document = agent.place.run(["--data-dir", &store, "reconcile", "r1", "--json"]).ok().json();
    assert_eq!(call(&document, "t-1")["state"], "matched", "{document:#}");
    assert!(!agent.place.data_dir().exists());
}

#[test]
fn whoever_meddles_with_the_spool_is_named() {
    let mut agent = Agent::new();
    let spool = agent.place.data_dir().join("hooks.spool");
    agent.shell("t-1", "echo one >one.txt");
    agent.line(&format!("dd if=/dev/null of='{}' conv=notrunc 2>/dev/null", spool.display()));
    let document = agent.reconciled();
    assert_eq!(document["absence"]["declarations_claimable"], false, "{document:#}");
    assert!(document["absence"]["why"][0].as_str().expect("a reason").contains("spool"), "{document:#}");
    assert_eq!(agent.place.run(["reconcile", "r1", "--fail-on", "undeclared"]).status, 3);
}

/// The recorder gives Claude Code a wrapper, through which it runs each line.
#[test]
fn the_launch_wrapper_marks_the_root_of_a_call() {
    let mut agent = Agent::new();
    let input = json!({"command": "echo one >one.txt"});
    agent.pre("t-1", "Bash", &input);
    agent.line("bash -c \"$CLAUDE_CODE_SHELL_PREFIX 'true && eval '\\\\''echo one >one.txt'\\\\'' < /dev/null'\"");
    agent.post("t-1", "Bash", &input);
    let document = agent.reconciled();
    assert_eq!(roots(&document, "t-1")[0]["rung"], "launch_wrapper", "{document:#}");
    assert_eq!(files(&document, "t-1"), set(&["one.txt"]));
    assert_eq!(document["verdict"], "agrees", "{document:#}");
}
