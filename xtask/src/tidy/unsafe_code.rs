//! Unsafe code lives in one crate, where the system calls are.

use super::Violation;
use super::masked_rust::mask;
use super::tree::Tree;
use super::words::has_word;

const ALLOWED_UNDER: &str = "crates/capture/";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| !path.starts_with(ALLOWED_UNDER)) {
        for (index, line) in mask(text).lines().enumerate() {
            let lifts_the_ban =
                has_word(line, "unsafe_code") && ["allow", "expect", "warn"].iter().any(|level| has_word(line, level));
            if has_word(line, "unsafe") || lifts_the_ban {
                let message = "unsafe code outside crates/capture; use a safe wrapper (rustix), or put the call behind a safe function of `capture`";
                violations.push(Violation::new(path, index + 1, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn unsafe_code_is_found_outside_capture_only() {
        let text = "fn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(count("crates/store/src/a.rs", text), 1);
        assert_eq!(count("crates/capture/src/a.rs", text), 0);
    }

    #[test]
    fn lifting_the_ban_is_found_and_stating_it_is_not() {
        assert_eq!(count("crates/store/src/lib.rs", "#![allow(unsafe_code)]"), 1);
        assert_eq!(count("crates/store/src/lib.rs", "#![forbid(unsafe_code)]"), 0);
    }

    #[test]
    fn words_in_comments_and_strings_are_not_code() {
        let text = "// unsafe { }\nlet s = \"unsafe\";\n";
        assert_eq!(count("crates/store/src/a.rs", text), 0);
    }
}
