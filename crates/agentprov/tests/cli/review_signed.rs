//! The decision of a review of commits: signed, verified, decided anew.

use crate::bounded::InTime as _;
use crate::place::{Place, Said};
use agentprov_attest::envelope::IN_TOTO;
use agentprov_attest::{DecisionStatement, Envelope};
use serde_json::Value;

const SCRIPT: &str = "cat > app.py <<'END'
import os
import sqlite3

def find(db, name):
    return db.execute(\"SELECT * FROM users WHERE name = '\" + name + \"'\")
END
";

/// A branch on which a recorded command has written something that is to be looked at.
fn branch() -> Place {
    let place = Place::with_git(&[("app.py", "import os\n"), (".gitignore", ".agentprov/\n")]);
    place.git(&["branch", "-M", "main"]);
    place.git(&["switch", "--quiet", "-c", "topic"]);
    place.write("../edit.sh", SCRIPT);
    place.run(["record", "-q", "--run", "fix", "--", "sh", "../edit.sh"]).ok();
    place.git(&["commit", "--quiet", "--all", "-m", "Work"]);
    place
}

fn review(place: &Place, more: &[&str]) -> Said {
    let mut command =
        place.command(["review", "main..topic", "--semgrep", "off", "--sign", "../decision.json"].iter().chain(more));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROVENANCE_")) {
        command.env_remove(name);
    }
    Said::of(&command.output_in_time())
}

fn verify(place: &Place, file: &str) -> (i32, Value) {
    let said = place.run(["verify", "--statement", file, "--json"]);
    (said.status, said.json())
}

fn note<'d>(document: &'d Value, check: &str) -> &'d str {
    let checks = document["checks"].as_array().expect("checks");
    let found = checks.iter().find(|row| row["name"] == check).unwrap_or_else(|| panic!("no {check}: {document}"));
    found["note"].as_str().expect("a note")
}

fn envelope(place: &Place) -> Envelope {
    Envelope::parse(&std::fs::read(place.root().join("decision.json")).expect("a decision")).expect("an envelope")
}

fn git(place: &Place, what: &str) -> String {
    let output = std::process::Command::new("git").args(["rev-parse", what]).current_dir(place.work()).output();
    String::from_utf8(output.expect("git runs").stdout).expect("text").trim().to_owned()
}

#[test]
fn the_decision_names_commit_tree_and_files_and_is_reached_again() {
    let place = branch();
    let document = review(&place, &["--json"]).ok().json();
    assert_eq!(document["outcome"], "warn");
    let statement: Value = serde_json::from_slice(&envelope(&place).payload).expect("a statement");
    let subjects = &statement["subject"];
    assert_eq!(subjects[0]["digest"]["gitCommit"], git(&place, "topic"));
    assert_eq!(subjects[1]["digest"]["gitTree"], git(&place, "topic^{tree}"));
    assert_eq!(
        (&subjects[2]["name"], &subjects[2]["digest"]["gitBlob"]),
        (&"app.py".into(), &git(&place, "topic:app.py").into())
    );
    let decision = &statement["predicate"];
    assert_eq!(decision["outcome"], document["outcome"]);
    assert_eq!(decision["tool"]["argv"][1], "review");
    let (status, verified) = verify(&place, "../decision.json");
    assert_eq!((status, &verified["verdict"]), (0, &"verified".into()), "{verified}");
    assert_eq!(note(&verified, "decision"), "reviewed anew: the same");
}

#[test]
fn another_word_in_it_is_refused() {
    let place = branch();
    review(&place, &[]);
    let text = std::fs::read_to_string(place.root().join("decision.json")).expect("a decision");
    let mut forged: Value = serde_json::from_str(&text).expect("JSON");
    let payload = String::from_utf8(envelope(&place).payload)
        .expect("text")
        .replace("\"outcome\":\"warn\"", "\"outcome\":\"allow\"");
    forged["payload"] = data_encoding::BASE64.encode(payload.as_bytes()).into();
    std::fs::write(place.root().join("forged.json"), forged.to_string()).expect("a file");
    let (status, found) = verify(&place, "../forged.json");
    assert_eq!(status, 1, "{found}");
    assert!(note(&found, "signature").contains("invalid-signature"), "{found}");
}

#[test]
fn a_signed_lie_is_found_by_deciding_anew() {
    let place = branch();
    review(&place, &[]);
    let mut statement = DecisionStatement::parse(&envelope(&place).payload).expect("a decision");
    statement.predicate.outcome = agentprov_attest::decision::Outcome::Allow;
    statement.predicate.reasons.clear();
    let mut lie =
        Envelope { payload_type: IN_TOTO.into(), payload: statement.to_bytes().expect("bytes"), signatures: vec![] };
    // Whoever holds the key of the store can sign anything.
    lie.add_signature(&place.reader().store().signer().expect("its key"));
    std::fs::write(place.root().join("lie.json"), lie.to_json().expect("JSON")).expect("a file");
    let (status, found) = verify(&place, "../lie.json");
    assert_eq!(status, 1, "{found}");
    assert!(note(&found, "decision").contains("outcome: signed allow, computed warn"), "{found}");
}

