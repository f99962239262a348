//! Every crate takes the workspace's lints.

use super::Violation;
use super::manifest;
use super::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.texts()
        .filter(|(path, _)| is_member(path))
        .filter(|(_, text)| !takes_workspace_lints(text))
        .map(|(path, _)| {
            Violation::new(path, 1, "does not take the workspace's lints; add `[lints]` with `workspace = true`")
        })
        .collect()
}

fn is_member(path: &str) -> bool {
    path == "xtask/Cargo.toml"
        || path
            .strip_prefix("crates/")
            .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
            .is_some_and(|folder| !folder.contains('/'))
}

fn takes_workspace_lints(text: &str) -> bool {
    manifest::entries(text).iter().any(|entry| {
        let full = (entry.table, entry.key);
        matches!(full, ("lints", "workspace") | ("", "lints.workspace")) && entry.value == "true"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_workspace_lints_is_named() {
        let tree = Tree::of(&[
            ("crates/log/Cargo.toml", "[package]\nname = \"agentprov-log\"\n"),
            ("crates/model/Cargo.toml", "[lints]\nworkspace = true\n"),
            ("crates/store/Cargo.toml", "[lints]\nworkspace = false\n"),
            ("Cargo.toml", "[workspace]\n"),
        ]);
        let paths: Vec<String> = check(&tree).into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["crates/log/Cargo.toml", "crates/store/Cargo.toml"]);
    }
}
