//! How long the built-in engine takes for a change of 10,000 lines in 300 files.
//!
//! `cargo run --release -p agentprov-review --example scan_speed` makes the change, with one weakness planted in each
//! file, and fails when one is not found or when the limit is missed. With a folder as argument its files are scanned
//! instead, all lines taken for changed, and what was found is counted by rule.

#![allow(clippy::print_stdout)]

use agentprov_review::detect::{Builtin, Detector, RulePack, Scan, ScanFile};
use agentprov_review::{LineNumber, LineSet};
use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

const FILES: usize = 300;
const CHANGED_LINES: usize = 10_000;
/// Functions per file, of which a part is changed: a change touches files that were there before.
const FUNCTIONS: usize = 24;
const LIMIT: Duration = Duration::from_secs(1);
const THREADS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let threads = NonZeroUsize::new(THREADS).ok_or("no threads")?;
    let folder = std::env::args().nth(1);
    let files = match &folder {
        Some(folder) => read(Path::new(folder))?,
        None => (0..FILES).map(made_up).collect(),
    };
    // Reading and compiling the rules is part of what a user waits for.
    let start = Instant::now();
    let engine = Builtin::new(RulePack::default_rules()?, threads);
    let scan = engine.scan(&files);
    let took = start.elapsed();
    report(&files, &scan, took);
    if folder.is_some() {
        return Ok(());
    }
    let planted = scan.findings.iter().filter(|finding| finding.rule.as_str() == "dangerous-eval").count();
    let planted = planted + scan.findings.iter().filter(|finding| finding.rule.as_str() == "weak-hash").count();
    if planted != FILES || !scan.gaps.is_empty() {
        return Err(format!("{planted} of {FILES} planted weaknesses found, {} gaps", scan.gaps.len()).into());
    }
    if took > LIMIT {
        return Err(format!("took {took:?}, more than {LIMIT:?}").into());
    }
    Ok(())
}

/// A file with one weakness among harmless functions, in one of five languages.
fn made_up(number: usize) -> ScanFile {
    let (extension, head, plant) = match number % 5 {
        0 => ("py", "import json\n\n", "def planted(text):\n    return eval(text)\n"),
        1 => ("js", "const fs = require('fs');\n\n", "function planted(text) {\n  return eval(text);\n}\n"),
        2 => {
            ("ts", "import { read } from './read';\n\n", "function planted(text: string) {\n  return eval(text);\n}\n")
        }
        3 => ("go", "package made\n\n", "func planted(data []byte) any {\n\treturn md5.Sum(data)\n}\n"),
        _ => ("rs", "use std::fmt;\n\n", "fn planted(data: &[u8]) -> Digest {\n    md5::compute(data)\n}\n"),
    };
    let mut text = head.to_owned();
    for function in 0..FUNCTIONS {
        if function == FUNCTIONS / 2 {
            text.push_str(plant);
        }
        text.push_str(&harmless(extension, number * FUNCTIONS + function));
    }
    let middle = text.lines().position(|line| line.contains("planted")).unwrap_or_default();
    let share = CHANGED_LINES.div_ceil(FILES);
    let first = middle.saturating_sub(share / 2);
    let changed = LineSet::from_ranges([(LineNumber::after(first), LineNumber::after(first + share - 1))]);
    ScanFile::whole(format!("src/made_{number}.{extension}"), text.into_bytes(), changed)
}

fn harmless(extension: &str, n: usize) -> String {
    match extension {
        "py" => format!(
            "def area_{n}(width, height, *, scale=1.0):\n    \"\"\"The area of part {n}.\"\"\"\n    if width < 0 or height < 0:\n        raise ValueError(f\"negative side: {{width}} x {{height}}\")\n    parts = [side * scale for side in (width, height) if side]\n    return {{\"id\": {n}, \"area\": parts[0] * parts[-1], \"label\": \"part \" + str({n})}}\n\n"
        ),
        "go" => format!(
            "// Area{n} is the area of part {n}.\nfunc Area{n}(width, height float64) (float64, error) {{\n\tif width < 0 || height < 0 {{\n\t\treturn 0, fmt.Errorf(\"negative side: %f x %f\", width, height)\n\t}}\n\tsides := []float64{{width, height}}\n\treturn sides[0] * sides[1] * {n}, nil\n}}\n\n"
        ),
        "rs" => format!(
            "/// The area of part {n}.\npub fn area_{n}(width: f64, height: f64) -> Result<f64, String> {{\n    if width < 0.0 || height < 0.0 {{\n        return Err(format!(\"negative side: {{width}} x {{height}}\"));\n    }}\n    let sides = [width, height];\n    Ok(sides.iter().product::<f64>() * {n}.0)\n}}\n\n"
        ),
        _ => format!(
            "/** The area of part {n}. */\nexport function area{n}(width, height, scale = 1) {{\n  if (width < 0 || height < 0) {{\n    throw new RangeError(`negative side: ${{width}} x ${{height}}`);\n  }}\n  const sides = [width, height].map((side) => side * scale);\n  return {{ id: {n}, area: sides[0] * sides[1], label: 'part ' + {n} }};\n}}\n\n"
        ),
    }
}

fn read(folder: &Path) -> Result<Vec<ScanFile>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path().strip_prefix(folder)?.display().to_string();
                files.push(ScanFile::whole(path, std::fs::read(entry.path())?, LineSet::all()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn report(files: &[ScanFile], scan: &Scan, took: Duration) {
    let lines: usize = files.iter().map(|file| file.bytes.iter().filter(|&&byte| byte == b'\n').count()).sum();
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    println!("{} files, {lines} lines, {bytes} bytes on {THREADS} threads: {took:?}", files.len());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for finding in &scan.findings {
        *counts.entry(finding.rule.to_string()).or_default() += 1;
    }
    for gap in &scan.gaps {
        let name = format!("gap: {}", serde_json::to_value(&gap.reason).unwrap_or_default()["kind"]);
        *counts.entry(name).or_default() += 1;
    }
    for (name, count) in counts {
        println!("{count:6} {name}");
    }
    if std::env::var_os("SCAN_SPEED_LIST").is_some() {
        for finding in &scan.findings {
            println!("{}:{}: {} {}", finding.path, finding.line, finding.rule, finding.message);
        }
        scan.gaps.iter().for_each(|gap| println!("{gap}"));
    }
}
