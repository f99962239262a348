//! What goes wrong is said clearly, and the store stays whole.

use crate::bounded::InTime as _;
use crate::place::{Place, Said};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[track_caller]
fn refused(said: &Said, status: i32, parts: &[&str]) {
    assert_eq!(said.status, status, "{}", said.stderr);
    assert!(said.stderr.starts_with("fatal: "), "{}", said.stderr);
    for part in parts {
        assert!(said.stderr.contains(part), "{part:?} is not in: {}", said.stderr);
    }
}

#[test]
fn commands_that_can_t_be_run_end_as_in_a_shell_and_are_recorded() {
    let place = Place::new();
    refused(&place.run(["record", "-q", "--run", "x", "--", "no-such-command"]), 127, &["no-such-command"]);
    place.write("plain.txt", "no program");
    refused(&place.run(["record", "-q", "--run", "x", "--", "./plain.txt"]), 126, &["plain.txt"]);
    refused(&place.run(["record", "-q", "--run", "x", "--", "echo a b"]), 127, &["hint:", "-- sh -c 'echo a b'"]);
    let manifest = place.run(["record", "--run", "x", "--json", "--", "no-such-command"]).json();
    assert_eq!((&manifest["exit_code"], &manifest["state"]), (&125.into(), &"not_started".into()));
    let runs = place.run(["runs", "--json"]).ok().json();
    assert_eq!(runs["runs"][0]["outcome"]["state"], "not_started");
    place.run(["verify", "x"]).ok();
}

#[test]
fn a_mistyped_run_is_an_error_with_the_nearest_name() {
    let place = Place::new();
    place.record("fix-42", "true").ok();
    let commands: [&[&str]; 8] = [
        &["show", "fx-42"],
        &["timeline", "--run", "fx-42", "--json"],
        &["verify", "fx-42"],
        &["graph", "verify", "--run", "fx-42"],
        &["graph", "log", "--run", "fx-42"],
        &["observe", "summary", "--run", "fx-42"],
        &["evidence", "manifest", "--run", "fx-42"],
        &["rm", "fx-42"],
    ];
    for command in commands {
        let said = place.run(command);
        refused(&said, 1, &["fx-42", "did you mean 'fix-42'?"]);
        assert!(said.stdout.is_empty(), "{command:?} printed {}", said.stdout);
    }
}

#[test]
fn no_store_and_no_runs_are_told_apart() {
    let place = Place::new();
    refused(&place.run(["runs"]), 1, &["hint:", "record"]);
    place.run(["init"]).ok();
    refused(&place.run(["show"]), 1, &["holds no runs", "agentprov record"]);
    let runs = place.run(["runs"]).ok();
    assert!(runs.stdout.contains("no runs yet"), "{}", runs.stdout);
    place.record("r", "true").ok();
    place.run(["rm", "r"]).ok();
    let runs = place.run(["runs"]).ok();
    assert!(runs.stdout.contains("1 removed run not listed"), "{}", runs.stdout);
    refused(&place.run(["record", "--run", "r", "--", "true"]), 125, &["was removed", "another name"]);
}

#[test]
fn an_input_that_is_not_there_is_named_with_the_next_step() {
    let place = Place::new();
    let rows = ["telemetry", "ingest-jsonl", "--file", "no.jsonl"];
    refused(&place.run(rows), 1, &["no.jsonl", "name a file of rows, or - for standard input"]);
    refused(&place.run(["policy", "test", "no.jsonl"]), 1, &["no.jsonl", "name a file of events, or -"]);
}

#[test]
fn a_workdir_that_is_not_there() {
    let place = Place::new();
    refused(&place.run(["record", "--workdir", "nowhere", "--", "true"]), 125, &["nowhere", "hint:"]);
}

#[test]
fn files_that_can_t_be_read_do_not_stop_the_recording() {
    let place = Place::with_git(&[("a", "1\n")]);
    std::fs::set_permissions(place.write("locked", "x"), std::fs::Permissions::from_mode(0o000)).expect("chmod");
    place.record("l", "echo 2 >>a; chmod 000 a; echo 3 >b").ok();
    let show = place.run(["show", "l", "--json"]).ok().json();
    let changed = show["run"]["changed_files"].to_string();
    assert!(changed.contains("\"a\"") && changed.contains("\"b\""), "{changed}");
}

