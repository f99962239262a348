//! Waivers are signed, and count where their key is believed and in the repository that they are of.

use crate::place::{Place, Said};
use serde_json::{Value, json};

const UNSAFE: &str = "def run(code):\n    return eval(code)\n";

/// A branch with a finding.
fn branch() -> Place {
    let place = Place::with_git(&[("app.py", "import os\n"), (".gitignore", ".agentprov/\n")]);
    place.git(&["branch", "-M", "main"]);
    place.git(&["switch", "--quiet", "-c", "topic"]);
    place.write("app.py", UNSAFE);
    place.git(&["commit", "--quiet", "--all", "-m", "Work"]);
    place
}

fn review(place: &Place, more: &[&str]) -> Said {
    let mut command = place.command(["review", "main..topic", "--semgrep", "off"].iter().chain(more));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROVENANCE_")) {
        command.env_remove(name);
    }
    Said::of(&command.output().expect("the program runs"))
}

fn finding(place: &Place, more: &[&str]) -> Value {
    let document = review(place, &[&["--json"], more].concat()).ok().json();
    let mut findings = document["findings"].as_array().expect("findings").iter();
    findings.rfind(|one| one["rule"] == "dangerous-eval").expect("the finding").clone()
}

fn waive(place: &Place, id: &str, more: &[&str]) {
    let words = ["review", "waive", id, "--reason", "ours", "--by", "jo", "--until", "2099-01-01"];
    place.run(words.iter().chain(more)).ok();
}

#[test]
fn a_waiver_whose_last_day_is_over_is_refused() {
    let place = branch();
    let id = finding(&place, &[])["finding_id"].as_str().expect("an id").to_owned();
    let words = |day| ["review", "waive", &id, "--reason", "ours", "--by", "jo", "--until", day].map(str::to_owned);
    let over = place.run(words("2020-01-01"));
    assert_eq!(over.status, 2, "{}", over.stderr);
    assert!(over.stderr.contains("that day is over") && over.stderr.contains("or a later day"), "{}", over.stderr);
    assert!(!place.data_dir().join("waivers.jsonl").exists());
    place.run(words("2099-01-01")).ok();
}

/// Puts what lies in the work tree into main, and the branch on top of it.
fn to_main(place: &Place, file: &str) {
    let text = place.read(file);
    std::fs::remove_file(place.work().join(file)).expect("the file is there");
    place.git(&["switch", "--quiet", "main"]);
    place.write(file, text);
    place.git(&["add", file]);
    place.git(&["commit", "--quiet", "-m", "Decide"]);
    place.git(&["switch", "--quiet", "topic"]);
    place.git(&["rebase", "--quiet", "main"]);
}

#[test]
fn a_waiver_of_the_own_store_counts_until_it_is_touched() {
    let place = branch();
    let first = finding(&place, &[]);
    let id = first["finding_id"].as_str().expect("an id");
    waive(&place, id, &[]);
    let waived = finding(&place, &[]);
    assert_eq!((&waived["status"], &waived["waiver"]["by"]), (&json!("suppressed"), &json!("jo")), "{waived}");
    assert!(waived["waiver"]["signed_by"].is_string() && waived["waiver"]["repository"].is_string(), "{waived}");
    // A decision under it is reached again.
    review(&place, &["--sign", "../decision.json"]).ok();
    place.run(["verify", "--statement", "../decision.json"]).ok();

    let file = place.data_dir().join("waivers.jsonl");
    let line = std::fs::read_to_string(&file).expect("the waiver");
    let unsigned = json!({
        "finding": id, "action": "waive", "reason": "ours", "by": "jo", "at": "2026-01-01T00:00:00Z", "until": "2099-01-01",
    });
    let other_key = line.replace("\"sig\":\"", "\"sig\":\"AAAA");
    for (text, why) in [(format!("{unsigned}\n"), "unsigned"), (other_key, "invalid-signature")] {
        std::fs::write(&file, text).expect("it is written");
        let open = finding(&place, &[]);
        assert_eq!((&open["status"], &open["refused_waiver"]["why"]), (&json!("open"), &json!(why)), "{open}");
        let said = review(&place, &[]).ok();
        assert!(said.stdout.contains("does not count") && said.stdout.contains("to clear this"), "{}", said.stdout);
    }
    std::fs::write(&file, line.replace("payload\":\"", "payload\":\"!")).expect("it is written");
    assert_eq!(review(&place, &[]).status, 2);
}

