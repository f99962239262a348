//! What an author can do to hide code from a scanner never turns a block into an allow.

use crate::bounded::InTime as _;
use crate::place::Place;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// A call that the built-in engine finds, and one that only a rule for Semgrep below finds.
const BUILT_IN: &str = "def f(db, name):\n    db.execute(\"SELECT * FROM t WHERE name = '\" + name + \"'\")\n";
const SEMGREP: &str = "def f(name):\n    launch_the_rocket(name)\n";
const RULES: &str = "rules:\n  - id: rocket\n    languages: [python]\n    severity: ERROR\n    message: no rockets\n    \
                     pattern: launch_the_rocket(...)\n";
const POLICY: &str = "severity: {high: block, critical: block}\n";

/// Paths and contents.
type Files = Vec<(String, Vec<u8>)>;

/// Files that hold the same code, hidden, by what hides it. The first file of each is the one with the code.
fn evasions(code: &str) -> Vec<(&'static str, Files)> {
    let file = |path: &str, text: String| (path.to_owned(), text.into_bytes());
    let commented = |comment: &str| code.replace(")\n", &format!(")  # {comment}\n"));
    let utf16: Vec<u8> = [0xFEFF].into_iter().chain(code.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let long = format!("{}{code}", format!("x = '{}'\n", "y".repeat(1_000)).repeat(5_200));
    vec![
        ("nosec", vec![file("nosec/a.py", commented("nosec"))]),
        ("noqa", vec![file("noqa/a.py", commented("noqa"))]),
        ("nosemgrep", vec![file("nosemgrep/a.py", commented("nosemgrep"))]),
        ("nosemgrep line before", vec![file("before/a.py", code.replace("    ", "    # nosemgrep\n    "))]),
        (
            "ignore files",
            vec![
                file("ignored/a.py", code.to_owned()),
                file("ignored/.gitignore", "*\n".into()),
                file(".semgrepignore", "*\n".into()),
                file(".bandit", "[bandit]\nexclude: /\n".into()),
            ],
        ),
        (
            "attributes",
            vec![
                file("attributes/a.py", code.to_owned()),
                file(".gitattributes", "*.py -diff binary linguist-generated\n".into()),
            ],
        ),
        ("size", vec![file("size/a.py", long)]),
        ("tests", vec![file("tests/test_a.py", code.to_owned())]),
        ("vendored", vec![file("vendor/node_modules/a.py", code.to_owned())]),
        ("no extension", vec![file("bin/run", code.to_owned())]),
        ("wrong extension", vec![file("wrong/a.dat", code.to_owned())]),
        ("syntax error before", vec![file("broken/a.py", format!("def g(:\n{code}"))]),
        ("syntax error behind", vec![file("behind/a.py", format!("{code}def g(:\n  ((\n"))]),
        ("utf-16", vec![("utf16/a.py".to_owned(), utf16)]),
        ("latin-1", vec![("latin1/a.py".to_owned(), [b"# caf\xe9\n".as_slice(), code.as_bytes()].concat())]),
        ("declared encoding", vec![file("declared/a.py", format!("# coding: utf-7\n{code}"))]),
        ("nul", vec![file("nul/a.py", format!("x = '\0'\n{code}"))]),
        ("carriage returns", vec![file("returns/a.py", code.replace('\n', "\r"))]),
    ]
}

fn repository() -> Place {
    Place::with_git(&[("README", "read\n"), (".agentprov-review.yaml", POLICY)])
}

fn put(place: &Place, files: &[(String, Vec<u8>)]) {
    for (path, bytes) in files {
        let file = place.work().join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, bytes).expect("a file");
        place.git(&["add", "--force", path]);
    }
    place.git(&["commit", "--quiet", "-m", "Change"]);
}

fn outcome(document: &Value) -> &str {
    document["outcome"].as_str().expect("an outcome")
}

#[test]
fn the_built_in_engine_is_not_evaded() {
    let place = repository();
    put(&place, &[("a.py".into(), BUILT_IN.into())]);
    let review = |place: &Place| place.run(["review", "HEAD~1..HEAD", "--semgrep", "off", "--json"]).json();
    assert_eq!(outcome(&review(&place)), "block", "the code blocks where nothing hides it");
    for (name, files) in evasions(BUILT_IN) {
        let place = repository();
        put(&place, &files);
        let document = review(&place);
        let looked_at = marks(&document, &files[0].0);
        assert!(outcome(&document) != "allow" && looked_at > 0, "{name}: {}", document["rationale"]);
    }
}

/// Findings and gaps that name a file.
fn marks(document: &Value, path: &str) -> usize {
    let count = |list: &str| {
        let list = document[list].as_array().expect("a list");
        list.iter().filter(|entry| entry["path"] == path || entry["path"].is_null()).count()
    };
    count("findings") + count("gaps")
}

/// Semgrep as it is installed for tests or on this machine.
fn semgrep() -> Option<PathBuf> {
    let named = std::env::var_os("AGENTPROV_TEST_SEMGREP").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join("semgrep")).find(|file| file.is_file()))
}

/// In one change, as Semgrep takes seconds to start; so each hidden file has to be marked by itself.
#[test]
fn semgrep_is_not_evaded() {
    let Some(program) = semgrep() else {
        println!("SKIP semgrep_is_not_evaded: no semgrep on PATH, and none in AGENTPROV_TEST_SEMGREP");
        return;
    };
    let place = repository();
    let rules = place.root().join("rules.yaml");
    std::fs::write(&rules, RULES).expect("rules");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().expect("a folder").display());
    let review = |semgrep: &str| {
        let mut command: Command = place.command(["review", "HEAD~1..HEAD", "--json", "--semgrep", semgrep]);
        let output = command.env("PATH", &path).output_in_time();
        serde_json::from_slice::<Value>(&output.stdout).expect("a document")
    };
    put(&place, &[("a.py".into(), SEMGREP.into())]);
    let rules = rules.to_str().expect("a path");
    assert_eq!(outcome(&review("off")), "allow", "only Semgrep minds the code");
    assert_eq!(outcome(&review(rules)), "block", "the code blocks where nothing hides it");
    let all = evasions(SEMGREP);
    let files: Files = all.iter().flat_map(|(_, files)| files.iter().cloned()).collect();
    put(&place, &files);
    let document = review(rules);
    assert_eq!(outcome(&document), "block");
    let by_semgrep = |path: &str| {
        let of = |list: &str| document[list].as_array().expect("a list").iter();
        let named = |entry: &&Value| entry["engine"] == "semgrep" && entry["path"] == path;
        // Where the other engine says that a file can't be read as it is run, the review does not allow it either.
        of("findings").any(|entry| named(&entry)) || of("gaps").any(|entry| entry["path"] == path)
    };
    let missed: Vec<_> = all.iter().filter(|(_, files)| !by_semgrep(&files[0].0)).map(|(name, _)| name).collect();
    assert!(missed.is_empty(), "{missed:?}: {}", document["gaps"]);
}
