//! SARIF under the validator of the format's own authors, with the rules for GitHub's code scanning.

use crate::place::{Place, has};
use crate::service::{Daemon, change};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const PACKAGE: &str = "@microsoft/sarif-multitool@5.7.0";

/// The validator from the npm registry, got once; None where it can't be had, which is said.
fn validator(test: &str) -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    if !["npm", "unshare", "timeout"].into_iter().all(|program| has(test, program)) {
        return None;
    }
    let mut alone = Command::new("unshare");
    if !alone.args(["--user", "--map-root-user", "--net", "true"]).status().is_ok_and(|it| it.success()) {
        println!("SKIP {test}: no network namespace can be made here");
        return None;
    }
    let program = INSTALLED.get_or_init(installed).as_deref();
    if program.is_none() {
        println!("SKIP {test}: {PACKAGE} can't be installed from the npm registry");
    }
    program
}

fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sarif-multitool");
    let program = folder.join("node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool");
    if !program.is_file() {
        std::fs::create_dir_all(&folder).ok()?;
        let mut npm = Command::new("timeout");
        npm.args(["120", "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        let done = npm.arg(&folder).arg(PACKAGE).stdin(Stdio::null()).output().ok()?;
        if !done.status.success() || !program.is_file() {
            return None;
        }
    }
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).ok()?;
    Some(program)
}

/// Errors and warnings of the validator. It would ask the network for the schema's address: it gets none.
fn complaints(program: &Path, file: &Path) -> Option<Vec<String>> {
    let report = file.with_extension("report");
    let mut command = Command::new("timeout");
    command.args(["60", "unshare", "--user", "--map-root-user", "--net"]).arg(program).arg("validate").arg(file);
    command.args(["--rule-kind", "Sarif;Ghas", "--level", "Error;Warning;Note", "--output"]).arg(&report);
    command.env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1").env("HOME", file.parent()?);
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Analysis completed successfully"), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(&report).ok()?).ok()?;
    let results = report["runs"][0]["results"].as_array().cloned().unwrap_or_default();
    let grave = results.iter().filter(|result| result["level"] != "note");
    Some(grave.map(|result| format!("{}: {}", result["ruleId"], result["message"])).collect())
}

/// What the validator says that matters; SARIF2005 asks for an address of the program on the web.
fn grave_complaints(program: &Path, file: &Path) -> Vec<String> {
    let found = complaints(program, file).expect("a report");
    found.into_iter().filter(|line| !line.contains("SARIF2005")).collect()
}

#[test]
fn code_scanning_can_take_it_as_it_is() {
    let test = "code_scanning_can_take_it_as_it_is";
    let place = Place::with_git(&[("app.py", "import os\n"), ("a b.py", "x = 1\n")]);
    place.git(&["branch", "-M", "main"]);
    place.git(&["switch", "--quiet", "-c", "topic"]);
    let code =
        "import os\nimport pickle\neval(input())\npickle.loads(data)  # nosec\ncursor.execute(\"SELECT \" + name)\n";
    place.git(&["remote", "add", "origin", "https://jo:secret@example.org/team/name.git"]);
    place.write("app.py", code);
    place.write("a b.py", format!("x = 1\n{code}"));
    place.write("binary.bin", "\0\u{1}");
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "-m", "Work"]);
    let text =
        place.run(["review", "main..topic", "--semgrep", "off", "--format", "sarif", "--fail-on", "block"]).stdout;
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert!(document["runs"][0]["results"].as_array().expect("results").len() >= 6, "{text}");
    let from = &document["runs"][0]["versionControlProvenance"][0];
    assert_eq!(from["repositoryUri"], "https://example.org/team/name.git");
    assert_eq!(from["branch"], "topic");
    assert_eq!(from["revisionId"], document["runs"][0]["properties"]["revision"]);
    let Some(program) = validator(test) else { return };
    let file = place.root().join("out.sarif");
    std::fs::write(&file, &text).expect("a file");
    let grave = grave_complaints(program, &file);
    assert!(grave.is_empty(), "{grave:#?}");

    // The validator does find what is wrong.
    let broken = text.replace("\"ruleId\"", "\"rule\"").replace("\"startLine\": 3", "\"startLine\": -3");
    let file = place.root().join("broken.sarif");
    std::fs::write(&file, broken).expect("a file");
    assert!(!complaints(program, &file).expect("a report").is_empty());
}

/// The log of the service for a change with findings.
fn served(place: &Place) -> Value {
    let daemon = Daemon::start(place);
    let mut posted = change(1, 20, "query = \"SELECT * FROM t WHERE a = '\" + name");
    posted["repo"] = "https://jo:secret@example.org/team/name".into();
    posted["branch"] = "topic".into();
    let (status, accepted) = daemon.post("", &posted);
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["analysis_id"].as_str().expect("an id");
    daemon.decided(id);
    let (status, log) = daemon.get(&format!("/v1/analysis/{id}/sarif"));
    assert_eq!(status, 200, "{log}");
    log
}

#[test]
fn the_log_of_the_service_says_where_the_files_are_and_holds_to_schema_and_validator() {
    let test = "the_log_of_the_service_says_where_the_files_are_and_holds_to_schema_and_validator";
    let place = Place::new();
    let log = served(&place);
    let run = &log["runs"][0];
    assert!(!run["results"].as_array().expect("results").is_empty(), "{run}");
    let from = serde_json::json!([{
        "repositoryUri": "https://example.org/team/name", "revisionId": "b".repeat(40), "branch": "topic",
        "mappedTo": {"uriBaseId": "%SRCROOT%"},
    }]);
    assert_eq!(run["versionControlProvenance"], from);
    let file = place.root().join("served.sarif");
    std::fs::write(&file, log.to_string()).expect("a file");
    match std::env::var_os("AGENTPROV_TEST_CHECK_JSONSCHEMA") {
        None => println!("SKIP {test}: no check-jsonschema in AGENTPROV_TEST_CHECK_JSONSCHEMA"),
        Some(program) => {
            let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../review/tests/decision/schema/sarif-2.1.0.json");
            let mut check = Command::new(program);
            let output = check.args(["--regex-variant", "python", "--schemafile"]).arg(schema).arg(&file).output();
            let output = output.expect("check-jsonschema runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }
    if let Some(program) = validator(test) {
        let grave = grave_complaints(program, &file);
        assert!(grave.is_empty(), "{grave:#?}");
    }
}
