//! The rules that Semgrep applies, held fast: what is digested is what is run.

use crate::detect::builtin::yaml;
use crate::detect::capability;
use crate::detect::language::Language;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rules for flows of data through a function, which rules on single expressions can't follow.
const OWN: &str = include_str!("../../../semgrep/data-flow.yaml");
const OWN_NAME: &str = "data-flow.yaml";
const MAX_FILES: usize = 5_000;
const MAX_FILE_BYTES: u64 = 4 << 20;
const MAX_DEPTH: usize = 16;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It names rules that would have to be fetched.
    #[error("'{0}' would be fetched from the network; download the rules and give their file or folder")]
    Remote(String),
    /// A file can't be read.
    #[error("can't read the Semgrep rules in {path}: {error}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
    /// There are none.
    #[error("there are no .yaml or .yml files with Semgrep rules in {0}")]
    Empty(PathBuf),
    /// Too much for a set of rules.
    #[error(
        "{0} has more files, larger files or deeper folders than a set of rules needs; name the folder of the rules"
    )]
    TooLarge(PathBuf),
}

/// Rule files and their digest.
#[derive(Debug)]
pub struct RuleSnapshot {
    /// Names relative to the configuration, and contents, by name.
    files: Vec<(String, Vec<u8>)>,
    digest: String,
    name: Option<String>,
    last_modified: Option<String>,
    languages: Option<BTreeSet<Language>>,
    rule_count: Option<u64>,
}

impl RuleSnapshot {
    /// The rules that come with agentprov.
    pub fn own() -> Self {
        Self::of(vec![(OWN_NAME.to_owned(), OWN.as_bytes().to_vec())], None, None)
    }

    /// The rules of a file or folder.
    ///
    /// # Errors
    /// When they can't be read, or would have to be fetched.
    pub fn read(config: &str) -> Result<Self, ConfigError> {
        let remote = config == "auto"
            || config.contains("://")
            || ["p/", "r/", "s/"].iter().any(|head| config.starts_with(head));
        let path = Path::new(config);
        if remote && !path.exists() {
            return Err(ConfigError::Remote(config.to_owned()));
        }
        let mut files = Vec::new();
        let failed = |error| ConfigError::Read { path: path.to_owned(), error };
        if std::fs::metadata(path).map_err(failed)?.is_dir() {
            collect(path, path, 0, &mut files)?;
        } else {
            let name = capability::base_name(path).unwrap_or_else(|| OWN_NAME.to_owned());
            files.push((name, std::fs::read(path).map_err(failed)?));
        }
        if files.is_empty() {
            return Err(ConfigError::Empty(path.to_owned()));
        }
        Ok(Self::of(files, capability::base_name(path), capability::last_modified(path)))
    }

    fn of(mut files: Vec<(String, Vec<u8>)>, name: Option<String>, last_modified: Option<String>) -> Self {
        files.sort();
        let mut hash = Sha256::new();
        for (name, bytes) in &files {
            for part in [name.as_bytes(), bytes] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        let digest = data_encoding::HEXLOWER.encode(&hash.finalize());
        let rules: Option<Vec<Value>> =
            files.iter().map(|(_, bytes)| rules(bytes)).collect::<Option<Vec<_>>>().map(|all| all.concat());
        let rule_count = rules.as_ref().map(|rules| rules.len() as u64);
        let languages = rules.and_then(|rules| languages(&rules));
        Self { files, digest, name, last_modified, languages, rule_count }
    }

    /// SHA-256 over names and contents, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The last part of the path from which they came.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// When that was changed last.
    pub fn last_modified(&self) -> Option<&str> {
        self.last_modified.as_deref()
    }

    /// How many rules there are, if that could be read.
    pub fn rule_count(&self) -> Option<u64> {
        self.rule_count
    }

    /// Whether there are rules for that language. Where that can't be told there are.
    pub(super) fn covers(&self, language: Language) -> bool {
        self.languages.as_ref().is_none_or(|languages| languages.contains(&language))
    }

    /// Writes the files to a folder.
    pub(super) fn write(&self, folder: &Path) -> std::io::Result<()> {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(path, bytes)?;
        }
        Ok(())
    }
}

fn collect(root: &Path, folder: &Path, depth: usize, files: &mut Vec<(String, Vec<u8>)>) -> Result<(), ConfigError> {
    let failed = |path: &Path, error| ConfigError::Read { path: path.to_owned(), error };
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let entry = entry.map_err(|error| failed(folder, error))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if kind.is_dir() && !hidden {
            if depth == MAX_DEPTH {
                return Err(ConfigError::TooLarge(root.to_owned()));
            }
            collect(root, &path, depth + 1, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            let size = entry.metadata().map_err(|error| failed(&path, error))?.len();
            if size > MAX_FILE_BYTES || files.len() == MAX_FILES {
                return Err(ConfigError::TooLarge(root.to_owned()));
            }
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push((name, std::fs::read(&path).map_err(|error| failed(&path, error))?));
        }
    }
    Ok(())
}

/// The rules of a file; `None` where it is not understood, which is for Semgrep to judge.
fn rules(bytes: &[u8]) -> Option<Vec<Value>> {
    let parsed = yaml::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    parsed.get("rules")?.as_array().cloned()
}

/// The languages of the rules; `None` where one has rules for text of any kind.
fn languages(rules: &[Value]) -> Option<BTreeSet<Language>> {
    let mut found = BTreeSet::new();
    for rule in rules {
        for name in rule.get("languages")?.as_array()?.iter().filter_map(Value::as_str) {
            if matches!(name, "generic" | "regex" | "none") {
                return None;
            }
            found.extend(Language::from_name(name));
            if matches!(Language::from_name(name), Some(Language::TypeScript | Language::JavaScript)) {
                found.extend([Language::Tsx]);
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_from_the_network_are_refused() {
        for config in ["auto", "p/python", "r/python.lang", "https://example.org/rules.yaml"] {
            assert!(matches!(RuleSnapshot::read(config), Err(ConfigError::Remote(_))), "{config}");
        }
        assert!(matches!(RuleSnapshot::read("/nonexistent"), Err(ConfigError::Read { .. })));
    }

    #[test]
    fn a_folder_is_read_with_all_below_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(RuleSnapshot::read(folder.path().to_str().unwrap()), Err(ConfigError::Empty(_))));
        std::fs::create_dir_all(folder.path().join("b/.git")).unwrap();
        std::fs::write(folder.path().join("b/one.yml"), "rules:\n- {id: a, languages: [go, ts]}\n").unwrap();
        std::fs::write(folder.path().join("b/.git/two.yml"), "rules: []").unwrap();
        std::fs::write(folder.path().join("readme.md"), "x").unwrap();
        let read = RuleSnapshot::read(folder.path().to_str().unwrap()).unwrap();
        assert_eq!((read.files.len(), read.rule_count()), (1, Some(1)));
        assert!(read.covers(Language::Go) && read.covers(Language::Tsx) && !read.covers(Language::Python));
    }

    #[test]
    fn our_own_rules_are_understood() {
        let own = RuleSnapshot::own();
        assert!(own.rule_count().is_some_and(|count| count > 0));
        assert!(own.covers(Language::Python) && !own.covers(Language::Dockerfile));
    }
}