#[test]
fn a_store_of_a_newer_version_is_refused_untouched() {
    let place = Place::new();
    place.record("n", "true").ok();
    let database = place.data_dir().join("store.db");
    let sql = |text: &str| Command::new("sqlite3").arg(&database).arg(text).output_in_time();
    let version = String::from_utf8(sql("PRAGMA user_version").stdout).expect("a number");
    sql("PRAGMA user_version = 900");
    for command in [&["runs"][..], &["verify", "n"], &["record", "--", "true"], &["fsck"]] {
        let said = place.run(command);
        assert_ne!(said.status, 0);
        assert!(said.stderr.contains("fatal:") && said.stderr.contains("900"), "{}", said.stderr);
    }
    sql(&format!("PRAGMA user_version = {}", version.trim()));
    place.run(["verify", "n"]).ok();
}

#[test]
fn the_go_tool_s_database_is_named_and_left_untouched() {
    let place = Place::new();
    let foreign = place.write(".agentprov/agentprov.db", "not ours");
    let said = place.run(["record", "-q", "--run", "g", "--", "true"]).ok();
    assert!(said.stderr.contains("agentprov.db") && said.stderr.contains("left untouched"), "{}", said.stderr);
    assert_eq!(std::fs::read_to_string(foreign).expect("it is there"), "not ours");
}

#[test]
fn a_store_of_another_user_is_not_used_unless_named() {
    let test = "a_store_of_another_user_is_not_used_unless_named";
    let place = Place::new();
    place.record("a", "true").ok();
    let chown = Command::new("chown").args(["-R", "12345"]).arg(place.data_dir()).output_in_time();
    if !chown.status.success() {
        println!("SKIP {test}: only root can give files away");
        return;
    }
    refused(&place.run(["runs"]), 1, &["belongs to user id 12345", "--data-dir"]);
    refused(&place.run(["record", "--", "true"]), 125, &["belongs to user id 12345", "--data-dir"]);
    let dir = place.data_dir().display().to_string();
    place.run(["--data-dir", &dir, "runs"]).ok();
}

#[test]
fn a_store_that_may_not_be_entered_is_not_called_absent() {
    let test = "a_store_that_may_not_be_entered_is_not_called_absent";
    let place = Place::new();
    place.record("a", "true").ok();
    let copy = place.root().join("agentprov");
    std::fs::copy(crate::place::PROGRAM, &copy).expect("the program is copied where everybody may run it");
    std::fs::set_permissions(place.root(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy).args(arguments);
        Said::of(&place.surround(&mut command).output().expect("setpriv runs"))
    };
    if nobody(&["--version"]).status != 0 {
        println!("SKIP {test}: another user's rights can't be had here");
        return;
    }
    refused(&nobody(&["runs"]), 1, &["belongs to user id 0", "--data-dir"]);
    let dir = place.data_dir().display().to_string();
    refused(&nobody(&["--data-dir", &dir, "runs"]), 1, &["Permission denied", "hint: check who owns"]);
    let doctor = nobody(&["doctor"]);
    assert!(doctor.stdout.contains("belongs to user id 0"), "{}", doctor.stdout);
    assert!(!doctor.stdout.contains("made by the first recording"), "{}", doctor.stdout);
}

#[test]
fn a_data_dir_that_is_a_file_is_named_as_one() {
    let place = Place::new();
    place.write("plain", "");
    for (dir, status) in [("plain", 1), ("plain/below", 1)] {
        refused(&place.run(["--data-dir", dir, "runs"]), status, &["plain", "not a folder", "hint:"]);
    }
    refused(&place.run(["--data-dir", "plain", "record", "--", "true"]), 125, &["not a folder", "hint:"]);
}

