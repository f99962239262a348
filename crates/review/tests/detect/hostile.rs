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

/// A generator of numbers that gives the same ones every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

#[test]
fn damaged_files_are_scanned_or_leave_a_gap_but_break_nothing() {
    let engine = engine();
    let mut numbers = Numbers(7);
    let pieces: [&[u8]; 12] = [
        b"\0",
        b"\r",
        b"\n",
        b"\xff",
        b"\xe2\x80\xa8",
        "é".as_bytes(),
        b"\"",
        b"'''",
        b"`${",
        b"\\",
        b"<<EOF\n",
        b"(((",
    ];
    let examples: Vec<_> = super::rules::specs().into_iter().flat_map(|(_, spec)| spec.examples.hits).collect();
    for round in 0..3_000 {
        let example = &examples[numbers.below(examples.len())];
        let mut bytes = example.code.clone().into_bytes();
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(bytes.len() + 1);
            match numbers.below(3) {
                0 => bytes.truncate(at),
                1 => drop(bytes.splice(at..at, pieces[numbers.below(pieces.len())].iter().copied())),
                _ => drop(bytes.splice(at..(at + numbers.below(5)).min(bytes.len()), [])),
            }
        }
        let scan = engine.scan(&[ScanFile::whole(example.file.clone(), bytes.clone(), LineSet::all())]);
        let broken = scan.gaps.iter().find(|gap| matches!(gap.reason, GapReason::EngineFailed { .. }));
        assert!(broken.is_none(), "round {round}: {}: {broken:?}\n{:?}", example.file, String::from_utf8_lossy(&bytes));
        for finding in &scan.findings {
            assert!(finding.line <= finding.end_line && finding.start_column > 0, "round {round}: {finding:?}");
        }
    }
}
