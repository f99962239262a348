//! Nothing in the tree depends on, or tells about, one particular machine.

use super::Violation;
use super::tree::{Tree, is_test_material, unit_tests_start};
use super::words::is_word;

// Written in two pieces so that this file does not hold what it looks for.
const WORK_FOLDER: &str = concat!("/wo", "rk/");
const HOME_FOLDERS: &str = concat!("/ho", "me/");
const ROOT_HOME: &str = concat!("/ro", "ot/");

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| !is_test_material(path)) {
        let tests = unit_tests_start(text).filter(|_| path.ends_with(".rs"));
        for (index, line) in text.lines().enumerate() {
            if tests.is_some_and(|start| index + 1 >= start) {
                break;
            }
            if let Some(found) = machine_path(line) {
                let message = format!(
                    "`{found}` is a path of a particular machine; take it from the environment or a flag, or use a made-up one"
                );
                violations.push(Violation::new(path, index + 1, message));
            }
        }
    }
    violations
}

fn machine_path(line: &str) -> Option<&'static str> {
    [WORK_FOLDER, HOME_FOLDERS, ROOT_HOME].into_iter().find(|folder| {
        line.match_indices(folder).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let after = line[start + folder.len()..].chars().next();
            !before.is_some_and(continues_a_path) && (*folder != HOME_FOLDERS || after.is_some_and(is_word))
        })
    })
}

fn continues_a_path(character: char) -> bool {
    is_word(character) || matches!(character, '.' | '-' | '~' | '}' | '*' | '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn each_kind_of_path_is_found() {
        for folder in [WORK_FOLDER, HOME_FOLDERS, ROOT_HOME] {
            assert_eq!(count("docs/a.md", &format!("see `{folder}x`")), 1, "{folder}");
            assert_eq!(count("a.sh", &format!("{folder}x/y")), 1, "{folder}");
        }
    }

    #[test]
    fn inner_folders_of_that_name_are_fine() {
        for folder in [WORK_FOLDER, HOME_FOLDERS, ROOT_HOME] {
            assert_eq!(count("docs/a.md", &format!("src{folder}x")), 0, "{folder}");
        }
        assert_eq!(count("docs/a.md", &format!("below {HOME_FOLDERS}, each")), 0);
    }

    #[test]
    fn test_material_may_hold_any_path() {
        let line = format!("let x = \"{WORK_FOLDER}x\";");
        assert_eq!(count("crates/log/tests/a.rs", &line), 0);
        let unit_test = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{line}\n}}\n");
        assert_eq!(count("crates/log/src/a.rs", &unit_test), 0);
        assert_eq!(count("crates/log/src/a.rs", &line), 1);
    }
}
