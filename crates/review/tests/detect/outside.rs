//! Engines outside of this program: Semgrep and detectors of the user.

use agentprov_review::detect::custom::DEFAULT_LIMITS;
use agentprov_review::detect::semgrep::{self, RuleSnapshot};
use agentprov_review::detect::{Custom, Detector, GapReason, Limits, ScanFile, Semgrep};
use agentprov_review::{Engine, LineNumber, LineSet, Severity};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

fn line(number: usize) -> LineNumber {
    LineNumber::new(number).unwrap()
}

fn file(path: &str, code: &str) -> ScanFile {
    ScanFile::whole(path, code.as_bytes().to_vec(), LineSet::all())
}

/// Semgrep as it is installed for tests or on this machine, or nothing and the reason on the output.
fn installed(test: &str, rules: RuleSnapshot) -> Option<Semgrep> {
    let for_tests = std::env::var_os("AGENTPROV_TEST_SEMGREP").map(std::path::PathBuf::from);
    match for_tests.or_else(|| Semgrep::find(&std::env::var_os("PATH").unwrap_or_default())) {
        Some(program) => Some(Semgrep::new(program, rules, semgrep::DEFAULT_LIMITS)),
        None => {
            println!("SKIP {test}: no semgrep on PATH, and none in AGENTPROV_TEST_SEMGREP");
            None
        }
    }
}

#[test]
fn semgrep_is_not_silenced_by_its_subjects() {
    let Some(engine) = installed("semgrep_is_not_silenced_by_its_subjects", RuleSnapshot::own()) else { return };
    let flow = "def f(db):\n    name = input()\n    db.execute('select ' + name)  # nosemgrep\n";
    let large = format!("{}{flow}", format!("x = '{}'\n", "y".repeat(1_000)).repeat(1_200));
    let files = [
        file("app.py", flow),
        file("tests/test_app.py", flow),
        file("vendor/node_modules/app.py", flow),
        file("large.py", &large),
        file("--config=auto.py", flow),
        file(".semgrepignore", "*\n"),
        file("README.md", "text\n"),
        ScanFile::whole("unchanged.py", flow.as_bytes().to_vec(), [line(1)].into_iter().collect()),
    ];
    let scan = engine.scan(&files);
    let found: Vec<_> = scan.findings.iter().map(|finding| finding.path.as_str()).collect();
    for path in ["app.py", "tests/test_app.py", "vendor/node_modules/app.py", "large.py", "--config=auto.py"] {
        assert!(found.contains(&path), "{path} is missing from {found:?}, gaps: {:?}", scan.gaps);
    }
    assert!(!found.contains(&"unchanged.py"));
    let first = scan.findings.iter().find(|finding| finding.path == "app.py").unwrap();
    assert_eq!((first.rule.as_str(), first.category.as_str()), ("python-request-to-sql", "sqli"));
    assert_eq!((first.severity, first.line), (Severity::High, line(3)));
    assert_eq!(first.suppressed_by_author.as_ref().map(|found| found.marker.as_str()), Some("nosemgrep"));
    assert_eq!(scan.gaps.len(), 1, "{:?}", scan.gaps);
    assert_eq!(scan.gaps[0].path.as_deref(), Some(".semgrepignore"));
}

#[test]
fn semgrep_that_fails_leaves_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("broken.yaml");
    std::fs::write(&rules, "rules: [ {id: x\n").unwrap();
    let broken = RuleSnapshot::read(rules.to_str().unwrap()).unwrap();
    let Some(engine) = installed("semgrep_that_fails_leaves_a_gap", broken) else { return };
    let scan = engine.scan(&[file("a.py", "x = 1\n")]);
    assert!(scan.gaps.iter().any(|gap| matches!(gap.reason, GapReason::EngineFailed { .. })), "{:?}", scan.gaps);
    let capability = engine.capabilities().remove(0);
    assert_eq!((capability.config_path.as_deref(), capability.problem), (Some("broken.yaml"), None));
    assert!(capability.engine_version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())));
}

