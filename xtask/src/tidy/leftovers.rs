//! Nothing half-done is kept: no reminders, no stubs, no tests that are switched off.

use super::Violation;
use super::masked_rust::mask;
use super::tree::Tree;
use super::words::has_word;

// Written in two pieces so that this file does not hold what it looks for.
const REMINDERS: [&str; 5] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("for ", "now"), concat!("place", "holder")];
const STUBS: [&str; 2] = [concat!("to", "do!"), concat!("unimpl", "emented!")];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.sources() {
        for (index, line) in text.lines().enumerate() {
            for word in REMINDERS.iter().filter(|word| has_word(line, word)) {
                let message = format!("`{word}` left in the source; finish it, or say what is true today");
                violations.push(Violation::new(path, index + 1, message));
            }
        }
        if path.ends_with(".rs") {
            violations.extend(in_code(path, text));
        }
    }
    violations
}

fn in_code(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in mask(text).lines().enumerate() {
        for stub in STUBS.iter().filter(|stub| calls(line, stub)) {
            let message = format!("`{stub}` panics when it is reached; write the code, or take the way to it out");
            violations.push(Violation::new(path, index + 1, message));
        }
        if switches_a_test_off(line) {
            let message = "a test that is switched off; mend it, or let it print `SKIP <name>: <reason>` where its needs are missing";
            violations.push(Violation::new(path, index + 1, message));
        }
    }
    violations
}

fn calls(line: &str, stub: &str) -> bool {
    let name = stub.trim_end_matches('!');
    has_word(line, name) && line.contains(stub)
}

fn switches_a_test_off(line: &str) -> bool {
    let attribute = line.trim_start();
    attribute.starts_with(concat!("#[ig", "nore"))
        || (attribute.starts_with("#[cfg_attr(") && has_word(attribute, "ignore"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn each_reminder_is_found_in_comments_and_strings_of_any_language() {
        for word in REMINDERS {
            assert_eq!(count("a.rs", &format!("// {word} x")), 1, "{word}");
            assert_eq!(count("a.py", &format!("# {word}: x")), 1, "{word}");
            assert_eq!(count("a.md", word), 0, "{word}");
        }
    }

    #[test]
    fn parts_of_words_are_not_reminders() {
        assert_eq!(count("a.rs", "// wait for nowhere to go"), 0);
    }

    #[test]
    fn stubs_are_found_in_code_only() {
        for stub in STUBS {
            assert_eq!(count("a.rs", &format!("fn f() {{ {stub}() }}")), 1, "{stub}");
            assert_eq!(count("a.rs", &format!("let s = \"{stub}\";")), 0, "{stub}");
        }
    }

    #[test]
    fn tests_that_are_switched_off_are_found() {
        let off = concat!("#[ig", "nore]");
        assert_eq!(count("a.rs", &format!("{off}\nfn t() {{}}")), 1);
        assert_eq!(count("a.rs", "#[cfg_attr(windows, ignore)]\nfn t() {}"), 1);
        assert_eq!(count("a.rs", "fn ignore() {}"), 0);
    }
}
