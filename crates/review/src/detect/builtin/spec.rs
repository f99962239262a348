//! A rule file as it is written.

use super::yaml;
use crate::finding::{Cwe, Severity};
use serde::Deserialize;

/// One rule file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// The id under which findings are reported.
    pub id: String,
    /// Changes with what the rule finds.
    #[serde(default = "first_version")]
    pub version: String,
    /// What kind of weakness it looks for.
    pub category: String,
    /// How bad that is.
    pub severity: Severity,
    /// The entry of the weakness enumeration.
    pub cwe: Option<Cwe>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Where it matches: any of these.
    #[serde(rename = "match")]
    pub clauses: Vec<ClauseSpec>,
    /// Regular expressions for lines that no grammar covers: unknown languages, syntax errors.
    #[serde(default)]
    pub fallback: OneOrMany,
    /// What it has to find and what it must not.
    pub examples: Examples,
}

/// One way for a rule to match. Exactly one of `pattern`, `kind`, `instruction`, `line`, `secret` says what is
/// looked at; the rest narrows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClauseSpec {
    /// Languages; none for `line` and `secret` means every file.
    #[serde(default)]
    pub languages: Vec<String>,
    /// ast-grep patterns: `eval($$$ARGS)`.
    #[serde(default)]
    pub pattern: OneOrMany,
    /// Kinds of nodes in the grammar.
    #[serde(default)]
    pub kind: OneOrMany,
    /// Instructions of a Dockerfile.
    #[serde(default)]
    pub instruction: OneOrMany,
    /// Regular expressions on changed lines.
    #[serde(default)]
    pub line: OneOrMany,
    /// Of `line`: the path matches.
    pub path: Option<String>,
    /// Regular expressions with a group `secret`.
    #[serde(default)]
    pub secret: OneOrMany,
    /// The text of the node or instruction matches.
    pub regex: Option<String>,
    /// The text of the node or instruction does not match.
    pub not_regex: Option<String>,
    /// Something in the node.
    pub has: Option<NodeSpec>,
    /// Nothing in the node.
    pub not_has: Option<NodeSpec>,
    /// Something around the node.
    pub inside: Option<NodeSpec>,
    /// Nothing around the node.
    pub not_inside: Option<NodeSpec>,
    /// Texts of the pattern's variables match.
    #[serde(default, rename = "where")]
    pub conditions: std::collections::BTreeMap<String, String>,
    /// Texts of the pattern's variables do not match.
    #[serde(default)]
    pub where_not: std::collections::BTreeMap<String, String>,
    /// The last stage of a Dockerfile does not have this instruction.
    pub last_stage_lacks: Option<String>,
    /// Bits per character that a secret has at least.
    pub entropy: Option<String>,
}

/// A node by kind and text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Any of these kinds; none means any kind.
    #[serde(default)]
    pub kind: OneOrMany,
    /// Its text matches.
    pub regex: Option<String>,
}

/// A text or a list of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// Not given.
    #[default]
    None,
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// As a slice.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// Code with which a rule is tested.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// Each has at least one finding of the rule.
    pub hits: Vec<Example>,
    /// None has a finding of the rule, though each looks like one.
    pub near_misses: Vec<Example>,
}

/// A file, by name and content.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Its name, from which the language follows.
    pub file: String,
    /// Its content.
    pub code: String,
}

fn first_version() -> String {
    "1.0.0".into()
}

impl RuleSpec {
    /// Reads a rule file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_value(yaml::parse(text)?).map_err(|error| error.to_string())
    }
}