#[test]
fn a_manifest_that_can_t_be_written_is_said_before_the_command_runs() {
    let place = Place::new();
    let record = |file: &str| place.run(["record", "-q", "--json-file", file, "--", "sh", "-c", "ls; echo 1 >ran"]);
    for file in ["nowhere/m.json", "."] {
        refused(&record(file), 125, &["--json-file", "hint:"]);
        assert!(!place.work().join("ran").exists(), "the command was not run");
    }
    let said = record("m.json").ok();
    assert!(!said.stdout.contains("m.json"), "the command does not see the file: {}", said.stdout);
    assert!(place.work().join("m.json").exists() && place.work().join("ran").exists());
}

#[test]
fn output_that_nobody_takes_does_not_hide_how_the_command_ended() {
    let place = Place::new();
    let program = crate::place::PROGRAM;
    let status = |script: &str, to: &str| {
        let line = format!("{{ {program} record -q --json -- sh -c '{script}'; echo $? >status; }} {to}");
        let mut command = Command::new("sh");
        let output = place.surround(command.args(["-c", &line])).output().expect("sh runs");
        let status = std::fs::read_to_string(place.work().join("status")).expect("the status was written");
        (status.trim().to_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(status("exit 3", "| true").0, "3");
    assert_eq!(status("exit 4", ">/dev/full").0, "4");
    let (code, stderr) = status("exit 0", ">/dev/full");
    assert_eq!(code, "125", "{stderr}");
    assert!(stderr.contains("fatal: output: "), "{stderr}");
}

#[test]
fn a_full_disk_is_said_and_leaves_the_store_intact() {
    let test = "a_full_disk_is_said_and_leaves_the_store_intact";
    let place = Place::new();
    let disk = place.root().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1500k", "none"]).arg(&disk).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("SKIP {test}: a small file system can't be mounted here");
        return;
    }
    let unmount = Unmount(&disk);
    let dir = disk.join("store").display().to_string();
    place.run(["--data-dir", &dir, "record", "-q", "--run", "small", "--", "true"]).ok();
    let script = "i=0; while [ $i -lt 30 ]; do head -c 60000 /dev/urandom >big$i; i=$((i + 1)); done
        while [ $i -lt 600 ]; do /bin/true $i; i=$((i + 1)); done; echo on >end";
    let said = place.run(["--data-dir", &dir, "record", "-q", "--run", "full", "--", "sh", "-c", script]);
    assert_eq!(said.status, 125, "{}", said.stderr);
    assert!(said.stderr.contains("incomplete") && said.stderr.contains("full"), "{}", said.stderr);
    assert!(place.work().join("end").exists(), "the command itself goes on");
    place.run(["--data-dir", &dir, "verify", "small"]).ok();
    // What fills the disk is not the store alone: with room again, everything in it holds.
    let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk).status().expect("mount runs");
    assert!(remount.success());
    place.run(["--data-dir", &dir, "fsck"]).ok();
    let runs = place.run(["--data-dir", &dir, "runs", "--json"]).ok().json();
    let full = runs["runs"].as_array().and_then(|runs| runs.iter().find(|run| run["run_id"] == "full").cloned());
    if let Some(full) = full {
        assert_ne!(full["coverage"], "complete", "a recording that lost facts claims completeness");
    }
    drop(unmount);
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_hint_about_an_id_names_the_run_and_can_be_followed() {
    let place = Place::new();
    place.record("one", "echo 1 >a").ok();
    place.record("two", "echo 2 >b").ok();
    let absent = "evt-000000000000000000000000000000ff";
    let commands: [&[&str]; 4] = [
        &["timeline", "one", "--process", "proc-00000000000000ff"],
        &["graph", "explain", "--run", "one", "--event", absent],
        &["observe", "event", "--event", absent, "--run", "one"],
        &["blame", "no-such-file", "--run", "one"],
    ];
    for command in commands {
        let said = place.run(command);
        let hint = said.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default();
        let (_, way_out) = hint.split_once(": agentprov ").unwrap_or_else(|| panic!("{command:?}: {}", said.stderr));
        assert!(way_out.contains("one"), "{command:?}: {hint}");
        place.run(way_out.split(' ')).ok();
    }
}
