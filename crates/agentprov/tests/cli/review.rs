//! `review` and `blame --rev`, on what was really recorded.

use crate::bounded::InTime as _;
use crate::place::{Place, Said};
use serde_json::Value;

const SCRIPT: &str = "cat > app.py <<'END'
import os
import sqlite3

def find(db, name):
    return db.execute(\"SELECT * FROM users WHERE name = '\" + name + \"'\")
END
";

/// A branch on which a recorded command has written, and somebody else after it.
fn branch() -> Place {
    let place = Place::with_git(&[("app.py", "import os\n"), ("edit.sh", SCRIPT)]);
    place.git(&["branch", "-M", "main"]);
    place.git(&["switch", "--quiet", "-c", "topic"]);
    place.run(["record", "-q", "--run", "fix", "--", "sh", "edit.sh"]).ok();
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "-m", "Work"]);
    place
}

fn review(place: &Place, arguments: &[&str]) -> Said {
    let mut command = place.command(["review", "--semgrep", "off"].iter().chain(arguments));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROVENANCE_")) {
        command.env_remove(name);
    }
    Said::of(&command.output_in_time())
}

fn owners(document: &Value) -> Vec<(String, u64)> {
    let rows = document["owners"].as_array().expect("owners");
    let row = |row: &Value| (row["owner"].as_str().unwrap_or_default().to_owned(), row["added"].as_u64().unwrap_or(0));
    rows.iter().map(row).collect()
}

#[test]
fn recorded_lines_have_their_run_as_owner_through_amend_and_rebase() {
    let place = branch();
    let document = review(&place, &["--json"]).ok().json();
    assert_eq!(owners(&document), [("sh".to_owned(), 4)]);
    assert_eq!(document["coverage"]["observed_lines"], 4);
    assert_eq!(document["attribution"]["claims"][0]["deed"]["run_id"], "fix");
    place.git(&["commit", "--quiet", "--amend", "-m", "Other words"]);
    place.git(&["switch", "--quiet", "main"]);
    place.write("README", "up\n");
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "-m", "Up"]);
    place.git(&["switch", "--quiet", "topic"]);
    place.git(&["rebase", "--quiet", "main"]);
    let document = review(&place, &["main..topic", "--json"]).ok().json();
    assert_eq!(owners(&document), [("sh".to_owned(), 4)]);
    let blamed = place.run(["blame", "app.py:4", "--rev", "HEAD", "--json"]).ok().json();
    assert_eq!(blamed["files"][0]["lines"][0]["status"], "owned");
    assert_eq!(blamed["text"][0], "def find(db, name):");
}

#[test]
fn exit_codes_tell_outcome_usage_and_doubt_apart() {
    let place = branch();
    assert_eq!(review(&place, &[]).status, 0);
    assert_eq!(review(&place, &["--fail-on", "warn"]).status, 1);
    place.write("policy.yaml", "severity: {high: block}\n");
    assert_eq!(review(&place, &["--config", "policy.yaml"]).status, 1);
    place.write("policy.yaml", "severty: {high: block}\n");
    let said = review(&place, &["--config", "policy.yaml"]);
    assert!(said.status == 2 && said.stderr.contains("severty"), "{}", said.stderr);
    assert_eq!(review(&place, &["--staged", "--worktree"]).status, 2);
    let said = review(&place, &["nowhere..HEAD"]);
    assert!(said.status == 3 && said.stderr.contains("nowhere"), "{}", said.stderr);
    let url = format!("file://{}", place.work().display());
    place.git(&["clone", "--quiet", "--depth=1", &url, "shallow"]);
    let said = review(&place, &["HEAD~1..HEAD", "--json"]);
    assert_eq!(said.status, 0);
    let mut command = place.command(["review", "main~0..HEAD"]);
    let output = command.current_dir(place.work().join("shallow")).output_in_time();
    let said = Said::of(&output);
    assert!(said.status == 3 && said.stderr.contains("fetch-depth: 0"), "{} {}", said.status, said.stderr);
}

#[test]
fn a_change_is_judged_by_the_policy_from_which_it_starts() {
    let place = branch();
    place.write(".agentprov-review.yaml", "severity: {high: allow}\n");
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "-m", "Be kind to me"]);
    let document = review(&place, &["--json"]).ok().json();
    let codes: Vec<&str> =
        document["reasons"].as_array().expect("reasons").iter().filter_map(|rule| rule["code"].as_str()).collect();
    assert!(codes.contains(&"severity:high") && codes.contains(&"policy_change"), "{codes:?}");
}

#[test]
fn a_finding_is_waived_and_reopened() {
    let place = branch();
    let finding = |document: &Value| document["findings"][0].clone();
    let first = finding(&review(&place, &["--json"]).ok().json());
    assert_eq!((first["rule"].as_str(), first["status"].as_str()), (Some("sql-injection-concat"), Some("open")));
    let id = first["finding_id"].as_str().expect("an id");
    assert_eq!(place.run(["review", "waive", id, "--reason", "x", "--by", "jo"]).status, 2);
    assert_eq!(
        place.run(["review", "waive", "fd_1", "--reason", "x", "--by", "jo", "--until", "2099-01-01"]).status,
        2
    );
    place.run(["review", "waive", id, "--reason", "read-only", "--by", "jo", "--until", "2099-01-01"]).ok();
    let waived = finding(&review(&place, &["--fail-on", "warn", "--json"]).ok().json());
    assert_eq!((waived["status"].as_str(), waived["waiver"]["by"].as_str()), (Some("suppressed"), Some("jo")));
    place.run(["review", "reopen", id, "--reason", "reachable", "--by", "jo"]).ok();
    assert_eq!(review(&place, &["--fail-on", "warn"]).status, 1);
}

#[test]
fn a_review_needs_no_store_and_no_repository_for_a_diff() {
    let place = Place::new();
    place.write("c.diff", "--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+x = eval(y)\n");
    let document = review(&place, &["--diff", "c.diff", "--json"]).ok().json();
    assert_eq!(document["findings"][0]["rule"], "dangerous-eval");
    assert_eq!(document["attribution"]["files"][0]["lines"][0]["status"], "unknown");
    assert!(!place.data_dir().exists());
    let sarif = review(&place, &["--diff", "c.diff", "--format", "sarif"]).ok().json();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(review(&place, &[]).status, 3);
}
