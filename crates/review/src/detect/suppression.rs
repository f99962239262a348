//! Comments by which an author asks scanners to keep quiet.
//!
//! They silence nothing here. A finding near one says so, and the comment itself is a finding of its own rule.

use crate::finding::AuthorSuppression;
use crate::lines::LineNumber;
use regex::Regex;
use std::sync::LazyLock;

/// Words that silence their own line, or the next one. Those that leave lines out of a count of coverage silence no scanner.
static MARKERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?:#|//|/\*|<!--|--)[^\n]*?\b(?P<marker>nosemgrep|nosem|nosec|noqa|nolint|noinspection|gosec:disable",
        r"|lgtm|eslint-disable(?:-next-line|-line)?|biome-ignore|ts-ignore|ts-expect-error|ts-nocheck",
        r"|type:\s*ignore|pylint:\s*disable|pyright:\s*ignore|shellcheck\s+disable|hadolint\s+ignore|trivy:ignore",
        r"|checkov:skip|gitleaks:allow|pragma:\s*allowlist\s+secret)\b",
        r"|(?P<attribute>#!?\[\s*allow\s*\()",
    ))
    .ok()
});

/// The marker in a line.
pub(super) fn marker(line: &str) -> Option<String> {
    let found = MARKERS.as_ref()?.captures(line)?;
    if found.name("attribute").is_some() {
        return Some("allow".into());
    }
    found.name("marker").map(|marker| marker.as_str().to_ascii_lowercase())
}

/// The suppression that covers lines, first in them, then in a comment on the line before.
pub(super) fn covering<'t>(
    first: LineNumber,
    last: LineNumber,
    line_at: impl Fn(LineNumber) -> &'t str,
) -> Option<AuthorSuppression> {
    let own = (first.index()..=last.index()).take(MAX_LINES);
    let before = first.index().checked_sub(1);
    let found = |line: LineNumber| Some(AuthorSuppression { marker: marker(line_at(line))?, line });
    own.map(LineNumber::after).find_map(found).or_else(|| {
        let line = LineNumber::after(before?);
        let text = line_at(line).trim_start();
        ["#", "//", "/*", "<!--", "--"].iter().any(|mark| text.starts_with(mark)).then(|| found(line))?
    })
}

/// Lines of a finding that are looked at.
const MAX_LINES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_of_many_tools_are_known() {
        for (line, expected) in [
            ("x = eval(y)  # nosec B307", "nosec"),
            ("import os  # noqa: F401", "noqa"),
            ("// eslint-disable-next-line no-eval", "eslint-disable-next-line"),
            ("x: int = y  # type: ignore[assignment]", "type: ignore"),
            ("#[allow(dead_code)]", "allow"),
            ("foo() // nosemgrep: a.b", "nosemgrep"),
        ] {
            assert_eq!(marker(line).as_deref(), Some(expected), "{line}");
        }
        for line in ["nosec = 1", "x = 1  # a nosecond word", "allow(x)", "/* istanbul ignore next */"] {
            assert_eq!(marker(line), None, "{line}");
        }
    }

    #[test]
    fn the_line_before_counts_too() {
        let lines = ["# nosemgrep", "eval(x)", "", "eval(y)"];
        let at = |number: usize| {
            let line = LineNumber::new(number).unwrap();
            covering(line, line, |line| lines.get(line.index()).copied().unwrap_or_default())
        };
        assert_eq!(at(2).map(|found| found.line), LineNumber::new(1));
        assert_eq!(at(4), None);
        let lines = ["eval(x)  # nosec", "eval(y)"];
        let second = LineNumber::after(1);
        assert_eq!(covering(second, second, |line| lines[line.index()]), None);
    }
}
