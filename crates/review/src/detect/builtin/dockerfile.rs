//! Instructions of a Dockerfile.

use super::rule::InstructionClause;
use std::ops::Range;

/// One instruction with its continuation lines and here-documents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Instruction {
    /// In upper case.
    pub(super) keyword: String,
    /// The rest, continuations joined by blanks, comments between them left out.
    pub(super) rest: String,
    pub(super) range: Range<usize>,
}

/// Reads a Dockerfile. What is not an instruction is left out; its lines are in none of the ranges.
pub(super) fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape_character(text);
    let mut found = Vec::new();
    let mut lines = Lines { text, at: 0 };
    while let Some((start, line)) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (keyword, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        let mut rest = rest.trim().to_owned();
        let mut end = start + line.trim_end().len();
        let mut first = keyword.to_owned();
        if rest.is_empty() {
            // `RUN\` has the continuation at the keyword itself.
            if let Some(word) = first.strip_suffix(escape) {
                first = word.to_owned();
                rest.push(escape);
            }
        }
        while let Some(body) = rest.strip_suffix(escape).map(str::len) {
            rest.truncate(body);
            let Some((at, next)) = lines.next() else { break };
            end = at + next.trim_end().len();
            let next = next.trim();
            if next.is_empty() || next.starts_with('#') {
                rest.push(escape);
            } else {
                rest.push(' ');
                rest.push_str(next);
            }
        }
        for delimiter in here_documents(&rest) {
            while let Some((at, next)) = lines.next() {
                end = at + next.trim_end().len();
                if next.trim() == delimiter {
                    break;
                }
                rest.push('\n');
                rest.push_str(next.trim());
            }
        }
        found.push(Instruction { keyword: first.to_ascii_uppercase(), rest, range: start..end });
    }
    found
}

/// Where a clause matches.
pub(super) fn matches(clause: &InstructionClause, instructions: &[Instruction]) -> Vec<Range<usize>> {
    if let Some(missing) = &clause.last_stage_lacks {
        let last = instructions.iter().rposition(|instruction| instruction.keyword == "FROM");
        let stage = last.and_then(|at| instructions.get(at..)).unwrap_or_default();
        let lacks = !stage.iter().any(|instruction| instruction.keyword == *missing);
        return stage.first().filter(|_| lacks).map(|from| from.range.clone()).into_iter().collect();
    }
    let regex = |text: &str| clause.regex.as_ref().is_none_or(|regex| regex.is_match(text.as_bytes()));
    let not_regex = |text: &str| clause.not_regex.as_ref().is_some_and(|regex| regex.is_match(text.as_bytes()));
    instructions
        .iter()
        .filter(|instruction| clause.keywords.contains(&instruction.keyword))
        .filter(|instruction| regex(&instruction.rest) && !not_regex(&instruction.rest))
        .map(|instruction| instruction.range.clone())
        .collect()
}

/// `# escape=` in a leading comment sets it.
fn escape_character(text: &str) -> char {
    let comments = text.lines().map(str::trim).take_while(|line| line.starts_with('#'));
    let directive = comments
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("escape"));
    if directive.is_some_and(|(_, value)| value.trim() == "`") { '`' } else { '\\' }
}

/// The words that end the here-documents of an instruction.
fn here_documents(rest: &str) -> Vec<String> {
    rest.split("<<")
        .skip(1)
        .filter_map(|after| {
            let word = after.strip_prefix('-').unwrap_or(after);
            let word: String =
                word.trim_start_matches(['"', '\'']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            (!word.is_empty()).then_some(word)
        })
        .collect()
}

struct Lines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lines<'t> {
    fn next(&mut self) -> Option<(usize, &'t str)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let start = self.at;
        let length = rest.find('\n').unwrap_or(rest.len());
        self.at += length + 1;
        Some((start, rest.get(..length)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        instructions(text).into_iter().map(|found| (found.keyword, found.rest)).collect()
    }

    #[test]
    fn continuations_are_joined_and_comments_left_out() {
        let text = "# syntax=x\nFROM a:1\nrun curl x \\\n  # why\n\n  | sh\nRUN\\\n ls\n";
        let expected = [("FROM", "a:1"), ("RUN", "curl x  | sh"), ("RUN", " ls")];
        assert_eq!(read(text), expected.map(|(keyword, rest)| (keyword.to_owned(), rest.to_owned())));
        let run = &instructions(text)[1];
        assert_eq!(text.get(run.range.clone()).unwrap().lines().count(), 4);
    }

    #[test]
    fn here_documents_belong_to_their_instruction() {
        let read = read("RUN <<EOF\ncurl x\nEOF\nUSER a\n");
        assert_eq!(read[0].1, "<<EOF\ncurl x");
        assert_eq!(read[1].0, "USER");
    }

    #[test]
    fn the_escape_character_can_be_set() {
        assert_eq!(read("# escape=`\nRUN a `\n b\n")[0].1, "a  b");
        assert_eq!(read("RUN a \\")[0].1, "a ");
    }
}
