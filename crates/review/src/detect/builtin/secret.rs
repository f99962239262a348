//! Secrets, by form and by entropy.

use super::rule::SecretClause;
use std::ops::Range;

/// Characters of a secret that a message may show; fewer than any alphabet needs to tell one from another.
const SHOWN: usize = 4;
/// A shorter secret shows nothing of itself.
const SHOWN_FROM: usize = 20;

/// Where in the line the secret stands, and what may be said of it.
pub(super) struct Secret {
    pub(super) range: Range<usize>,
    pub(super) description: String,
}

/// The first secret of that form in a line.
pub(super) fn find(clause: &SecretClause, line: &str) -> Option<Secret> {
    clause.regex.captures_iter(line.as_bytes()).find_map(|captures| {
        let range = whole_characters(line, captures.name("secret")?.range());
        let text = line.get(range.clone())?;
        let refused = clause.not_regex.as_ref().is_some_and(|regex| regex.is_match(text.as_bytes()));
        let random = clause.entropy.is_none_or(|least| entropy(text) >= least);
        (random && !refused).then(|| Secret { range, description: describe(clause, text) })
    })
}

/// The expressions match bytes; what they cut is taken whole.
fn whole_characters(line: &str, range: Range<usize>) -> Range<usize> {
    let start = (0..=range.start).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
    let end = (range.end..line.len()).find(|&at| line.is_char_boundary(at)).unwrap_or(line.len());
    start..end
}

/// A known form may show the prefix that names it; what is only known by its entropy shows nothing.
fn describe(clause: &SecretClause, text: &str) -> String {
    let length = text.chars().count();
    if clause.entropy.is_some() || length < SHOWN_FROM {
        return format!("{length} characters");
    }
    let head: String = text.chars().take(SHOWN).collect();
    format!("{head}..., {length} characters")
}

/// Bits per character of a text, taking its own characters for the alphabet.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    let mut total = 0_u32;
    for character in text.chars() {
        *counts.entry(character).or_insert(0_u32) += 1;
        total += 1;
    }
    counts.values().map(|&count| f64::from(count) / f64::from(total)).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::bytes::Regex;

    #[test]
    fn entropy_is_in_bits_per_character() {
        assert!((entropy("aaaa") - 0.0).abs() < 1e-9);
        assert!((entropy("abcd") - 2.0).abs() < 1e-9);
        assert!((entropy("") - 0.0).abs() < 1e-9);
    }

    #[test]
    fn messages_never_show_more_than_the_head() {
        let clause = |entropy| SecretClause { regex: Regex::new("=(?<secret>.+)").unwrap(), not_regex: None, entropy };
        let long = "abcdefghijklmnopqrstuvwxyz";
        assert_eq!(find(&clause(None), &format!("x={long}")).unwrap().description, "abcd..., 26 characters");
        assert_eq!(find(&clause(Some(3.0)), &format!("x={long}")).unwrap().description, "26 characters");
        assert_eq!(find(&clause(None), "x=short").unwrap().description, "5 characters");
        assert!(find(&clause(Some(3.0)), "x=aaaaaaaa").is_none());
    }

    #[test]
    fn no_character_is_cut() {
        assert_eq!(whole_characters("aéb", 2..2), 1..3);
        assert_eq!(whole_characters("aéb", 1..3), 1..3);
        assert_eq!(whole_characters("aé", 0..9), 0..3);
    }
}