#[test]
fn a_waiver_of_another_store_counts_where_its_key_is_named() {
    let place = branch();
    let first = finding(&place, &[]);
    let id = first["finding_id"].as_str().expect("an id");
    waive(&place, id, &["--shared", "--data-dir", "../lead"]);
    to_main(&place, ".agentprov-waivers.jsonl");
    let open = finding(&place, &[]);
    assert_eq!((&open["status"], &open["refused_waiver"]["why"]), (&json!("open"), &json!("unknown-key")), "{open}");
    assert_eq!(finding(&place, &["--waiver-key", "../lead/store.pub"])["status"], "suppressed");
    // The key that evidence is believed of is none that waivers are.
    let key = std::fs::read_to_string(place.root().join("lead/store.pub")).expect("the key");
    place.write(".agentprov-review.yaml", format!("waiver_keys: ['{}']\n", key.trim()));
    to_main(&place, ".agentprov-review.yaml");
    assert_eq!(finding(&place, &[])["status"], "suppressed");
    // A clone that lacks the history can't tell which repository it is.
    let url = format!("file://{}", place.work().display());
    place.git(&["clone", "--quiet", "--depth=2", "--no-single-branch", "--branch", "topic", &url, "../shallow"]);
    let mut command = place.command(["review", "HEAD~1..HEAD", "--semgrep", "off", "--json"]);
    let said = Said::of(&command.current_dir(place.root().join("shallow")).output().expect("the program runs"));
    let refused = &said.json()["refused_waivers"][0];
    assert!(refused["to_clear"].as_str().is_some_and(|text| text.contains("fetch-depth: 0")), "{refused}");
}

#[test]
fn a_waiver_does_not_move_to_another_repository() {
    let (place, other) = (branch(), branch());
    let id = finding(&place, &[])["finding_id"].as_str().expect("an id").to_owned();
    // Another history with the same file in it.
    other.git(&["switch", "--quiet", "--orphan", "fresh"]);
    other.write("app.py", "import sys\n");
    other.git(&["add", "app.py"]);
    other.git(&["commit", "--quiet", "-m", "Another"]);
    other.git(&["branch", "-M", "main"]);
    other.git(&["switch", "--quiet", "-C", "topic"]);
    other.write("app.py", UNSAFE);
    other.git(&["commit", "--quiet", "--all", "-m", "Work"]);
    assert_eq!(finding(&other, &[])["finding_id"], json!(id));
    waive(&place, &id, &[]);
    std::fs::create_dir_all(other.data_dir()).expect("a folder");
    let copy = std::fs::read(place.data_dir().join("waivers.jsonl")).expect("the waiver");
    std::fs::write(other.data_dir().join("waivers.jsonl"), copy).expect("it is copied");
    let key = place.data_dir().join("store.pub").display().to_string();
    let open = finding(&other, &["--waiver-key", &key]);
    assert_eq!(
        (&open["status"], &open["refused_waiver"]["why"]),
        (&json!("open"), &json!("other-repository")),
        "{open}"
    );
    // In a clone it counts: that is the same repository.
    let url = place.work().display().to_string();
    place.git(&["clone", "--quiet", &url, "../clone"]);
    let mut command = place.command(["review", "origin/main..topic", "--json", "--data-dir", "../work/.agentprov"]);
    let said = Said::of(&command.current_dir(place.root().join("clone")).output().expect("the program runs"));
    assert!(said.json()["findings"].to_string().contains("\"suppressed\""), "{}", said.stdout);
}
