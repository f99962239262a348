//! The files that the rules look at, in memory, so that tests can make small ones.

use std::collections::BTreeMap;

use crate::Result;
use crate::workspace;

/// Larger files are data, not something that people read line by line.
const LARGEST_TEXT: u64 = 2 * 1024 * 1024;

/// Paths relative to the workspace root; the text where a file is text.
pub(crate) struct Tree(BTreeMap<String, Option<String>>);

impl Tree {
    pub(crate) fn of_workspace() -> Result<Self> {
        let mut files = BTreeMap::new();
        for path in workspace::files()? {
            let full = workspace::root().join(&path);
            let size = std::fs::metadata(&full).map_or(0, |metadata| metadata.len());
            let text = if size > LARGEST_TEXT {
                None
            } else {
                let bytes = std::fs::read(&full).map_err(|error| format!("{path}: {error}"))?;
                String::from_utf8(bytes).ok()
            };
            files.insert(path, text);
        }
        Ok(Self(files))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let owned = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        Self(owned.collect())
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path)?.as_deref()
    }

    /// Every text file with its path.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Text files that people write as source code.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| is_source(path))
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// Whether a file or folder of that path exists.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.0.contains_key(path)
            || self.0.range(folder.clone()..).next().is_some_and(|(found, _)| found.starts_with(&folder))
    }
}

fn is_source(path: &str) -> bool {
    const ENDINGS: [&str; 7] = [".rs", ".c", ".h", ".ts", ".tsx", ".svelte", ".py"];
    const NOT_WRITTEN_BY_HAND: [&str; 4] = ["generated", "vendor", "node_modules", "dist"];
    ENDINGS.iter().any(|ending| path.ends_with(ending))
        && !path.ends_with("vmlinux.h")
        && !path.split('/').any(|part| NOT_WRITTEN_BY_HAND.contains(&part))
}

/// Whether a file is a test or material for tests, where example data may look like anything.
pub(crate) fn is_test_material(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "fixtures" | "testdata" | "snapshots"))
        || path.ends_with("_test.rs")
        || path.ends_with("_tests.rs")
}

/// The first line (from 1) of a Rust file's unit tests, which close the file by convention.
pub(crate) fn unit_tests_start(text: &str) -> Option<usize> {
    text.lines().position(|line| line.trim_start().starts_with("#[cfg(test)]")).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_and_vendored_files_are_not_sources() {
        assert!(is_source("crates/log/src/tree.rs"));
        assert!(!is_source("ui/dist/app.ts"));
        assert!(!is_source("bpf/vmlinux.h"));
        assert!(!is_source("docs/cli.md"));
    }

    #[test]
    fn folders_exist_through_their_files() {
        let tree = Tree::of(&[("docs/a/b.md", ""), ("docs/ab.md", "")]);
        assert!(tree.exists("docs/a"));
        assert!(tree.exists("docs/ab.md"));
        assert!(!tree.exists("docs/ab"));
    }
}
