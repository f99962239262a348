//! Attribution in the forms of other tools: out, and in again.

use crate::bounded::InTime as _;
use crate::place::Place;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// A branch with two commits: the first by a recorded agent, the second by nobody who was seen.
fn place() -> Place {
    let place = Place::with_git(&[("app.py", "import os\n"), (".gitignore", ".agentprov/\n")]);
    place.git(&["branch", "-M", "main"]);
    place.git(&["switch", "--quiet", "-c", "topic"]);
    place.write(
        "../bin/claude",
        "#!/bin/sh\nprintf 'import os\\nimport json\\nimport re\\n' >app.py; echo x >'my file.txt'\n",
    );
    let agent = place.root().join("bin/claude");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&agent, mode).expect("it can be made a program");
    place.run(["record", "-q", "--run", "fix", "--", &agent.display().to_string()]).ok();
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "-m", "By an agent"]);
    let text = place.read("app.py");
    place.write("app.py", format!("# A comment\n{text}"));
    place.git(&["commit", "--quiet", "--all", "-m", "By somebody"]);
    place
}

fn export(place: &Place, form: &str) -> String {
    place.run(["attribution", "export", "main..topic", "--format", form]).ok().stdout
}

fn git(place: &Place, arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(place.work()).output_in_time();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Owner and method of each added line of `app.py`, in a clone without the store.
fn owners(other: &Place) -> Vec<(String, String)> {
    let review = other.run(["review", "main..topic", "--semgrep", "off", "--json"]).ok().json();
    let attribution = &review["attribution"];
    let files = attribution["files"].as_array().expect("files");
    let file = files.iter().find(|file| file["path"] == "app.py").expect("app.py");
    let lines = file["lines"].as_array().expect("lines").iter().filter(|line| line["side"] == "added");
    lines
        .map(|line| match line["claims"][0].as_u64() {
            Some(claim) => {
                let claim = &attribution["claims"][usize::try_from(claim).expect("an index")];
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                (text(&claim["author"]["name"]), text(&claim["method"]))
            }
            None => (String::new(), String::new()),
        })
        .collect()
}

fn clone(place: &Place) -> Place {
    let other = Place::new();
    place.git(&[
        "clone",
        "--quiet",
        &format!("file://{}", place.work().display()),
        &other.work().display().to_string(),
    ]);
    other.git(&["branch", "--quiet", "main", "origin/main"]);
    other
}

#[test]
fn an_export_of_nothing_says_so() {
    let place = place();
    let said = place.run(["attribution", "export", "topic..topic", "--format", "agent-trace"]).ok();
    assert_eq!(said.stdout, "");
    assert!(said.stderr.contains("nothing was exported"), "{}", said.stderr);
}

#[test]
fn agent_trace_records_name_commit_lines_and_content() {
    let place = place();
    let text = export(&place, "agent-trace");
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    let [record] = &records[..] else { panic!("one commit and one author: {text}") };
    for key in ["version", "id", "timestamp", "files"] {
        assert!(!record[key].is_null(), "{key} is required");
    }
    let by_agent = git(&place, &["rev-parse", "topic~1"]);
    assert_eq!(record["vcs"], serde_json::json!({"type": "git", "revision": by_agent.trim()}));
    assert_eq!(record["tool"]["name"], "claude-code");
    let files = record["files"].as_array().expect("files");
    let app = files.iter().find(|file| file["path"] == "app.py").expect("app.py");
    let conversation = &app["conversations"][0];
    assert_eq!(conversation["contributor"]["type"], "ai");
    assert!(conversation["url"].as_str().expect("a session").starts_with("urn:agentprov:session:"));
    let range = &conversation["ranges"][0];
    assert_eq!((&range["start_line"], &range["end_line"]), (&2.into(), &3.into()));
    let digest = <sha2::Sha256 as sha2::Digest>::digest(b"import json\nimport re\n");
    assert_eq!(range["content_hash"], format!("sha256:{}", data_encoding::HEXLOWER.encode(&digest)));
    assert_eq!(export(&place, "agent-trace"), text, "the same commits give the same records");

    let other = clone(&place);
    let none = vec![(String::new(), String::new()); 3];
    assert_eq!(owners(&other), none);
    let file = other.write("../records.json", &text).display().to_string();
    let said = other.run(["attribution", "import", &file]).ok().stdout;
    assert!(said.contains("1 record kept"), "{said}");
    let agent = ("claude-code".to_owned(), "agent_trace".to_owned());
    assert_eq!(owners(&other), [none[0].clone(), agent.clone(), agent]);
    other.run(["attribution", "import", &file]).ok();
    let kept = std::fs::read_dir(other.data_dir().join("attribution")).expect("a folder").count();
    assert_eq!(kept, 1, "the same file is kept once");
    let blame = other.run(["blame", "app.py:3", "--rev", "topic"]).ok().stdout;
    assert!(blame.contains("claude-code"), "{blame}");
}

#[test]
fn git_ai_notes_come_in_by_git_fast_import_alone() {
    let place = place();
    let stream = export(&place, "git-ai-notes");
    let other = clone(&place);
    assert!(
        !Command::new("git")
            .args(["rev-parse", "--quiet", "--verify", "refs/notes/ai"])
            .current_dir(place.work())
            .output_in_time()
            .status
            .success(),
        "exporting writes no notes"
    );
    let mut import = Command::new("git");
    import.args(["fast-import", "--quiet"]).current_dir(other.work()).stdin(Stdio::piped());
    let mut import = import.spawn().expect("git runs");
    import.stdin.take().expect("piped").write_all(stream.as_bytes()).expect("it reads");
    assert!(import.wait().expect("it ends").success(), "{stream}");
    let note = git(&other, &["notes", "--ref=refs/notes/ai", "show", "topic~1"]);
    assert!(
        note.starts_with("app.py\n  s_") && note.contains("\"my file.txt\"\n") && note.contains("\n---\n"),
        "{note}"
    );
    let agent = ("claude-code".to_owned(), "git_ai_note".to_owned());
    assert_eq!(owners(&other)[1..], [agent.clone(), agent]);
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let place = place();
    let said = place.run(["attribution", "export", "main..topic", "--format", "agent-trace", "--sign"]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(said.stderr.contains("--sign is for evidence"), "{}", said.stderr);
    let file = place.write("../no-record", "{\"id\": 1}").display().to_string();
    let said = place.run(["attribution", "import", &file]);
    assert_ne!(said.status, 0);
    assert!(said.stderr.contains("record 1"), "{}", said.stderr);
}
