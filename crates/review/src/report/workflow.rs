//! Commands of GitHub workflows: annotations on the lines of a pull request.

use crate::finding::Severity;
use crate::review::{FindingStatus, Review};
use std::fmt::Write;

/// Annotations of one level that GitHub shows of one step.
const MAX_OF_LEVEL: usize = 10;

/// One command a line, the worst first; what would not be shown is counted in a last notice.
pub fn workflow_commands(review: &Review) -> String {
    let mut open: Vec<_> = review.findings.iter().filter(|finding| finding.status == FindingStatus::Open).collect();
    open.sort_by_key(|finding| std::cmp::Reverse(finding.finding.severity));
    let mut shown = [0_usize; 3];
    let mut left = 0;
    let mut text = String::new();
    for reviewed in open {
        let finding = &reviewed.finding;
        let (place, level) = match finding.severity {
            Severity::Critical | Severity::High => (0, "error"),
            Severity::Medium => (1, "warning"),
            Severity::Low => (2, "notice"),
        };
        // One of the notices is kept for the outcome.
        if shown[place] == MAX_OF_LEVEL - usize::from(place == 2) {
            left += 1;
            continue;
        }
        shown[place] += 1;
        let title = format!("{} ({})", finding.rule, finding.severity);
        let message = format!("{}. {}", finding.message.trim_end_matches('.'), finding.help);
        let _ = writeln!(
            text,
            "::{level} file={},line={},endLine={},title={}::{}",
            property(&finding.path),
            finding.line,
            finding.end_line,
            property(&title),
            data(message.trim())
        );
    }
    let more = if left > 0 { format!("; {left} more findings are not shown here") } else { String::new() };
    let message = format!("{}: {}{more}", review.outcome, review.rationale);
    let _ = writeln!(text, "::notice title=agentprov review::{}", data(&message));
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_not_end_a_command_early() {
        assert_eq!(data("a\n::error::b%"), "a%0A::error::b%25");
        assert_eq!(property("a,b:c"), "a%2Cb%3Ac");
    }
}
