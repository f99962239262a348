//! What hides code from scanners hides nothing here: a finding, or a gap that says what was not read.

use super::engine;
use agentprov_review::detect::{Detector, GapReason, Scan, ScanFile};
use agentprov_review::{LineNumber, LineSet};

fn scan(path: &str, bytes: impl AsRef<[u8]>) -> Scan {
    engine().scan(&[ScanFile::whole(path, bytes.as_ref().to_vec(), LineSet::all())])
}

fn rules(scan: &Scan) -> Vec<&str> {
    scan.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

fn line(number: usize) -> LineNumber {
    LineNumber::new(number).unwrap()
}

#[test]
fn suppression_comments_are_shown_and_silence_nothing() {
    let code = "x = eval(a)  # nosec\ny = eval(b)\n# nosemgrep: all\nz = eval(c)\n";
    let scan = scan("a.py", code);
    let evals: Vec<_> = scan.findings.iter().filter(|finding| finding.rule.as_str() == "dangerous-eval").collect();
    let markers: Vec<_> = evals
        .iter()
        .map(|finding| finding.suppressed_by_author.as_ref().map(|found| (found.marker.as_str(), found.line)))
        .collect();
    assert_eq!(markers, [Some(("nosec", line(1))), None, Some(("nosemgrep", line(3)))]);
    let comments: Vec<_> =
        scan.findings.iter().filter(|finding| finding.rule.as_str() == "added-suppression").collect();
    assert_eq!(comments.iter().map(|finding| finding.line).collect::<Vec<_>>(), [line(1), line(3)]);
}

#[test]
fn test_vendor_and_minified_files_are_files() {
    for path in ["tests/test_a.py", "vendor/a.py", "node_modules/x/a.py", "build/a.py", "a_test.py", ".hidden/a.py"] {
        assert_eq!(rules(&scan(path, "eval(x)\n")), ["dangerous-eval"], "{path}");
    }
    let minified = format!("{}eval(x);", "var a=1;".repeat(20_000));
    assert_eq!(rules(&scan("dist/a.min.js", minified)), ["dangerous-eval"]);
}

#[test]
fn a_large_file_is_read_as_text_and_says_so() {
    let mut code = "x = 1\n".repeat(900_000);
    code.push_str("eval(x)\nimport os\n");
    let scan = scan("large.py", code);
    assert_eq!(rules(&scan), ["dangerous-eval", "PY001"]);
    assert!(matches!(scan.gaps[0].reason, GapReason::TooLarge { size: 5_400_018, .. }), "{:?}", scan.gaps);
}

#[test]
fn files_without_a_language_are_read_as_text_and_say_so() {
    let scan1 = scan("bin/run", "eval(x)\n");
    assert_eq!(rules(&scan1), ["dangerous-eval"]);
    assert_eq!(scan1.gaps[0].reason, GapReason::UnknownLanguage);
    let scan2 = scan("run.rb", "eval(x)\n");
    assert_eq!(rules(&scan2), ["dangerous-eval"]);
    assert_eq!(scan2.gaps[0].reason, GapReason::UnsupportedLanguage { language: "rb".into() });
    let scan3 = scan("bin/run", "#!/usr/bin/env python3\neval(x)\n");
    assert_eq!((rules(&scan3), scan3.gaps.len()), (vec!["dangerous-eval"], 0));
    let scan4 = scan("notes.txt", "#!/usr/bin/env python3\neval(x)\n");
    assert_eq!((rules(&scan4), scan4.gaps.len()), (vec!["dangerous-eval"], 0));
}

#[test]
fn the_hint_of_the_caller_helps_where_nothing_else_does() {
    let mut file = ScanFile::whole("bin/run", b"hashlib.md5(x)\n".to_vec(), LineSet::all());
    file.language_hint = Some("python".into());
    let scan = engine().scan(&[file]);
    assert_eq!((rules(&scan), scan.gaps.len()), (vec!["weak-hash"], 0));
}

#[test]
fn syntax_errors_leave_a_gap_and_text_rules() {
    for code in [
        "def f(:\n    eval(x)\n",
        "x = (\neval(x)\n",
        "class A\n    x = [eval(y)\n}}}\n",
        "s = '''\neval(x)\n",
        "if True:\n\teval(x)\n        )eval(x)\n",
    ] {
        let scan = scan("a.py", code);
        assert!(rules(&scan).contains(&"dangerous-eval"), "{code}");
        assert!(matches!(scan.gaps[0].reason, GapReason::SyntaxError { .. }), "{code}: {:?}", scan.gaps);
    }
}

#[test]
fn encodings_hide_nothing() {
    let code = "import os\nx = eval(y)\n";
    let utf16 = |big: bool, mark: bool| -> Vec<u8> {
        let units = mark.then_some(0xFEFF).into_iter().chain(code.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let mut files = vec![("bom", [b"\xef\xbb\xbf".as_slice(), code.as_bytes()].concat())];
    for (big, mark) in [(false, false), (false, true), (true, false), (true, true)] {
        files.push(("utf-16", utf16(big, mark)));
    }
    files.push(("latin-1", [b"# caf\xe9\n".as_slice(), code.as_bytes()].concat()));
    files.push(("carriage returns", code.replace('\n', "\r").into_bytes()));
    files.push(("carriage returns and line feeds", code.replace('\n', "\r\n").into_bytes()));
    for (name, bytes) in files {
        let scan = scan("a.py", bytes);
        assert_eq!(rules(&scan), ["PY001", "dangerous-eval"], "{name}");
        assert!(scan.gaps.is_empty(), "{name}: {:?}", scan.gaps);
    }
}

#[test]
fn an_encoding_that_is_run_differently_is_a_gap() {
    let scan = scan("a.py", "# coding: utf-7\n+AGUAdgBhAGw(x)\n");
    assert!(scan.gaps.iter().any(|gap| gap.reason == GapReason::Encoding { name: "utf-7".into() }), "{:?}", scan.gaps);
}

#[test]
fn nul_bytes_are_a_gap_and_split_no_word() {
    let scan = scan("a.sh", b"ev\0al \"$x\"\n");
    assert_eq!(rules(&scan), ["shell-eval"]);
    assert_eq!(scan.gaps[0].reason, GapReason::Binary);
}

#[test]
fn binaries_are_gaps_and_pictures_are_not() {
    let reasons =
        |path: &str, bytes: &[u8]| scan(path, bytes).gaps.into_iter().map(|gap| gap.reason).collect::<Vec<_>>();
    assert_eq!(reasons("a.so", b"\x7fELF\0\0\0"), [GapReason::Binary]);
    assert_eq!(reasons("a.png", b"\x89PNG\r\n\x1a\n\0\0"), []);
    assert_eq!(reasons("a.png", b"\x7fELF\0\0"), [GapReason::Binary]);
}

#[test]
fn a_pointer_to_a_large_file_is_a_gap() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    assert_eq!(scan("model.py", pointer).gaps[0].reason, GapReason::ContentAbsent);
}

#[test]
fn separators_that_end_lines_end_comments() {
    let scan = scan("a.js", "// harmless \u{2028} eval(x)\n");
    assert_eq!(rules(&scan), ["dangerous-eval"]);
}

#[test]
fn only_what_touches_changed_lines_is_reported() {
    let code = "eval(a)\neval(b)\neval(\n  c\n)\n";
    let file = |lines: &[usize]| {
        let lines = lines.iter().map(|&number| line(number)).collect();
        engine().scan(&[ScanFile::whole("a.py", code.as_bytes().to_vec(), lines)])
    };
    assert_eq!(file(&[2]).findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [line(2)]);
    assert_eq!(file(&[4]).findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [line(3)]);
    assert!(file(&[]).findings.is_empty());
}

#[test]
fn a_nested_weakness_is_reported_at_its_own_line() {
    let scan = scan("a.js", "eval(function () {\n  return eval(x);\n});\n");
    let lines: Vec<_> = scan.findings.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [line(1), line(2)]);
}

#[test]
fn fingerprints_outlive_moved_lines_and_tell_copies_apart() {
    let prints = |code: &str| scan("a.py", code).findings.iter().map(|finding| finding.fingerprint).collect::<Vec<_>>();
    let once = prints("eval(x)\n");
    let moved = prints("a = 1\n\n\nif a:\n    eval(x)\n");
    assert_eq!(once, moved);
    let twice = prints("eval(x)\neval(x)\n");
    assert_eq!((twice[0], twice.len()), (once[0], 2));
    assert_ne!(twice[0], twice[1]);
}

#[test]
fn no_finding_is_taken_for_another_of_its_file() {
    let key =
        |letter: char| format!("key = '{}{}'\n", ["AK", "IA"].concat(), String::from(letter).repeat(8) + "Z4QW7RTP");
    let secrets = scan("a.py", key('K') + &key('L'));
    assert_eq!(secrets.findings.len(), 2);
    // Blanks apart they are equal, on a line that a grammar reads and on one that none does.
    let spaced = scan("a.py", "eval( x )\neval(  x )\nif (:\n  eval( x )\n");
    let evals: Vec<_> = spaced.findings.iter().map(|finding| (finding.line.get(), finding.fingerprint)).collect();
    assert_eq!(evals.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 4]);
    let mut registry = agentprov_review::detect::Registry::default();
    registry.register(Box::new(engine()));
    for (code, count) in [(key('K') + &key('L'), 2), ("eval( x )\neval(  x )\nif (:\n  eval( x )\n".into(), 3)] {
        let file = ScanFile::whole("a.py", code.into_bytes(), LineSet::all());
        assert_eq!(registry.scan(&[file]).findings.len(), count);
    }
}

#[test]
fn secrets_are_never_shown() {
    let secret = ["gh", "p_q8Zt5Rw2Lx7Nv9Kd3Mf6Hj1Ps4Qu0Yb8Ec5G"].concat();
    let scan = scan("a.py", format!("token = '{secret}'\n"));
    let shown = serde_json::to_string(&scan.findings).unwrap();
    assert!(rules(&scan).contains(&"secret-forge-token") && !shown.contains(&secret[6..]), "{shown}");
}

#[test]
fn code_in_prose_is_prose_but_secrets_are_secrets() {
    let scan = scan("README.md", "    eval(x)\n\n-----BEGIN PRIVATE KEY-----\n");
    assert_eq!((rules(&scan), scan.gaps.len()), (vec!["secret-private-key"], 0));
}

#[test]
fn results_do_not_depend_on_threads() {
    let files: Vec<_> = (0..40)
        .map(|n| ScanFile::whole(format!("{n}.py"), format!("x = {n}\neval(x)\n(\n").into_bytes(), LineSet::all()))
        .collect();
    let alone = engine().scan(&files);
    assert_eq!(alone.findings.len(), 40);
    assert_eq!(alone, super::engine_on(4).scan(&files));
}
