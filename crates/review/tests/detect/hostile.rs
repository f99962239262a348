//! Files made to take all the time or all the memory.

use super::engine;
use agentprov_review::LineSet;
use agentprov_review::detect::{Detector, GapReason, ScanFile};
use std::time::{Duration, Instant};

/// Far above what they take, far below what a scan without bounds takes.
const LONGEST: Duration = Duration::from_secs(20);

fn hostile(path: &str, code: String, expected: &str) {
    let start = Instant::now();
    let scan = engine().scan(&[ScanFile::whole(path, code.into_bytes(), LineSet::all())]);
    let found = scan.findings.iter().any(|finding| finding.rule.as_str() == expected);
    assert!(found, "{path}: {expected} was lost: {:?}", scan.gaps);
    assert!(start.elapsed() < LONGEST, "{path} took {:?}", start.elapsed());
}

#[test]
fn long_chains_and_deep_nests_end() {
    hostile("chain.py", format!("x = {}1\neval(x)\n", "'a' + b + ".repeat(40_000)), "dangerous-eval");
    hostile("nest.py", format!("eval(x)\nx = {}1{}\n", "(".repeat(100_000), ")".repeat(100_000)), "dangerous-eval");
    hostile("open.js", format!("eval(x);\nx = {}", "[(".repeat(100_000)), "dangerous-eval");
    hostile("calls.js", format!("eval(x);\nf{}", "(f".repeat(50_000)), "dangerous-eval");
    hostile(
        "blocks.rs",
        format!("fn f() {{ {} let p = unsafe {{ 1 }}; {} }}", "{".repeat(20_000), "}".repeat(20_000)),
        "unsafe-memory",
    );
    hostile("pipes.sh", format!("{} true\neval \"$x\"\n", "a | b && ".repeat(20_000)), "shell-eval");
}

#[test]
fn many_findings_of_a_rule_push_out_no_other_and_are_counted() {
    let code = format!("{}requests.get(u, verify=False)\n", "eval(x)\n".repeat(50_000));
    let scan = engine().scan(&[ScanFile::whole("a.py", code.into_bytes(), LineSet::all())]);
    assert_eq!(scan.findings.len(), 101);
    assert_eq!(scan.findings[100].rule.as_str(), "tls-verification-disabled");
    assert_eq!(scan.gaps[0].reason, GapReason::TooManyFindings { limit: 100 });
}

#[test]
fn one_very_long_line_is_a_line() {
    hostile("a.js", format!("{}eval(x);", "var a = 'b';".repeat(100_000)), "dangerous-eval");
}
