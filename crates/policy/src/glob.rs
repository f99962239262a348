//! Globs over paths: `*` and `?` stay within a segment, `**` spans them.

use serde::{Serialize, Serializer};

/// A path pattern. Without a leading `/` it may begin at any segment; with a trailing `/` it takes everything below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathGlob {
    source: String,
    regex_source: String,
}

impl PathGlob {
    /// Reads a pattern.
    pub fn new(source: &str) -> Self {
        let mut body = String::from(if source.starts_with('/') { "^" } else { "^(?:.*/)?" });
        let mut rest = source;
        while let Some(next) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("**/") {
                body.push_str("(?:.*/)?");
                rest = after;
            } else if let Some(after) = rest.strip_prefix("**") {
                body.push_str(".*");
                rest = after;
            } else {
                match next {
                    '*' => body.push_str("[^/]*"),
                    '?' => body.push_str("[^/]"),
                    other => body.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
                }
                rest = &rest[next.len_utf8()..];
            }
        }
        body.push_str(if source.ends_with('/') { ".+$" } else { "$" });
        Self { source: source.to_owned(), regex_source: format!("(?s-u){body}") }
    }

    /// The same as a regular expression over bytes.
    pub fn regex(&self) -> &str {
        &self.regex_source
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl Serialize for PathGlob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_keep_to_segments() {
        let cases = [
            (".git/hooks/*", "/w/.git/hooks/pre-commit", true),
            (".git/hooks/*", "/w/x.git/hooks/pre-commit", false),
            (".git/hooks/*", "/w/.git/hooks/a/b", false),
            (".bashrc", "/home/u/.bashrc", true),
            (".bashrc", "/home/u/x.bashrc", false),
            ("/etc/cron*/**", "/etc/cron.d/x/y", true),
            ("/etc/cron*/**", "/w/etc/cron.d/x", false),
            ("a/**/b", "/a/b", true),
            ("a/**/b", "/a/x/y/b", true),
            ("agentprov/", "/h/agentprov/db", true),
            ("agentprov/", "/h/agentprov", false),
            ("a?c", "/abc", true),
        ];
        for (glob, path, expected) in cases {
            let regex = regex::bytes::Regex::new(PathGlob::new(glob).regex()).expect("a glob compiles");
            assert_eq!(regex.is_match(path.as_bytes()), expected, "{glob} on {path}");
        }
    }
}
