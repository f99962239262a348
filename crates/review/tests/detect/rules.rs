//! Every rule finds what its file says it finds, and nothing in its near misses.

use super::engine;
use agentprov_review::LineSet;
use agentprov_review::detect::builtin::spec::{Example, RuleSpec};
use agentprov_review::detect::{Builtin, Detector, RulePack, Scan, ScanFile};
use std::path::{Path, PathBuf};

fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rule_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

pub(super) fn specs() -> Vec<(String, RuleSpec)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let spec = RuleSpec::parse(&std::fs::read_to_string(&path).unwrap());
        (name.clone(), spec.unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    rule_files(&folder).into_iter().map(read).collect()
}

fn scan(engine: &Builtin, example: &Example) -> Scan {
    engine.scan(&[ScanFile::whole(&example.file, example.code.as_bytes().to_vec(), LineSet::all())])
}

#[test]
fn every_rule_hits_its_hits_and_misses_its_near_misses() {
    let engine = engine();
    let mut wrong = Vec::new();
    for (name, spec) in specs() {
        if spec.examples.hits.len() < 2 || spec.examples.near_misses.len() < 2 {
            wrong.push(format!("{name}: needs two hits and two near misses"));
        }
        for (examples, wanted) in [(&spec.examples.hits, true), (&spec.examples.near_misses, false)] {
            for example in examples {
                let found = scan(&engine, example).findings.iter().any(|finding| finding.rule.as_str() == spec.id);
                if found != wanted {
                    let verb = if wanted { "does not find" } else { "finds" };
                    wrong.push(format!("{name}: {verb} {}:\n{}", example.file, example.code));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} mistakes:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn examples_follow_the_grammar_of_their_language() {
    let engine = engine();
    for (name, spec) in specs() {
        for example in spec.examples.hits.iter().chain(&spec.examples.near_misses) {
            for gap in scan(&engine, example).gaps {
                let text_only = [".java", ".cs", "Makefile"].iter().any(|end| example.file.ends_with(end));
                assert!(text_only, "{name}: {}: {gap}\n{}", example.file, example.code);
            }
        }
    }
}

#[test]
fn every_rule_file_is_in_the_pack_under_its_own_name() {
    let pack = RulePack::default_rules().unwrap();
    for (name, spec) in specs() {
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(stem, spec.id, "{name}");
        assert!(pack.rules().iter().any(|rule| rule.id.as_str() == spec.id), "{name}");
    }
    assert_eq!(pack.rules().len(), specs().len());
}

#[test]
fn ids_and_categories_of_the_existing_service_are_kept() {
    let pack = RulePack::default_rules().unwrap();
    for (id, category, severity) in [
        ("sql-injection-concat", "sqli", "high"),
        ("dangerous-eval", "code_execution", "medium"),
        ("dangerous-exec", "code_execution", "medium"),
        ("PY001", "python_insecure_import", "medium"),
    ] {
        let rule = pack.rules().iter().find(|rule| rule.id.as_str() == id).unwrap();
        assert_eq!((rule.category.as_str(), rule.severity.as_str()), (category, severity), "{id}");
    }
}
