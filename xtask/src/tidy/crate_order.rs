//! Dependencies point downward only.

use super::Violation;
use super::manifest;
use super::tree::Tree;

/// Folders under `crates/`, top first. A crate may depend on those after it and on no other.
const ORDER: [&str; 11] =
    ["agentprov", "server", "review", "graph", "policy", "ingest", "capture", "attest", "store", "log", "model"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts() {
        if path == "xtask/Cargo.toml" {
            violations.extend(dependencies_of_xtask(path, text));
        } else if let Some(folder) = crate_folder(path) {
            match position(folder) {
                Some(at) => violations.extend(upward_dependencies(path, text, folder, at)),
                None => violations.push(Violation::new(
                    path,
                    1,
                    format!("crate `{folder}` has no place in the crate order; add it to ORDER in xtask/src/tidy/crate_order.rs and to ARCHITECTURE.md"),
                )),
            }
        }
    }
    violations
}

fn upward_dependencies(path: &str, text: &str, folder: &str, at: usize) -> Vec<Violation> {
    ours(text)
        .filter(|(dependency, _)| position(dependency).is_none_or(|other| other <= at))
        .map(|(dependency, line)| {
            let below = ORDER.get(at + 1..).unwrap_or_default().join(", ");
            let message = format!(
                "`{folder}` must not depend on `{dependency}`; it may use only: {below}. Move the shared part down, or pass it in as a trait"
            );
            Violation::new(path, line, message)
        })
        .collect()
}

fn dependencies_of_xtask(path: &str, text: &str) -> Vec<Violation> {
    ours(text)
        .map(|(dependency, line)| {
            let message = format!(
                "xtask must not depend on `{dependency}`: it has to build when the crates do not; run the binary instead"
            );
            Violation::new(path, line, message)
        })
        .collect()
}

/// Dependencies on crates of this workspace, by folder.
fn ours(text: &str) -> impl Iterator<Item = (String, usize)> {
    manifest::dependencies(text).into_iter().filter_map(|(package, line)| {
        let folder = match package.strip_prefix("agentprov-") {
            Some(folder) => folder.to_owned(),
            None if package == "agentprov" => package,
            None => return None,
        };
        Some((folder, line))
    })
}

fn crate_folder(path: &str) -> Option<&str> {
    let folder = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
    (!folder.contains('/')).then_some(folder)
}

fn position(folder: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[dependencies]\n{dependencies}\n");
        check(&Tree::of(&[(path, &text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn downward_and_foreign_dependencies_are_fine() {
        let below = "agentprov-store.workspace = true\nserde.workspace = true";
        assert!(found("crates/graph/Cargo.toml", below).is_empty());
    }

    #[test]
    fn an_upward_dependency_is_named_with_its_line() {
        let upward = "serde.workspace = true\nagentprov-graph.workspace = true";
        let violations = found("crates/store/Cargo.toml", upward);
        assert_eq!(violations.len(), 1);
        assert!(violations[0].starts_with("crates/store/Cargo.toml:3: `store` must not"));
    }

    #[test]
    fn a_crate_must_not_depend_on_itself_or_on_one_without_a_place() {
        assert_eq!(found("crates/log/Cargo.toml", "agentprov-log.workspace = true").len(), 1);
        assert_eq!(found("crates/log/Cargo.toml", "agentprov-new.workspace = true").len(), 1);
        assert_eq!(found("crates/new/Cargo.toml", "").len(), 1);
    }

    #[test]
    fn xtask_depends_on_no_crate_of_the_workspace() {
        assert_eq!(found("xtask/Cargo.toml", "agentprov-model.workspace = true").len(), 1);
        assert!(found("xtask/Cargo.toml", "serde_json.workspace = true").is_empty());
    }
}
