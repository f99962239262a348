//! Every hit of every rule, hidden in every known way: it is still found, or a gap says what was not read.

use super::engine;
use super::rules::specs;
use agentprov_review::LineSet;
use agentprov_review::detect::builtin::spec::Example;
use agentprov_review::detect::{Builtin, Detector, ScanFile};

/// What must come of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Found,
    FoundOrGap,
}

type Mutation = (&'static str, Then, fn(&Example) -> (String, Vec<u8>));

const MUTATIONS: &[Mutation] = &[
    ("moved to a folder of tests", Then::Found, |example| {
        (format!("tests/fixtures/vendor/{}", example.file), example.code.clone().into_bytes())
    }),
    ("with suppressions on every line", Then::FoundOrGap, |example| {
        let comment =
            if is_slashed(&example.file) { "  // nosemgrep eslint-disable-line" } else { "  # nosemgrep nosec noqa" };
        let lines = example.code.lines();
        let silenced =
            |line: &str| if line.ends_with('\\') { format!("{line}\n") } else { format!("{line}{comment}\n") };
        (example.file.clone(), lines.map(silenced).collect::<String>().into_bytes())
    }),
    ("below a suppression of the whole file", Then::Found, |example| {
        let comment = if is_slashed(&example.file) { "// eslint-disable nolint" } else { "# nosemgrep flake8: noqa" };
        (example.file.clone(), format!("{comment}\n{}", example.code).into_bytes())
    }),
    ("with carriage returns", Then::Found, |example| {
        (example.file.clone(), example.code.replace('\n', "\r\n").into_bytes())
    }),
    ("behind a byte order mark", Then::Found, |example| {
        (example.file.clone(), [b"\xef\xbb\xbf", example.code.as_bytes()].concat())
    }),
    ("as UTF-16", Then::Found, |example| {
        let units = std::iter::once(0xFEFF).chain(example.code.encode_utf16());
        (example.file.clone(), units.flat_map(u16::to_le_bytes).collect())
    }),
    ("with bytes that are no UTF-8", Then::Found, |example| {
        let comment: &[u8] = if is_slashed(&example.file) { b"// caf\xe9 \xff\n" } else { b"# caf\xe9 \xff\n" };
        (example.file.clone(), [comment, example.code.as_bytes()].concat())
    }),
    ("without an extension", Then::FoundOrGap, |example| ("bin/start".into(), example.code.clone().into_bytes())),
    ("with a foreign extension", Then::FoundOrGap, |example| ("start.pas".into(), example.code.clone().into_bytes())),
    ("after broken code", Then::FoundOrGap, |example| {
        (example.file.clone(), format!("def (((\n{{ [ '\n{}", example.code).into_bytes())
    }),
    ("before broken code", Then::FoundOrGap, |example| {
        (example.file.clone(), format!("{}\n)))) ]] }} \" ' (((\n", example.code).into_bytes())
    }),
    ("below twenty thousand lines", Then::Found, |example| {
        let filler = if is_slashed(&example.file) { "// filler\n" } else { "# filler\n" };
        (example.file.clone(), format!("{}{}", filler.repeat(20_000), example.code).into_bytes())
    }),
];

fn is_slashed(path: &str) -> bool {
    [".js", ".ts", ".tsx", ".go", ".rs", ".java", ".cs"].iter().any(|end| path.ends_with(end))
}

/// Whose first line decides how the rest is read, or that have no comments.
fn keeps_its_first_line(path: &str) -> bool {
    [".json", ".pem"].iter().any(|end| path.ends_with(end))
}

fn survives(engine: &Builtin, rule: &str, (path, bytes): (String, Vec<u8>), then: Then) -> bool {
    let scan = engine.scan(&[ScanFile::whole(path, bytes, LineSet::all())]);
    let found = scan.findings.iter().any(|finding| finding.rule.as_str() == rule);
    found || (then == Then::FoundOrGap && !scan.gaps.is_empty())
}

#[test]
fn no_hit_of_any_rule_can_be_hidden() {
    let engine = engine();
    let mut lost = Vec::new();
    let mut tried = 0;
    for (_, spec) in specs() {
        for example in spec.examples.hits.iter().filter(|example| !keeps_its_first_line(&example.file)) {
            for (name, then, mutate) in MUTATIONS {
                tried += 1;
                if !survives(&engine, &spec.id, mutate(example), *then) {
                    lost.push(format!("{} {name}: {}\n{}", spec.id, example.file, example.code));
                }
            }
        }
    }
    assert!(tried > 1_000, "only {tried} were tried");
    assert!(lost.is_empty(), "{} of {tried} were hidden:\n{}", lost.len(), lost.join("\n"));
}