#[test]
fn a_semgrep_that_is_not_there_is_a_gap() {
    let engine = Semgrep::new("/nonexistent/semgrep".into(), RuleSnapshot::own(), semgrep::DEFAULT_LIMITS);
    let scan = engine.scan(&[file("a.py", "x = 1\n")]);
    assert!(matches!(scan.gaps[0].reason, GapReason::EngineFailed { .. }), "{:?}", scan.gaps);
    assert!(engine.capabilities()[0].problem.is_some());
}

/// A detector that is a shell script.
fn script(folder: &Path, body: &str) -> Custom {
    let program = folder.join("detector");
    std::fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Custom {
        name: Engine::new("team"),
        // Through the shell, as a file that another thread's child still has open for writing can't be run itself.
        argv: vec!["/bin/sh".into(), program.into()],
        folder: folder.to_owned(),
        limits: Limits { timeout: Duration::from_secs(20), ..DEFAULT_LIMITS },
    }
}

#[test]
fn a_detector_reads_files_and_reports_lines() {
    let folder = tempfile::tempdir().unwrap();
    let answer = r#"{"findings": [
        {"path": "a.py", "line": 2, "rule": "team.rule", "severity": "dreadful", "category": "own", "message": "m"},
        {"path": "a.py", "line": 1, "rule": "team.rule", "severity": "low", "message": "not changed"},
        {"path": "a.py", "line": 99, "rule": "team.rule", "severity": "low", "message": "not there"},
        {"path": "b.py", "line": 1, "rule": "team.rule", "severity": "low", "message": "not ours"}],
        "gaps": [{"path": "a.py", "detail": "too hard"}]}"#;
    let body = format!("cat > \"{}/input\"\ncat <<'EOF'\n{answer}\nEOF", folder.path().display());
    let scan = script(folder.path(), &body).scan(&[ScanFile::whole(
        "a.py",
        b"x = 1\ny = 2\n".to_vec(),
        [line(2)].into_iter().collect(),
    )]);
    assert_eq!(scan.findings.len(), 1, "{scan:?}");
    let finding = &scan.findings[0];
    assert_eq!(
        (finding.rule.as_str(), finding.engine.as_str(), finding.severity),
        ("team.rule", "team", Severity::High)
    );
    assert_eq!((finding.start_column, finding.end_column), (1, 6));
    assert_eq!(scan.gaps.len(), 3, "{:?}", scan.gaps);
    let input: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("input")).unwrap()).unwrap();
    let expected = serde_json::json!({"path": "a.py", "language": "python", "changed_lines": [[2, 2]], "content": "x = 1\ny = 2\n"});
    assert_eq!((input["schema"].as_str(), &input["files"][0]), (Some("agentprov.detector-input/v1"), &expected));
}

#[test]
fn a_detector_that_fails_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let gap = |body: &str, timeout: Duration| {
        let mut detector = script(folder.path(), body);
        detector.limits.timeout = timeout;
        let scan = detector.scan(&[file("a.py", "x = 1\n")]);
        assert!(scan.findings.is_empty());
        scan.gaps.into_iter().map(|gap| gap.reason.to_string()).collect::<Vec<_>>().join("; ")
    };
    let long = Duration::from_secs(20);
    assert!(gap("echo broken >&2; exit 4", long).contains("exit status: 4: broken"));
    assert!(gap("echo '{\"findings\": 1}'", long).contains("not understood"));
    assert!(gap("kill -9 $$", long).contains("signal: 9"));
    assert_eq!(gap("sleep 30", Duration::from_millis(300)), "not done within 1 s");
}

#[test]
fn a_detector_is_named_with_the_digest_of_its_program() {
    let folder = tempfile::tempdir().unwrap();
    let mut detector = script(folder.path(), "exit 0");
    detector.argv.remove(0);
    let capability = detector.capabilities().remove(0);
    assert_eq!((capability.name.as_str(), capability.config_path.as_deref()), ("team", Some("detector")));
    assert!(capability.digest.is_some_and(|digest| digest.len() == 64) && capability.problem.is_none());
    detector.argv = vec!["/nonexistent/detector".into()];
    assert!(detector.capabilities()[0].problem.is_some());
}
