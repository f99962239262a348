//! What a detector says about lines of a file.

use crate::lines::LineNumber;
use agentprov_model::ContentId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            /// From a text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(Cow::Owned(text.into()))
            }

            /// From a text that is known when this is compiled.
            pub const fn from_static(text: &'static str) -> Self {
                Self(Cow::Borrowed(text))
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// The id of a rule, such as `sql-injection-concat`. For foreign engines it is the full id, namespace included.
    RuleId
);
name_type!(
    /// What kind of weakness a rule looks for, such as `sqli`; policies set thresholds by it.
    Category
);
name_type!(
    /// The engine that found it: `agentprov`, `semgrep`, or the name of a custom detector.
    Engine
);

/// How bad a finding is, least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Likely to be exploitable.
    High,
    /// Exploitable as it stands.
    Critical,
}

impl Severity {
    /// All, least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// From the words that engines use, in any case. `None` where it is not known: the caller has to say what then.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "low" | "info" | "informational" | "note" | "inventory" | "experiment" => Some(Self::Low),
            "medium" | "moderate" | "warning" => Some(Self::Medium),
            "high" | "error" => Some(Self::High),
            "critical" => Some(Self::Critical),
            _ => None,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An entry of the Common Weakness Enumeration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cwe(u32);

impl Cwe {
    /// The entry of that number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// From `CWE-89`, with or without the title that some rule packs add after a colon.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.split(':').next()?.trim();
        let digits = name.strip_prefix("CWE-").or_else(|| name.strip_prefix("cwe-"))?;
        digits.parse().ok().map(Self)
    }

    /// The number of the entry.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Cwe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CWE-{}", self.0)
    }
}

impl TryFrom<String> for Cwe {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("'{text}' is not of the form CWE-89"))
    }
}

impl From<Cwe> for String {
    fn from(cwe: Cwe) -> Self {
        cwe.to_string()
    }
}

/// Names a finding across runs: it stays the same when lines are added above it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(ContentId);

impl Fingerprint {
    /// SHA-256 over rule, path, content with blanks run together, and which of several equal ones in the file it is.
    ///
    /// The ordinal is part of it so that waiving one occurrence does not waive a copy that is added later.
    pub fn of(rule: &RuleId, path: &str, content: &str, ordinal: u32) -> Self {
        let mut hash = Sha256::new();
        for part in [rule.as_str(), path] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        for word in content.split_whitespace() {
            hash.update(word);
            hash.update(b" ");
        }
        hash.update([0]);
        hash.update(ordinal.to_be_bytes());
        Self(ContentId::from_bytes(hash.finalize().into()))
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = agentprov_model::ids::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A comment in the reviewed file that asks a scanner to keep quiet. It is shown and changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuthorSuppression {
    /// The word that does it, such as `nosec`.
    pub marker: String,
    /// Where the comment is; its owner is who asked.
    pub line: LineNumber,
}

/// One weakness at one place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule.
    pub rule: RuleId,
    /// Which version of it.
    pub rule_version: String,
    /// What kind of weakness.
    pub category: Category,
    /// How bad.
    pub severity: Severity,
    /// The entry of the weakness enumeration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwe: Option<Cwe>,
    /// Who found it.
    pub engine: Engine,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// The file, relative to the repository's root, with `/`.
    pub path: String,
    /// The first line.
    pub line: LineNumber,
    /// The last line.
    pub end_line: LineNumber,
    /// Where it starts in its first line: bytes, counted from 1.
    pub start_column: u32,
    /// Where it ends in its last line: the byte after the last, counted from 1.
    pub end_column: u32,
    /// Its name across runs.
    pub fingerprint: Fingerprint,
    /// The comment by which the author of the file asked not to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by_author: Option<AuthorSuppression>,
}

impl Finding {
    /// The order of reports: by file, then by place, then by rule.
    pub fn place(&self) -> (&str, LineNumber, u32, &RuleId, &Engine) {
        (&self.path, self.line, self.start_column, &self.rule, &self.engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_forgets_layout_but_nothing_else() {
        let rule = RuleId::from_static("r");
        let of = |path, content, ordinal| Fingerprint::of(&rule, path, content, ordinal);
        assert_eq!(of("a", "x  = 1\n", 0), of("a", "  x =\t1", 0));
        assert_ne!(of("a", "x = 1", 0), of("b", "x = 1", 0));
        assert_ne!(of("a", "x = 1", 0), of("a", "x = 1", 1));
        assert_ne!(of("a", "x = 1", 0), of("a", "x = 2", 0));
        assert_ne!(of("a", "ab", 0), Fingerprint::of(&RuleId::from_static("ra"), "", "ab", 0));
        assert_eq!(of("a", "x", 0).to_string().parse(), Ok(of("a", "x", 0)));
    }

    #[test]
    fn words_for_severity_map_without_a_guess() {
        assert_eq!(Severity::parse("ERROR"), Some(Severity::High));
        assert_eq!(Severity::parse("Warning"), Some(Severity::Medium));
        assert_eq!(Severity::parse("CRITICAL"), Some(Severity::Critical));
        assert_eq!(Severity::parse("severe"), None);
        assert!(Severity::Low < Severity::Critical);
    }

    #[test]
    fn weaknesses_are_read_with_and_without_title() {
        assert_eq!(Cwe::parse("CWE-89: SQL injection"), Some(Cwe::new(89)));
        assert_eq!(Cwe::parse("CWE-89").map(|cwe| cwe.to_string()).as_deref(), Some("CWE-89"));
        assert_eq!(Cwe::parse("89"), None);
    }
}
