//! Rules of the user, and what engines say of themselves.

use super::{engine, engine_on};
use agentprov_review::LineSet;
use agentprov_review::detect::{Builtin, Custom, Detector, Registry, RulePack, ScanFile, custom};
use std::num::NonZeroUsize;
use std::path::Path;

const OWN: &str = "\
id: no-print
category: style
severity: low
message: Something is printed
help: Use the log.
match:
  - languages: [python]
    pattern: print($$$A)
examples:
  hits: []
  near_misses: []
";

fn with(folder: &Path, text: &str) -> Result<RulePack, String> {
    std::fs::write(folder.join("own.yaml"), text).unwrap();
    RulePack::with_folder(folder).map_err(|error| error.to_string())
}

#[test]
fn rules_of_a_folder_are_added_to_ours() {
    let folder = tempfile::tempdir().unwrap();
    let pack = with(folder.path(), OWN).unwrap();
    assert_ne!(pack.digest(), RulePack::default_rules().unwrap().digest());
    let engine = Builtin::new(pack, NonZeroUsize::MIN);
    let scan = engine.scan(&[ScanFile::whole("a.py", b"print(eval(x))\n".to_vec(), LineSet::all())]);
    let rules: Vec<_> = scan.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["no-print", "dangerous-eval"]);
    let capability = engine.capabilities().remove(0);
    assert_eq!(capability.config_path, folder.path().file_name().map(|name| name.to_string_lossy().into_owned()));
    assert!(capability.config_sha256.is_some() && capability.last_modified.is_some());
}

#[test]
fn a_mistake_in_a_rule_names_the_file_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for (change, with_text, expected) in [
        ("id: no-print", "id: dangerous-eval", "the id 'dangerous-eval' is taken"),
        ("[python]", "[cobol]", "'cobol' is not a known language"),
        ("[python]", "[java]", "needs a language that has a grammar"),
        ("print($$$A)", "'print('", "pattern 'print('"),
        ("pattern: print($$$A)", "kind: nonsense", "has no kind of node 'nonsense'"),
        ("pattern: print($$$A)", "{kind: call, regex: '('}", "line"),
        ("severity: low", "severity: dreadful", "unknown variant"),
        ("help:", "halp:", "unknown field"),
    ] {
        let error = with(folder.path(), &OWN.replace(change, with_text)).unwrap_err();
        assert!(error.contains(expected), "{with_text}: {error}");
    }
    let error =
        with(folder.path(), &OWN.replace("    pattern: print($$$A)", "    kind: call\n    regex: '('")).unwrap_err();
    assert!(error.contains("unclosed group"), "{error}");
    assert!(RulePack::with_folder(Path::new("/nonexistent")).is_err());
}

#[test]
fn engines_say_what_they_are() {
    let mut registry = Registry::default();
    registry.register(Box::new(engine()));
    registry.register(Box::new(Custom {
        name: agentprov_review::Engine::new("team"),
        argv: vec!["/bin/true".into()],
        folder: "/".into(),
        limits: custom::DEFAULT_LIMITS,
    }));
    let capabilities = registry.capabilities();
    let names: Vec<_> = capabilities.iter().map(|capability| capability.name.as_str()).collect();
    assert_eq!(names, ["agentprov", "team"]);
    let ours = &capabilities[0];
    assert_eq!(
        (ours.rule_count, ours.digest.as_deref().map(str::len)),
        (Some(engine().pack().rules().len() as u64), Some(64))
    );
}

#[test]
fn a_registry_reports_by_place_whatever_the_order_of_files() {
    let files =
        ["b.py", "a.py", "c.py"].map(|path| ScanFile::whole(path, b"eval(x)\nexec(y)\n".to_vec(), LineSet::all()));
    let mut registry = Registry::default();
    registry.register(Box::new(engine_on(3)));
    let scan = registry.scan(&files);
    let places: Vec<_> = scan.findings.iter().map(|finding| (finding.path.as_str(), finding.line.get())).collect();
    assert_eq!(places, [("a.py", 1), ("a.py", 2), ("b.py", 1), ("b.py", 2), ("c.py", 1), ("c.py", 2)]);
}
