//! A file has the name of what it is about, not of where things end up.

use super::Violation;
use super::tree::Tree;

const NAMES_OF_NOTHING: [&str; 4] = ["utils", "helpers", "common", "manager"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.paths()
        .filter_map(|path| Some((path, name_of_nothing(path)?)))
        .map(|(path, name)| {
            let message = format!("`{name}` says nothing about the contents; name it after the one thing it is about");
            Violation::new(path, 1, message)
        })
        .collect()
}

fn name_of_nothing(path: &str) -> Option<&str> {
    let (_, inside) = path.strip_prefix("crates/")?.split_once("/src/")?;
    inside.split('/').map(|part| part.split('.').next().unwrap_or(part)).find(|part| {
        part.split('_')
            .any(|word| NAMES_OF_NOTHING.iter().any(|name| word == *name || word == name.trim_end_matches('s')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_both_looked_at() {
        let tree = Tree::of(&[
            ("crates/log/src/utils.rs", ""),
            ("crates/log/src/common/mod.rs", ""),
            ("crates/log/src/session_manager.rs", ""),
            ("crates/log/src/commonmark.rs", ""),
            ("crates/log/src/tree.rs", ""),
            ("crates/log/tests/helpers.rs", ""),
        ]);
        assert_eq!(check(&tree).len(), 3);
    }
}
