//! Patterns over the segments of a path.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A pattern such as `.ssh/id_*`, `/etc/shadow`, `.aws/sso/cache/` or `*.kdbx`.
///
/// It is compared segment by segment, so that `.env` is not `.environment`. A leading `/` binds it to the root, else
/// it may begin at any segment; it ends at the file name, and with a final `/` it takes everything below. `*` stands
/// for any characters of one segment. Letters are compared without case, unless the pattern begins with `=`: names
/// such as `Cookies` are common words in lower case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    pub(super) segments: Vec<Segment>,
    pub(super) anchored: bool,
    pub(super) below: bool,
    pub(super) exact_case: bool,
}

/// One segment of a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Segment {
    /// This name.
    Literal(Vec<u8>),
    /// These pieces in this order, anything between them.
    Glob(Vec<Vec<u8>>),
}

/// Why a text is no pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    /// It names nothing.
    #[error("a path pattern needs a name")]
    Empty,
    /// It would match everything.
    #[error("the path pattern '{0}' matches every path")]
    Everything(String),
    /// A segment that paths never have after normalisation.
    #[error("the path pattern '{0}' has the segment '{1}', which no normalised path has")]
    Segment(String, String),
}

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (exact_case, rest) = match text.strip_prefix('=') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let anchored = rest.starts_with('/');
        let below = rest.len() > 1 && rest.ends_with('/');
        let rest = rest.trim_matches('/');
        if rest.is_empty() {
            return Err(PatternError::Empty);
        }
        if rest.split('/').all(|segment| segment.bytes().all(|byte| byte == b'*')) {
            return Err(PatternError::Everything(text.to_owned()));
        }
        if let Some(bad) = rest.split('/').find(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(PatternError::Segment(text.to_owned(), bad.to_owned()));
        }
        let segments = rest.split('/').map(|segment| Segment::of(segment, exact_case)).collect();
        Ok(Self { segments, anchored, below, exact_case })
    }
}

impl Segment {
    fn of(text: &str, exact_case: bool) -> Self {
        let text = if exact_case { text.to_owned() } else { text.to_ascii_lowercase() };
        if text.contains('*') {
            Self::Glob(text.split('*').map(|piece| piece.as_bytes().to_vec()).collect())
        } else {
            Self::Literal(text.into_bytes())
        }
    }

    pub(super) fn fits(&self, name: &[u8]) -> bool {
        match self {
            Self::Literal(text) => text == name,
            Self::Glob(pieces) => glob_fits(pieces, name),
        }
    }
}

/// The first piece begins the name, the last one ends it, the others follow each other between.
fn glob_fits(pieces: &[Vec<u8>], name: &[u8]) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let Some(mut rest) = name.strip_prefix(first.as_slice()) else { return false };
    for piece in middle {
        let Some(at) = find(rest, piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    text.windows(piece.len()).position(|window| window == piece)
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exact_case {
            f.write_str("=")?;
        }
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 || self.anchored {
                f.write_str("/")?;
            }
            match segment {
                Segment::Literal(text) => f.write_str(&String::from_utf8_lossy(text))?,
                Segment::Glob(pieces) => {
                    let texts: Vec<_> = pieces.iter().map(|piece| String::from_utf8_lossy(piece)).collect();
                    f.write_str(&texts.join("*"))?;
                }
            }
        }
        f.write_str(if self.below { "/" } else { "" })
    }
}

impl TryFrom<String> for PathPattern {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.to_string()
    }
}
