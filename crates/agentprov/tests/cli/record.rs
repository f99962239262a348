//! The recorded command keeps what is its own: status, streams, signals, arguments.

use crate::bounded::InTime as _;
use crate::place::{Place, Said, has};
use agentprov_model::What;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn the_status_of_the_command_passes_through() {
    let place = Place::new();
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] {
        assert_eq!(place.record("s", script).status, status, "{script}");
    }
    assert_eq!(place.run(["record", "-q", "--exit-zero", "--", "false"]).status, 0);
    let mut command = place.command(["record", "-q", "--", "false"]);
    assert_eq!(Said::of(&command.env("AGENTPROV_EXIT_ZERO", "1").output_in_time()).status, 0);
}

#[test]
fn the_streams_of_the_command_are_its_own() {
    let place = Place::new();
    let mut command = place.command(["record", "-q", "--", "sh", "-c", "cat; echo err >&2"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(b"in\xff\0put").expect("the pipe takes it");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.stdout, b"in\xff\0put");
    assert_eq!(output.stderr, b"err\n");
}

#[test]
fn the_manifest_has_standard_output_alone_or_goes_to_a_file() {
    let place = Place::new();
    let said = place.run(["record", "--run", "m", "--json", "--", "sh", "-c", "echo out; echo >new; exit 3"]);
    assert_eq!((said.status, said.stderr.trim()), (3, "out"));
    let manifest = said.json();
    assert_eq!(manifest["schema_version"], "agentprovenance.record/v1");
    assert_eq!((&manifest["status"], &manifest["exit_code"]), (&"failed".into(), &3.into()));
    assert_eq!(manifest["changed_files"], serde_json::json!(["new"]));

    let said = place.run(["record", "-q", "--run", "m", "--json-file", "../m.json", "--", "echo", "out"]).ok();
    assert_eq!(said.stdout, "out\n");
    let text = std::fs::read_to_string(place.root().join("m.json")).expect("the file is there");
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("a document");
    assert_eq!(manifest["attempt"], 2, "the same name again is a further attempt");
}

#[test]
fn a_terminal_stays_a_terminal_and_is_resized_and_interrupted_as_ever() {
    let test = "a_terminal_stays_a_terminal_and_is_resized_and_interrupted_as_ever";
    if !has(test, "script") || !has(test, "python3") {
        return;
    }
    let place = Place::new();
    let program = crate::place::PROGRAM;
    let inner = format!("{program} record -q --run tty -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size'");
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]);
    let output = place.surround(&mut command).output_in_time();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn an_interrupt_reaches_the_command_once_and_the_run_says_what_happened() {
    let place = Place::new();
    let script = "trap 'echo caught >>caught; exit 5' INT; touch ready; n=0; while [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done";
    // Tests that were started in the background ignore the signal, and a shell that began so can't trap it.
    let mut command = Command::new("env");
    command.args([
        "--default-signal=INT",
        crate::place::PROGRAM,
        "record",
        "-q",
        "--run",
        "i",
        "--",
        "sh",
        "-c",
        script,
    ]);
    let mut child = place.surround(&mut command).spawn().expect("runs");
    wait_for(&place, "ready");
    signal(child.id(), "INT");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(5));
    assert_eq!(place.read("caught"), "caught\n");
    let show = place.run(["show", "i", "--json"]).ok().json();
    assert_eq!(show["run"]["outcome"]["text"], "failed 5");
    assert_eq!(place.run(["verify", "i"]).status, 0);
}

/// A file that is written, and replaced at once by a rename: what it held in between is a version too, and what the
/// rename found there.
#[test]
fn a_version_that_is_replaced_at_once_is_kept() {
    let place = Place::new();
    let script = "import os
for n in range(40):
    for name in ('f', 'f.new'):
        with open(name, 'w') as file: file.write(f'{name} {n}')
    os.replace('f.new', 'f')
";
    place.run(["record", "-q", "--run", "r", "--", "python3", "-c", script]).ok();
    let file = place.work().join("f").into_os_string().into_encoded_bytes();
    let mut versions = Vec::new();
    for fact in place.facts("r") {
        let What::FileVersion(version) = fact.what else { continue };
        if version.path.as_bytes() == file {
            versions.push((version.before.content().cloned(), version.after.content().cloned()));
        }
    }
    assert_eq!(versions.len(), 80, "{versions:?}");
    assert!(versions.iter().all(|(_, after)| after.is_some()));
    for pair in versions.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "each version begins with what the one before left");
    }
}

#[test]
fn a_stopped_command_can_go_on() {
    let place = Place::new();
    let script = "sh -c 'echo $$ >pid; kill -STOP $$; echo on >on' & pid=$!; sleep 0.4; kill -CONT $pid; wait $pid";
    place.record("stop", script).ok();
    assert_eq!(place.read("on"), "on\n");
}

#[test]
fn secrets_in_arguments_are_taken_out_before_anything_is_stored() {
    let place = Place::new();
    let token = format!("ghp_{}", "Ab1".repeat(12));
    let script = format!("true --header 'Authorization: Bearer abcdef123456' {token}; true --password hunter2222");
    place.record("secret", &script).ok();
    let mut text = Vec::new();
    for name in ["store.db", "store.db-wal"] {
        text.extend(std::fs::read(place.data_dir().join(name)).unwrap_or_default());
    }
    for secret in [token.as_str(), "abcdef123456", "hunter2222"] {
        assert!(!text.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} was stored");
    }
    let receipts: Vec<_> = place.facts("secret").into_iter().flat_map(|fact| fact.redacted).collect();
    assert!(receipts.iter().any(|receipt| receipt.rule == "github_token" && receipt.count >= 1), "{receipts:?}");
    place.run(["verify", "secret"]).ok();
}

#[test]
fn environment_values_are_not_stored() {
    let place = Place::new();
    let mut command = place.command(["record", "-q", "--run", "env", "--", "sh", "-c", "true"]);
    command.env("SOME_SETTING", "value-of-the-setting").output_in_time();
    let text = std::fs::read(place.data_dir().join("store.db")).expect("a database");
    assert!(!text.windows(20).any(|window| window == b"value-of-the-setting"));
}

/// Waits until a file is there, ten seconds at most.
pub(crate) fn wait_for(place: &Place, name: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    while !place.work().join(name).exists() {
        assert!(Instant::now() < end, "{name} did not come to be");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().expect("kill runs");
    assert!(status.success());
}
