//! SARIF logs against the schema of OASIS, as check-jsonschema (PyPI) reads it.

use crate::reports::{DIFF, TIMES, review_of};
use crate::waivers::{home, key};
use agentprov_model::EventTime;
use agentprov_review::change::from_diff;
use agentprov_review::governance::{Policy, Waiver, WaiverAction, WaiverFile, Waivers};
use agentprov_review::report::sarif;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

const BINARY: &str = "diff --git a/x.bin b/x.bin\nnew file mode 100644\nindex 0000000..1111111\n\
    Binary files /dev/null and b/x.bin differ\n";

/// What the validator says of a log.
fn validated(program: &Path, log: &Value) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.sarif");
    std::fs::write(&file, log.to_string()).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decision/schema/sarif-2.1.0.json");
    // One pattern of the schema is no regular expression to the stricter readers of ECMAScript.
    Command::new(program).args(["--regex-variant", "python", "--schemafile"]).arg(schema).arg(file).output().unwrap()
}

/// Findings of several severities, one of them waived, and a file that was not scanned.
fn log() -> Value {
    let change = from_diff(format!("{DIFF}{BINARY}").as_bytes()).unwrap();
    let (review, _) = review_of(&change, &Policy::default());
    let waiver = Waiver {
        repository: home(),
        finding: review.findings[0].finding_id.clone(),
        action: WaiverAction::Waive,
        reason: "a test".into(),
        by: "jo".into(),
        at: "2026-01-01T00:00:00.000000000Z".into(),
        until: Some("2026-12-31".into()),
    };
    let words = WaiverFile::new(waiver.sign(&key(1)).unwrap()).words(&[key(1).verifier()]).unwrap();
    let waivers = Waivers::active_at(words, Some(&home()), EventTime::from_nanos(1_780_000_000_000_000_000));
    let (review, _) = review_of(&change, &Policy { waivers, ..Policy::default() });
    sarif(&review, &change, None, TIMES)
}

#[test]
fn sarif_holds_to_the_schema() {
    let Some(program) = std::env::var_os("AGENTPROV_TEST_CHECK_JSONSCHEMA") else {
        println!("SKIP sarif_holds_to_the_schema: no check-jsonschema in AGENTPROV_TEST_CHECK_JSONSCHEMA");
        return;
    };
    let (program, mut log) = (Path::new(&program), log());
    let run = &log["runs"][0];
    let notifications = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    assert!(!notifications.is_empty() && run["results"].to_string().contains("suppressions"), "{run:#}");
    let output = validated(program, &log);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // The validator does look: a level that SARIF does not have is refused.
    log["runs"][0]["results"][0]["level"] = json!("fatal");
    let refused = validated(program, &log);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stdout).contains("fatal"));
}
