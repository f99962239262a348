//! Claude Code itself, against a model that plays a script: what it did is known call by call, and so is what a
//! recording must say of it. It has no network but loopback, a clean environment and an empty home.

mod claude;
mod codex;
mod golden;
mod npm;
mod session;
mod turns;

use serde_json::json;
use session::{Session, call, roots};

#[test]
fn calls_one_after_the_other_find_their_effects() {
    let Some(mut session) = Session::claude("calls_one_after_the_other_find_their_effects") else { return };
    session.place.write("edit.txt", "one\ntwo\n");
    let edit = json!({"file_path": session.path("edit.txt"), "old_string": "two", "new_string": "three"});
    let write = json!({"file_path": session.path("write.txt"), "content": "written\n"});
    session.shell("t-shell", "echo one >shell.txt");
    session.step(&[("t-read", "Read", json!({"file_path": session.path("edit.txt")}))]);
    session.step(&[("t-edit", "Edit", edit)]).step(&[("t-write", "Write", write)]);
    session.shell("t-again-1", "echo again >>again.txt").shell("t-again-2", "echo again >>again.txt");
    session.shell("t-fails", "echo no >fails.txt; exit 3");
    let document = session.reconciled("claude-sequence");
    for (id, name) in [
        ("t-shell", "shell.txt"),
        ("t-edit", "edit.txt"),
        ("t-write", "write.txt"),
        ("t-again-1", "again.txt"),
        ("t-again-2", "again.txt"),
        ("t-fails", "fails.txt"),
    ] {
        assert_eq!(call(&document, id)["state"], "matched", "{id}: {document:#}");
        assert_eq!(session.files(&document, id), [name], "{id}: {document:#}");
        assert!(session.explained(id).contains(name), "{id}");
    }
    assert_eq!(document["counts"]["calls"], 7, "{document:#}");
    assert_eq!(call(&document, "t-fails")["status"], "failed");
    assert_eq!(document["undeclared"], json!([]), "{document:#}");
    let pair = ["t-again-1", "t-again-2"].map(|id| roots(&document, id));
    assert!(pair.iter().all(|roots| roots.len() == 1 && roots[0]["state"] == "bound"), "{pair:#?}");
    assert_ne!(pair[0][0]["process_id"], pair[1][0]["process_id"]);
    assert_eq!(pair[0][0]["rung"], "launch_wrapper", "{document:#}");
    for (name, line, owner) in [
        ("shell.txt", 0, "t-shell"),
        ("edit.txt", 1, "t-edit"),
        ("write.txt", 0, "t-write"),
        ("again.txt", 0, "t-again-1"),
        ("again.txt", 1, "t-again-2"),
        ("fails.txt", 0, "t-fails"),
    ] {
        session.owns(owner, name, line);
    }
}

/// Shell calls that only read run at once. What one of two equal ones did can't be told from the other's.
#[test]
fn parallel_calls_keep_apart_and_equal_ones_stay_ambiguous() {
    let Some(mut session) = Session::claude("parallel_calls_keep_apart_and_equal_ones_stay_ambiguous") else { return };
    session.place.write("read.txt", "text\n");
    let shell = |command: &str| json!({"command": command});
    let write = json!({"file_path": session.path("three.txt"), "content": "3\n"});
    session.step(&[
        ("t-1", "Bash", shell("sleep 0.2; echo 1 >one.txt")),
        ("t-2", "Bash", shell("sleep 0.2; echo 2 >two.txt")),
        ("t-3", "Write", write),
    ]);
    let equal = shell("cat read.txt; sleep 0.4");
    session.step(&[("t-equal-1", "Bash", equal.clone()), ("t-equal-2", "Bash", equal)]);
    let document = session.reconciled("claude-parallel");
    for (id, name) in [("t-1", "one.txt"), ("t-2", "two.txt"), ("t-3", "three.txt")] {
        assert_eq!(call(&document, id)["state"], "matched", "{id}: {document:#}");
        assert_eq!(session.files(&document, id), [name], "{id}: {document:#}");
        session.owns(id, name, 0);
    }
    for (id, other) in [("t-equal-1", "t-equal-2"), ("t-equal-2", "t-equal-1")] {
        assert_eq!(call(&document, id)["state"], "ambiguous", "{document:#}");
        let roots = roots(&document, id);
        assert_eq!(roots.len(), 2, "{document:#}");
        assert!(roots.iter().all(|root| root["alternatives"] == json!([other])), "{document:#}");
    }
}

