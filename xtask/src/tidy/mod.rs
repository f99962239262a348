//! Rules of the source tree that no compiler checks. One rule, one file; the table is below.

mod crate_order;
mod doc_links;
mod file_names;
mod file_size;
mod issue_numbers;
mod leftovers;
mod machine_paths;
mod manifest;
mod masked_rust;
mod tree;
mod unsafe_code;
mod words;
mod workspace_lints;

use crate::Result;
use tree::Tree;

/// A broken rule, at a place, with what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.message)
    }
}

struct Rule {
    name: &'static str,
    check: fn(&Tree) -> Vec<Violation>,
    /// Whether a line may be excused by `tidy-allow(<rule>): <reason>` on it or just above it.
    excusable: bool,
}

const RULES: &[Rule] = &[
    Rule { name: "crate-order", check: crate_order::check, excusable: false },
    Rule { name: "doc-links", check: doc_links::check, excusable: false },
    Rule { name: "file-names", check: file_names::check, excusable: false },
    Rule { name: "file-size", check: file_size::check, excusable: false },
    Rule { name: "issue-numbers", check: issue_numbers::check, excusable: true },
    Rule { name: "leftovers", check: leftovers::check, excusable: true },
    Rule { name: "machine-paths", check: machine_paths::check, excusable: true },
    Rule { name: "unsafe-code", check: unsafe_code::check, excusable: false },
    Rule { name: "workspace-lints", check: workspace_lints::check, excusable: false },
];

/// What a check of the whole tree came to.
pub(crate) struct Report {
    pub(crate) violations: Vec<String>,
    pub(crate) summary: String,
}

/// Checks the files of the workspace.
pub(crate) fn check_workspace() -> Result<Report> {
    let tree = Tree::of_workspace()?;
    let violations = check(&tree);
    let summary = format!("{} rules over {} files; {}", RULES.len(), tree.paths().count(), file_size::summary(&tree));
    Ok(Report { violations: violations.iter().map(ToString::to_string).collect(), summary })
}

fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for rule in RULES {
        let found = (rule.check)(tree);
        let counted = found.into_iter().filter(|violation| !(rule.excusable && is_excused(tree, rule.name, violation)));
        violations.extend(counted);
    }
    violations
}

fn is_excused(tree: &Tree, rule: &str, violation: &Violation) -> bool {
    let Some(text) = tree.text(&violation.path) else {
        return false;
    };
    let marker = format!("tidy-allow({rule}): ");
    let above = violation.line.saturating_sub(2);
    text.lines()
        .take(violation.line)
        .enumerate()
        .filter(|(index, _)| *index >= above)
        .filter_map(|(_, line)| line.split_once(&marker))
        .any(|(_, reason)| !reason.trim().is_empty())
}

/// `cargo xtask tidy`.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    if !arguments.is_empty() {
        return Err("usage: cargo xtask tidy".to_owned());
    }
    let report = check_workspace()?;
    for violation in &report.violations {
        println!("{violation}");
    }
    println!("{}; {} violations", report.summary, report.violations.len());
    Ok(report.violations.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_over(before: &str) -> String {
        format!("{before}\n// {}: finish\n", concat!("FIX", "ME"))
    }

    #[test]
    fn every_rule_is_run_over_the_tree() {
        let tree = Tree::of(&[("crates/graph/src/helpers.rs", &left_over("fn f() {}"))]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/graph/src/helpers.rs:1: "));
        assert!(found[1].starts_with("crates/graph/src/helpers.rs:2: "));
    }

    #[test]
    fn an_excuse_needs_a_reason_and_stands_beside_its_line() {
        let excused = left_over("// tidy-allow(leftovers): the scanner looks for this word");
        assert_eq!(check(&Tree::of(&[("xtask/src/a.rs", &excused)])), []);
        let without_reason = left_over("// tidy-allow(leftovers): ");
        assert_eq!(check(&Tree::of(&[("xtask/src/a.rs", &without_reason)])).len(), 1);
        let far_away = left_over("// tidy-allow(leftovers): a reason\nfn f() {}");
        assert_eq!(check(&Tree::of(&[("xtask/src/a.rs", &far_away)])).len(), 1);
        let other_rule = left_over("// tidy-allow(machine-paths): a reason");
        assert_eq!(check(&Tree::of(&[("xtask/src/a.rs", &other_rule)])).len(), 1);
    }
}
