//! What was not scanned, and why.

use crate::finding::Engine;
use crate::lines::LineNumber;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that was to be scanned and was not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct CoverageGap {
    /// The file; absent when the engine did not run at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Who did not scan it.
    pub engine: Engine,
    /// Why.
    pub reason: GapReason,
}

impl CoverageGap {
    /// Whether it asks for a decision. Who posts single lines knows that the file around them was not seen: that is
    /// shown, and is no reason of its own.
    pub fn is_loss(&self) -> bool {
        self.reason != GapReason::Fragment
    }
}

/// Why something was not scanned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GapReason {
    /// Nothing says in which language the file is; only rules on text were applied.
    UnknownLanguage,
    /// No rules for that language; only rules on text were applied.
    UnsupportedLanguage {
        /// As the extension names it.
        language: String,
    },
    /// These lines don't follow the grammar of the language; rules on text were applied to them.
    SyntaxError {
        /// The first of them.
        line: LineNumber,
        /// The last.
        end_line: LineNumber,
    },
    /// Bytes that are no text in an encoding that is understood.
    Binary,
    /// The file declares an encoding in which what is read differs from what is run.
    Encoding {
        /// As declared.
        name: String,
    },
    /// Larger than the limit; only rules on text were applied.
    TooLarge {
        /// Bytes of the file.
        size: u64,
        /// Bytes that a file may have.
        limit: u64,
    },
    /// The grammar takes too many steps on it; only rules on text were applied.
    TooComplex,
    /// Only the changed lines are known, not the file around them.
    Fragment,
    /// The content of the file is not there.
    ContentAbsent,
    /// More findings of one rule than are kept of one file.
    TooManyFindings {
        /// How many are kept.
        limit: u64,
    },
    /// The engine was to run and did not, or ended with an error.
    EngineFailed {
        /// What went wrong.
        detail: String,
    },
    /// The engine took longer than allowed.
    TimedOut {
        /// Seconds allowed.
        seconds: u64,
    },
    /// The engine ran and left this file out.
    Skipped {
        /// In the words of the engine.
        detail: String,
    },
}

impl GapReason {
    /// Not done in time.
    pub(super) fn timed_out(allowed: std::time::Duration) -> Self {
        Self::TimedOut { seconds: allowed.as_secs() + u64::from(allowed.subsec_nanos() > 0) }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLanguage => f.write_str("unknown language, only rules on text were applied"),
            Self::UnsupportedLanguage { language } => {
                write!(f, "no rules for {language}, only rules on text were applied")
            }
            Self::SyntaxError { line, end_line } if line == end_line => {
                write!(f, "syntax error in line {line}, only rules on text were applied to it")
            }
            Self::SyntaxError { line, end_line } => {
                write!(f, "syntax errors in lines {line} to {end_line}, only rules on text were applied to them")
            }
            Self::Binary => f.write_str("binary content"),
            Self::Encoding { name } => write!(f, "declares the encoding '{name}', which is not read"),
            Self::TooLarge { size, limit } => {
                write!(f, "{size} bytes, more than {limit}, only rules on text were applied")
            }
            Self::TooComplex => f.write_str("too complex to parse, only rules on text were applied"),
            Self::Fragment => f.write_str("only the changed lines are known"),
            Self::ContentAbsent => f.write_str("the content is not there"),
            Self::TooManyFindings { limit } => {
                write!(f, "more than {limit} findings of one rule, the rest was left out")
            }
            Self::EngineFailed { detail } => write!(f, "the engine failed: {detail}"),
            Self::TimedOut { seconds } => write!(f, "not done within {seconds} s"),
            Self::Skipped { detail } => write!(f, "left out by the engine: {detail}"),
        }
    }
}

impl fmt::Display for CoverageGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.path.as_deref().unwrap_or("all files");
        write!(f, "{what}: {} [{}]", self.reason, self.engine)
    }
}
