//! The rules that come with agentprov, and those of a folder.

use super::grammar::Grammar;
use super::rule::{Rule, RuleError, digest};
use super::spec::RuleSpec;
use super::tree::TreeRules;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

include!(concat!(env!("OUT_DIR"), "/rule_files.rs"));

/// Files read from one folder.
const MAX_FILES: usize = 2_000;
/// Bytes of one file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Rules, with what names them in a decision.
pub struct RulePack {
    rules: Vec<Rule>,
    digest: String,
    /// Where the user's rules came from, and their digest.
    own: Option<(PathBuf, String)>,
    trees: [OnceLock<Result<TreeRules, RuleError>>; GRAMMARS.len()],
}

const GRAMMARS: [Grammar; 7] = [
    Grammar::Python,
    Grammar::JavaScript,
    Grammar::TypeScript,
    Grammar::Tsx,
    Grammar::Go,
    Grammar::Rust,
    Grammar::Bash,
];

impl RulePack {
    /// The rules that come with agentprov.
    ///
    /// # Errors
    /// When a rule has a mistake, which the tests of this crate rule out.
    pub fn default_rules() -> Result<Self, RuleError> {
        Self::from_files(FILES)
    }

    /// The rules of agentprov and those of a folder's `*.yaml` files.
    ///
    /// # Errors
    /// When a file can't be read or has a mistake.
    pub fn with_folder(folder: &Path) -> Result<Self, RuleError> {
        let own = read_folder(folder)?;
        let own: Vec<_> = own.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let all: Vec<_> = FILES.iter().chain(&own).copied().collect();
        let mut pack = Self::from_files(&all)?;
        pack.own = Some((folder.to_owned(), digest(own.into_iter())));
        // Patterns are compiled when they are needed; those of a user are tried at once, so that a mistake shows here.
        for (at, grammar) in GRAMMARS.into_iter().enumerate() {
            pack.trees_at(at, grammar)?;
        }
        Ok(pack)
    }

    fn from_files(files: &[(&str, &str)]) -> Result<Self, RuleError> {
        let mut rules: Vec<Rule> = Vec::with_capacity(files.len());
        for (file, text) in files {
            let error = |mistake| RuleError { file: (*file).to_owned(), mistake };
            let spec = RuleSpec::parse(text).map_err(error)?;
            if rules.iter().any(|rule| rule.id.as_str() == spec.id) {
                return Err(error(format!("the id '{}' is taken by another rule", spec.id)));
            }
            rules.push(Rule::compile(&spec).map_err(error)?);
        }
        Ok(Self { rules, digest: digest(files.iter().copied()), own: None, trees: Default::default() })
    }

    /// All rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// SHA-256 over all rule files, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the user's rules came from.
    pub fn folder(&self) -> Option<&Path> {
        self.own.as_ref().map(|(folder, _)| folder.as_path())
    }

    /// SHA-256 over the user's rule files, in hex.
    pub fn folder_digest(&self) -> Option<&str> {
        self.own.as_ref().map(|(_, digest)| digest.as_str())
    }

    pub(super) fn trees(&self, grammar: Grammar) -> Result<&TreeRules, RuleError> {
        let at = GRAMMARS.iter().position(|&known| known == grammar).unwrap_or_default();
        self.trees_at(at, grammar)
    }

    fn trees_at(&self, at: usize, grammar: Grammar) -> Result<&TreeRules, RuleError> {
        let missing = || RuleError { file: format!("{grammar:?}"), mistake: "the grammar is not listed".into() };
        let cell = self.trees.get(at).ok_or_else(missing)?;
        let compile = || {
            TreeRules::compile(&self.rules, grammar).map_err(|(rule, mistake)| {
                let file = self.rules.get(rule).map(|rule| rule.id.to_string()).unwrap_or_default();
                RuleError { file, mistake }
            })
        };
        cell.get_or_init(compile).as_ref().map_err(Clone::clone)
    }
}

impl std::fmt::Debug for RulePack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RulePack").field("rules", &self.rules.len()).field("digest", &self.digest).finish()
    }
}

/// Names and texts of the rule files of a folder, by name.
fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, RuleError> {
    let failed = |path: &Path, error: std::io::Error| RuleError {
        file: path.display().to_string(),
        mistake: format!("can't be read: {error}"),
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            continue;
        }
        let size = std::fs::metadata(&path).map_err(|error| failed(&path, error))?.len();
        if size > MAX_FILE_BYTES || files.len() == MAX_FILES {
            let mistake = format!("more than {MAX_FILE_BYTES} bytes, or more than {MAX_FILES} files in the folder");
            return Err(RuleError { file: path.display().to_string(), mistake });
        }
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
    }
    files.sort();
    Ok(files)
}
