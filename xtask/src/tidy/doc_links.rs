//! Every page of the documentation can be reached, and every relative link leads somewhere.

use std::collections::BTreeSet;

use super::Violation;
use super::tree::Tree;

/// Pages from which a reader starts.
const ENTRANCES: [&str; 2] = ["README.md", "docs/README.md"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut reachable = BTreeSet::new();
    let pages = tree.texts().filter(|(path, _)| path.ends_with(".md"));
    for (path, text) in pages {
        for (target, line) in relative_links(text) {
            let Some(resolved) = resolve(path, &target) else {
                let message = format!("link to `{target}` leaves the repository; link to a file in it");
                violations.push(Violation::new(path, line, message));
                continue;
            };
            if !tree.exists(&resolved) {
                let message = format!("link to `{target}` leads nowhere; correct it, or add {resolved}");
                violations.push(Violation::new(path, line, message));
            }
            if ENTRANCES.contains(&path) {
                reachable.insert(resolved);
            }
        }
    }
    for path in tree.paths().filter(|path| is_page(path)) {
        if !reachable.contains(path) {
            let message = "no link leads here; link it from README.md or docs/README.md";
            violations.push(Violation::new(path, 1, message));
        }
    }
    violations
}

fn is_page(path: &str) -> bool {
    path.starts_with("docs/") && path.ends_with(".md")
}

/// Link targets that are paths, without their anchors, each with its line.
fn relative_links(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut in_code_block = false;
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            in_code_block = !in_code_block;
        }
        if in_code_block {
            continue;
        }
        let prose = without_code_spans(line);
        let inline = prose.match_indices("](").filter_map(|(at, _)| prose[at + 2..].split([')', ' ']).next());
        let definition = prose
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
            .and_then(|(_, target)| target.split_whitespace().next());
        for target in inline.chain(definition) {
            let path = target.trim_matches(['<', '>']).split('#').next().unwrap_or_default();
            let has_scheme = path.contains("://") || path.starts_with("mailto:");
            if !path.is_empty() && !has_scheme {
                found.push((path.to_owned(), index + 1));
            }
        }
    }
    found
}

/// The line with what stands between backticks taken out.
fn without_code_spans(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    let closed = pieces.len() % 2 == 1;
    let kept = pieces.iter().enumerate().filter(|(index, _)| !closed || index % 2 == 0);
    kept.map(|(_, piece)| *piece).collect::<Vec<_>>().join("`")
}

/// The path from the root that `target` means on the page `page`; `None` above the root.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => page.split('/').collect(),
    };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn linked_pages_with_links_that_resolve_are_fine() {
        let violations = found(&[
            ("README.md", "[docs](docs/README.md) [out](https://example.org/x) [up](#top)"),
            ("docs/README.md", "[cli](cli.md#record) [code](../crates)\n\n[log]: ./log.md \"The log\""),
            ("docs/cli.md", "[back](../README.md)"),
            ("docs/log.md", "[from the root](/docs/cli.md)"),
            ("crates/log/src/lib.rs", ""),
        ]);
        assert_eq!(violations, [] as [String; 0]);
    }

    #[test]
    fn a_page_without_a_link_to_it_is_named() {
        let violations = found(&[("README.md", "no links"), ("docs/lost.md", "")]);
        assert_eq!(violations.len(), 1);
        assert!(violations[0].starts_with("docs/lost.md:1: "));
    }

    #[test]
    fn links_that_lead_nowhere_or_outside_are_named_with_their_line() {
        let violations = found(&[("README.md", "one\n[a](gone.md)\n[b](../outside.md)\n[c]: gone2.md")]);
        let places: Vec<&str> = violations.iter().filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(places, ["README.md:2", "README.md:3", "README.md:4"]);
    }

    #[test]
    fn code_is_not_read_as_links() {
        let text = "```\n[a](gone.md)\n```\nand `[b](gone.md)` too";
        assert_eq!(found(&[("README.md", text)]), [] as [String; 0]);
    }
}
