//! The tree explains itself: a reader has no tracker beside it in which to look numbers up.

use super::Violation;
use super::tree::{Tree, is_test_material, unit_tests_start};
use super::words::is_word;

const WORDS: [&str; 7] = ["issue", "fix", "fixes", "close", "closes", "resolves", "ticket"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| !is_test_material(path)) {
        let tests = unit_tests_start(text).filter(|_| path.ends_with(".rs"));
        for (index, line) in text.lines().enumerate() {
            if tests.is_some_and(|start| index + 1 >= start) {
                break;
            }
            if names_an_issue(line) {
                let message = "refers to an issue by its number; say the reason itself";
                violations.push(Violation::new(path, index + 1, message));
            }
        }
    }
    violations
}

fn names_an_issue(line: &str) -> bool {
    let lower = line.to_lowercase();
    WORDS.iter().any(|word| {
        lower.match_indices(word).any(|(start, _)| {
            let before = lower[..start].chars().next_back();
            !before.is_some_and(is_word) && number_follows(word, &lower[start + word.len()..])
        })
    })
}

/// After a noun a number is enough; after a verb, as in `fix 7 tests`, it has to carry its hash sign.
fn number_follows(word: &str, rest: &str) -> bool {
    let spaced = rest.trim_start_matches([' ', '-', ':']);
    let number = match spaced.strip_prefix('#') {
        Some(number) => number,
        None if matches!(word, "issue" | "ticket") && spaced.len() < rest.len() => spaced,
        None => return false,
    };
    let digits = number.chars().take_while(char::is_ascii_digit).count();
    digits > 0 && !number[digits..].chars().next().is_some_and(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_issues_are_found() {
        for line in ["see issue #7", "Issue 12 says", "Fixes #3", "(issue-4)", "closes: #9"] {
            assert!(names_an_issue(line), "{line}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for line in ["fix 7 tests", "issue_count 3", "no issue: x", "tissue 3", "colour #123"] {
            assert!(!names_an_issue(line), "{line}");
        }
    }

    #[test]
    fn only_files_that_speak_about_the_project_count() {
        let line = "issue #7\n";
        let tree = Tree::of(&[("docs/a.md", line), ("crates/review/tests/fixtures/pr.json", line)]);
        assert_eq!(check(&tree).len(), 1);
    }
}
