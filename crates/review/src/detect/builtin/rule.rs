//! Rules, ready to be applied.

use super::grammar::Grammar;
use super::spec::{ClauseSpec, OneOrMany, RuleSpec};
use crate::detect::language::Language;
use crate::finding::{Category, Cwe, RuleId, Severity};
use regex::bytes::{Regex, RegexBuilder};
use sha2::{Digest, Sha256};

/// Why a rule file can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("rule file {file}: {mistake}; correct the file or take it out of the folder")]
pub struct RuleError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub mistake: String,
}

/// A rule without what it matches.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its version.
    pub version: String,
    /// What kind of weakness it looks for.
    pub category: Category,
    /// How bad that is.
    pub severity: Severity,
    /// The entry of the weakness enumeration.
    pub cwe: Option<Cwe>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: String,
    pub(super) matches: Matches,
}

/// What a rule matches.
#[derive(Clone, Debug, Default)]
pub(super) struct Matches {
    /// Clauses on syntax trees; compiled per grammar when a file needs them.
    pub(super) trees: Vec<(Vec<Grammar>, ClauseSpec)>,
    pub(super) lines: Vec<LineClause>,
    pub(super) instructions: Vec<InstructionClause>,
    pub(super) secrets: Vec<SecretClause>,
    pub(super) fallback: Vec<Regex>,
}

/// A clause on lines.
#[derive(Clone, Debug)]
pub(super) struct LineClause {
    /// Empty: all files.
    languages: Vec<Language>,
    path: Option<Regex>,
    pub(super) regex: Regex,
}

impl LineClause {
    /// Whether it is about a file of that path, read as these languages.
    pub(super) fn is_about(&self, path: &str, languages: &[Language]) -> bool {
        let spoken = self.languages.is_empty() || self.languages.iter().any(|language| languages.contains(language));
        spoken && self.path.as_ref().is_none_or(|regex| regex.is_match(path.as_bytes()))
    }
}

/// A clause on instructions of a Dockerfile.
#[derive(Clone, Debug)]
pub(super) struct InstructionClause {
    /// In upper case.
    pub(super) keywords: Vec<String>,
    pub(super) regex: Option<Regex>,
    pub(super) not_regex: Option<Regex>,
    /// In upper case.
    pub(super) last_stage_lacks: Option<String>,
}

/// A clause on secrets.
#[derive(Clone, Debug)]
pub(super) struct SecretClause {
    pub(super) regex: Regex,
    pub(super) not_regex: Option<Regex>,
    /// Bits per character.
    pub(super) entropy: Option<f64>,
}

impl Rule {
    /// Compiles a rule, patterns included, so that a mistake shows at once.
    pub(super) fn compile(spec: &RuleSpec) -> Result<Self, String> {
        let mut matches = Matches { fallback: line_regexes(&spec.fallback)?, ..Matches::default() };
        for clause in &spec.clauses {
            matches.take(clause)?;
        }
        Ok(Self {
            id: RuleId::new(&spec.id),
            version: spec.version.clone(),
            category: Category::new(&spec.category),
            severity: spec.severity,
            cwe: spec.cwe,
            message: spec.message.clone(),
            help: spec.help.clone(),
            matches,
        })
    }

    /// Whether it has something to say about syntax trees of that grammar.
    pub(super) fn reads(&self, grammar: Grammar) -> bool {
        self.matches.trees.iter().any(|(grammars, _)| grammars.contains(&grammar))
    }
}

impl Matches {
    fn take(&mut self, clause: &ClauseSpec) -> Result<(), String> {
        let languages = languages(clause)?;
        for regex in line_regexes(&clause.line)? {
            self.lines.push(LineClause { languages: languages.clone(), path: optional(&clause.path)?, regex });
        }
        for regex in line_regexes(&clause.secret)? {
            if !regex.capture_names().flatten().any(|name| name == "secret") {
                return Err(format!("'{regex}' has no group named 'secret'"));
            }
            let entropy = clause.entropy.as_deref().map(str::parse).transpose();
            let entropy = entropy.map_err(|_| "'entropy' is not a number".to_owned())?;
            self.secrets.push(SecretClause { regex, not_regex: optional(&clause.not_regex)?, entropy });
        }
        let keywords: Vec<String> =
            clause.instruction.as_slice().iter().map(|word| word.to_ascii_uppercase()).collect();
        if !keywords.is_empty() || clause.last_stage_lacks.is_some() {
            self.instructions.push(InstructionClause {
                keywords,
                regex: optional(&clause.regex)?,
                not_regex: optional(&clause.not_regex)?,
                last_stage_lacks: clause.last_stage_lacks.as_deref().map(str::to_ascii_uppercase),
            });
        }
        if clause.pattern.as_slice().is_empty() && clause.kind.as_slice().is_empty() {
            return Ok(());
        }
        let grammars: Vec<Grammar> = languages.iter().filter_map(|&language| Grammar::of(language)).collect();
        if grammars.is_empty() {
            return Err("a clause with 'pattern' or 'kind' needs a language that has a grammar".into());
        }
        self.trees.push((grammars, clause.clone()));
        Ok(())
    }
}

/// The languages of a clause; a TypeScript rule is one for TSX too.
fn languages(clause: &ClauseSpec) -> Result<Vec<Language>, String> {
    let mut languages = Vec::new();
    for name in &clause.languages {
        let language = Language::from_name(name).ok_or_else(|| format!("'{name}' is not a known language"))?;
        languages.push(language);
        if language == Language::TypeScript {
            languages.push(Language::Tsx);
        }
    }
    Ok(languages)
}

pub(super) fn optional(pattern: &Option<String>) -> Result<Option<Regex>, String> {
    pattern.as_deref().map(regex).transpose()
}

/// Classes such as `\w` are ASCII, in which code is written: with all letters of the world, counted repetitions grow to
/// megabytes. A rule that means other characters says `(?u)`.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).unicode(false).build().map_err(|error| error.to_string())
}

/// Expressions for lines. They can be tried on many lines at once, as `^` and `$` match at each.
fn line_regexes(patterns: &OneOrMany) -> Result<Vec<Regex>, String> {
    let compile = |pattern: &String| {
        let built = RegexBuilder::new(pattern).unicode(false).multi_line(true).crlf(true).build();
        built.map_err(|error| error.to_string())
    };
    patterns.as_slice().iter().map(compile).collect()
}

/// SHA-256 over names and contents of rule files, in hex.
pub(super) fn digest<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}