/// One answer of the model edits two files, one of them twice: each line belongs to the edit that made it.
#[test]
fn edits_asked_for_together_keep_apart() {
    let Some(mut session) = Session::claude("edits_asked_for_together_keep_apart") else { return };
    session.place.write("both.txt", "one\ntwo\n");
    session.place.write("other.txt", "three\n");
    let edit = |name: &str, old: &str, new: &str| json!({"file_path": session.path(name), "old_string": old, "new_string": new});
    let reads = ["both.txt", "other.txt"].map(|name| json!({"file_path": session.path(name)}));
    let edits =
        [edit("both.txt", "one", "first"), edit("both.txt", "two", "second"), edit("other.txt", "three", "third")];
    let [first, second, third] = edits;
    let [both, other] = reads;
    session.step(&[("t-read-1", "Read", both), ("t-read-2", "Read", other)]);
    session.step(&[("t-first", "Edit", first), ("t-second", "Edit", second), ("t-third", "Edit", third)]);
    let document = session.reconciled("claude-edits");
    for (id, name, line) in [("t-first", "both.txt", 0), ("t-second", "both.txt", 1), ("t-third", "other.txt", 0)] {
        assert_eq!(call(&document, id)["state"], "matched", "{id}: {document:#}");
        assert_eq!(session.files(&document, id), [name], "{id}: {document:#}");
        session.owns(id, name, line);
    }
    assert_eq!(document["undeclared"], json!([]), "{document:#}");
}

#[test]
fn background_work_stays_with_its_call() {
    let Some(mut session) = Session::claude("background_work_stays_with_its_call") else { return };
    let background = json!({"command": "sleep 0.6; echo late >late.txt", "run_in_background": true});
    session.step(&[("t-background", "Bash", background)]);
    session.shell("t-left", "(sleep 0.5; echo left >left.txt) >/dev/null 2>&1 & echo started");
    session.shell("t-next", "echo next >next.txt").shell("t-wait", "sleep 1");
    let document = session.reconciled("claude-background");
    for (id, name) in [("t-background", "late.txt"), ("t-left", "left.txt"), ("t-next", "next.txt")] {
        assert_eq!(call(&document, id)["state"], "matched", "{id}: {document:#}");
        assert_eq!(session.files(&document, id), [name], "{id}: {document:#}");
        session.owns(id, name, 0);
    }
    assert_eq!(roots(&document, "t-background")[0]["background"], true, "{document:#}");
}

/// Another hook puts a command of its own in the place of the one that the call declares.
#[test]
fn a_call_that_does_other_than_it_says_is_found() {
    let Some(mut session) = Session::claude("a_call_that_does_other_than_it_says_is_found") else { return };
    session.rewrite_calls("Bash", &json!({"command": "echo other >other.txt"}));
    session.shell("t-says", "echo said >said.txt");
    let document = session.reconciled("claude-other-command");
    assert!(session.place.work().join("other.txt").is_file() && !session.place.work().join("said.txt").exists());
    let call = call(&document, "t-says");
    assert_eq!(call["state"], "unmatched", "{document:#}");
    assert_eq!(call["differences"][0]["kind"], "other_command", "{document:#}");
    let other = document["undeclared"].as_array().expect("rows");
    let other = other.iter().filter(|row| row["effects"].to_string().contains("wrote other.txt"));
    assert_eq!(other.count(), 1, "{document:#}");
    assert_eq!(document["verdict"], "differs", "{document:#}");
}

/// A program that is gone keeps no agent from working: what it does then is seen, and nobody declared it.
#[test]
fn hooks_that_vanish_in_the_middle_are_noticed() {
    let Some(mut session) = Session::claude("hooks_that_vanish_in_the_middle_are_noticed") else { return };
    let copy = session.hooks_of_a_copy();
    session.shell("t-before", "echo before >before.txt");
    session.shell("t-removes", &format!("rm '{}'", copy.display()));
    session.shell("t-silent", "echo silent >silent.txt");
    let document = session.reconciled("claude-silent");
    assert_eq!(session.files(&document, "t-before"), ["before.txt"], "{document:#}");
    let calls = document["calls"].as_array().expect("calls");
    assert!(calls.iter().all(|call| call["tool_call_id"] != "t-silent"), "{document:#}");
    assert_eq!(call(&document, "t-removes")["never_ended"], true, "{document:#}");
    let silent = document["undeclared"].as_array().expect("rows");
    let silent = silent.iter().find(|row| row["effects"].to_string().contains("wrote silent.txt"));
    assert_eq!(silent.expect("the silent work is listed")["kind"], "process", "{document:#}");
    assert!(
        session.line("silent.txt", 0)["owner"]["tool_call_id"].as_str().is_none_or(|owner| !owner.starts_with("t-")),
        "nobody declared it"
    );
    let missing = session.place.run(["reconcile", "r1", "--fail-on", "hooks-missing"]);
    assert_eq!(missing.status, 1, "{document:#}");
}
