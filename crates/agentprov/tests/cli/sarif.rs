//! SARIF under the validator of the format's own authors, with the rules for GitHub's code scanning.

use crate::place::{Place, has};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGE: &str = "@microsoft/sarif-multitool@5.7.0";

/// The validator from the npm registry; None where it can't be had.
fn validator() -> Option<PathBuf> {
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

#[test]
fn code_scanning_can_take_it_as_it_is() {
    let test = "code_scanning_can_take_it_as_it_is";
    if !["npm", "unshare", "timeout"].into_iter().all(|program| has(test, program)) {
        return;
    }
    if !Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .status()
        .is_ok_and(|it| it.success())
    {
        println!("SKIP {test}: no network namespace can be made here");
        return;
    }
    let Some(program) = validator() else {
        println!("SKIP {test}: {PACKAGE} can't be installed from the npm registry");
        return;
    };
    let place = Place::with_git(&[("app.py", "import os\n"), ("a b.py", "x = 1\n")]);
    place.git(&["branch", "-M", "main"]);
    place.git(&["switch", "--quiet", "-c", "topic"]);
    let code =
        "import os\nimport pickle\neval(input())\npickle.loads(data)  # nosec\ncursor.execute(\"SELECT \" + name)\n";
    place.write("app.py", code);
    place.write("a b.py", format!("x = 1\n{code}"));
    place.write("binary.bin", "\0\u{1}");
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "-m", "Work"]);
    let text =
        place.run(["review", "main..topic", "--semgrep", "off", "--format", "sarif", "--fail-on", "block"]).stdout;
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert!(document["runs"][0]["results"].as_array().expect("results").len() >= 6, "{text}");
    let file = place.root().join("out.sarif");
    std::fs::write(&file, &text).expect("a file");
    let found = complaints(&program, &file).expect("a report");
    let grave: Vec<&String> = found.iter().filter(|line| !line.contains("SARIF2005")).collect();
    assert!(grave.is_empty(), "{grave:#?}");

    // The validator does find what is wrong.
    let broken = text.replace("\"ruleId\"", "\"rule\"").replace("\"startLine\": 3", "\"startLine\": -3");
    let file = place.root().join("broken.sarif");
    std::fs::write(&file, broken).expect("a file");
    assert!(!complaints(&program, &file).expect("a report").is_empty());
}