/// A store without recordings, as an import makes one, does not know who wrote the lines either.
#[test]
fn a_clone_whose_store_recorded_nothing_does_not_contradict_the_decision() {
    let place = branch();
    review(&place, &[]);
    let other = Place::new();
    let (from, to) = (format!("file://{}", place.work().display()), other.work().display().to_string());
    place.git(&["clone", "--quiet", &from, &to]);
    std::fs::copy(place.root().join("decision.json"), other.root().join("decision.json")).expect("a copy");
    let key = place.read(".agentprov/store.pub");
    for store_is_there in [false, true] {
        if store_is_there {
            other.run(["init"]).ok();
        }
        let said = other.run(["verify", "--statement", "../decision.json", "--trust", key.trim(), "--json"]);
        assert_eq!(said.status, 3, "{store_is_there}: {} {}", said.stdout, said.stderr);
        assert!(said.stdout.contains("no recordings here"), "{}", said.stdout);
    }
}

#[test]
fn elsewhere_it_says_what_is_missing_to_decide_anew() {
    let place = branch();
    review(&place, &[]);
    let other = Place::with_git(&[("app.py", "import os\n")]);
    std::fs::copy(place.root().join("decision.json"), other.root().join("decision.json")).expect("a copy");
    let key = place.read(".agentprov/store.pub");
    let said = other.run(["verify", "--statement", "../decision.json", "--trust", key.trim(), "--json"]);
    assert_eq!(said.status, 3, "{} {}", said.stdout, said.stderr);
    assert!(note(&said.json(), "decision").contains("its commits can't be read here"), "{}", said.stdout);
}

#[test]
fn what_is_not_committed_is_not_signed() {
    let place = branch();
    place.write("app.py", "import os\nx = eval(input())\n");
    let said = place.run(["review", "--worktree", "--semgrep", "off", "--sign", "../decision.json"]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(
        said.stderr.contains("--sign needs commits") && !place.root().join("decision.json").exists(),
        "{}",
        said.stderr
    );
}

#[test]
fn a_decision_is_a_fact_of_the_log_and_stays_one_however_often_it_is_made() {
    let place = branch();
    let again = |more: &[&str]| {
        let words = ["review", "main..topic", "--semgrep", "off"];
        let mut command = place.command(words.iter().chain(more));
        Said::of(&command.output().expect("the program runs"))
    };
    let first = again(&[]).ok();
    let id = first.stdout.lines().find_map(|line| line.strip_prefix("in the log as ")).expect("the fact").to_owned();
    assert!(again(&[]).ok().stdout.contains(&id));
    review(&place, &[]).ok();
    let facts = place.facts("reviews/work");
    assert_eq!(facts.len(), 1, "{facts:?}");
    let agentprov_model::What::ReviewDecision(decision) = &facts[0].what else { panic!("{:?}", facts[0]) };
    let statement = DecisionStatement::parse(&envelope(&place).payload).expect("a statement").predicate;
    assert_eq!(**decision, agentprov_server::fact_of(&statement));
    // Under another policy it is another decision.
    place.write("policy.yaml", "severity: {high: block}\n");
    assert_eq!(again(&["--config", "policy.yaml"]).status, 1);
    assert_eq!(place.facts("reviews/work").len(), 2);
    // By the commit the last one is found, by its id each; the timeline has them, and verify covers them.
    let head = git(&place, "topic");
    let shown = place.run(["show", &head, "--json"]).ok().json();
    assert!(shown["event"]["summary"].as_str().is_some_and(|text| text.starts_with("block for ")), "{shown}");
    assert!(place.run(["show", &id]).ok().stdout.contains("warn for "));
    let rows = place.run(["timeline", "--run", "reviews/work"]).ok().stdout;
    assert_eq!(rows.matches("review_decision").count(), 2, "{rows}");
    place.run(["verify", "--run", "reviews/work"]).ok();
    place.run(["verify", "--all"]).ok();
    place.run(["fsck"]).ok();
    // Whoever names no run means what was recorded.
    let latest = place.run(["show", "--json"]).ok().json();
    assert!(latest.to_string().contains("\"run_id\":\"fix\""), "{latest}");
    // What has no commit is no decision about one.
    place.run(["review", "--worktree", "--semgrep", "off"]).ok();
    assert_eq!(place.facts("reviews/work").len(), 2);
}
