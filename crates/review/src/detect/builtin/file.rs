//! One file through all rules.

use super::dockerfile;
use super::encoding;
use super::grammar::Grammar;
use super::pack::RulePack;
use super::rule::Rule;
use super::secret;
use super::tree::Hit;
use crate::detect::gap::{CoverageGap, GapReason};
use crate::detect::input::ScanFile;
use crate::detect::language::{self, Language, Spoken};
use crate::detect::registry::Scan;
use crate::detect::suppression;
use crate::detect::text::{Text, words};
use crate::finding::{Finding, Fingerprint};
use crate::lines::{LineNumber, LineSet};
use regex::bytes::Regex;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A larger file is not parsed; rules on text are applied to it all the same.
const MAX_PARSED_BYTES: usize = 4 << 20;
/// Findings of one rule that are kept of one file. A limit per rule, so that many of one can't push out another.
const MAX_PER_RULE: usize = 100;

/// Scans one file.
pub(super) fn scan(pack: &RulePack, file: &ScanFile) -> Scan {
    let text = Text::decode(&file.bytes);
    let changed =
        if text.recoded && !file.changed_lines.is_empty() { LineSet::all() } else { file.changed_lines.clone() };
    let mut scanner =
        FileScan { pack, file, text: &text, changed, matches: Vec::new(), counts: BTreeMap::new(), gaps: Vec::new() };
    scanner.run();
    scanner.finish()
}

/// A match before it becomes a finding.
struct Match {
    rule: usize,
    range: Range<usize>,
    /// What of the content names it.
    content: String,
    /// Which of several with that content in the file.
    ordinal: u32,
    /// Added to the message.
    detail: Option<String>,
    /// Found on a line that a grammar may have covered too.
    fallback: bool,
}

struct FileScan<'s> {
    pack: &'s RulePack,
    file: &'s ScanFile,
    text: &'s Text,
    changed: LineSet,
    matches: Vec<Match>,
    /// Matches by rule, those that were not kept too.
    counts: BTreeMap<usize, usize>,
    gaps: Vec<GapReason>,
}

impl FileScan<'_> {
    fn run(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        if self.text.binary && !encoding::is_known_binary(&self.file.path, &self.file.bytes) {
            self.gaps.push(GapReason::Binary);
        }
        if encoding::is_large_file_pointer(&self.file.bytes) {
            self.gaps.push(GapReason::ContentAbsent);
            return;
        }
        if self.file.fragment {
            self.gaps.push(GapReason::Fragment);
        }
        match language::of_file(self.file) {
            Spoken::Languages(languages) => languages.into_iter().for_each(|language| self.run_language(language)),
            Spoken::Prose => self.run_lines(&[]),
            Spoken::Unsupported(name) => {
                self.missing_rules(GapReason::UnsupportedLanguage { language: name });
            }
            Spoken::Unknown => self.missing_rules(GapReason::UnknownLanguage),
        }
        self.run_secrets();
    }

    fn missing_rules(&mut self, gap: GapReason) {
        if self.text.binary {
            return self.run_fallback(|_| true);
        }
        if self.text.text.trim().is_empty() || encoding::is_known_binary(&self.file.path, &self.file.bytes) {
            return;
        }
        self.gaps.push(gap);
        self.run_lines(&[]);
        self.run_fallback(|_| true);
    }

    fn run_language(&mut self, language: Language) {
        self.run_lines(&[language]);
        match (Grammar::of(language), language) {
            (Some(grammar), _) => self.run_grammar(grammar, language),
            (None, Language::Dockerfile) => self.run_dockerfile(),
            (None, _) => {
                self.gaps.push(GapReason::UnsupportedLanguage { language: language.to_string() });
                self.run_fallback(|_| true);
            }
        }
    }

    fn run_grammar(&mut self, grammar: Grammar, language: Language) {
        if language == Language::Python
            && let Some(name) = encoding::foreign_encoding(&self.text.text)
        {
            self.gaps.push(GapReason::Encoding { name });
        }
        if self.text.text.len() > MAX_PARSED_BYTES {
            let size = self.file.bytes.len() as u64;
            self.gaps.push(GapReason::TooLarge { size, limit: MAX_PARSED_BYTES as u64 });
            return self.run_fallback(|rule| rule.reads(grammar));
        }
        let rules = match self.pack.trees(grammar) {
            Ok(rules) => rules,
            Err(error) => {
                self.gaps.push(GapReason::EngineFailed { detail: error.to_string() });
                return self.run_fallback(|rule| rule.reads(grammar));
            }
        };
        let script = matches!(grammar, Grammar::JavaScript | Grammar::TypeScript | Grammar::Tsx);
        let source = self.text.with_line_ends(script || grammar == Grammar::Python, script);
        let Some(root) = grammar.parse(&source) else {
            self.gaps.push(GapReason::TooComplex);
            return self.run_fallback(|rule| rule.reads(grammar));
        };
        let walk = rules.walk(&root);
        self.take_hits(walk.hits);
        if walk.given_up {
            self.gaps.push(GapReason::TooComplex);
            return self.run_fallback(|rule| rule.reads(grammar));
        }
        if let Some(gap) = self.syntax_gap(&walk.errors) {
            if !self.file.fragment {
                self.gaps.push(gap);
            }
            self.run_fallback(|rule| rule.reads(grammar));
        }
    }

    /// The lines of the first and the last error.
    fn syntax_gap(&self, errors: &[Range<usize>]) -> Option<GapReason> {
        let start = errors.iter().map(|error| error.start).min()?;
        let end = errors.iter().map(|error| error.end.max(error.start + 1) - 1).max()?;
        Some(GapReason::SyntaxError { line: self.text.line_of(start), end_line: self.text.line_of(end) })
    }

    fn take_hits(&mut self, hits: Vec<Hit>) {
        let mut seen: BTreeMap<(usize, String), u32> = BTreeMap::new();
        let text = self.text;
        for hit in hits {
            let content = text.text.get(hit.range.clone()).unwrap_or_default();
            let count = seen.entry((hit.rule, words(content))).or_insert(0);
            let ordinal = *count;
            *count += 1;
            if self.is_changed(&hit.range) {
                let (content, range) = (content.to_owned(), hit.range);
                self.push(Match { rule: hit.rule, range, content, ordinal, detail: None, fallback: false });
            }
        }
    }

    fn run_dockerfile(&mut self) {
        let instructions = dockerfile::instructions(&self.text.text);
        let mut hits = Vec::new();
        for (rule, at) in self.pack.rules().iter().zip(0..) {
            for clause in &rule.matches.instructions {
                hits.extend(
                    dockerfile::matches(clause, &instructions).into_iter().map(|range| Hit { rule: at, range }),
                );
            }
        }
        hits.sort_by_key(|hit| (hit.range.start, hit.rule));
        hits.dedup();
        self.take_hits(hits);
    }

    /// Rules on lines: those for every file, and those for these languages.
    fn run_lines(&mut self, languages: &[Language]) {
        let pack = self.pack;
        for (rule, at) in pack.rules().iter().zip(0..) {
            for clause in rule.matches.lines.iter().filter(|clause| clause.is_about(&self.file.path, languages)) {
                self.match_lines(at, false, &clause.regex);
            }
        }
    }

    /// What rules on trees have for lines without one.
    fn run_fallback(&mut self, applies: impl Fn(&Rule) -> bool) {
        let pack = self.pack;
        for (rule, at) in pack.rules().iter().zip(0..).filter(|(rule, _)| applies(rule)) {
            for regex in &rule.matches.fallback {
                self.match_lines(at, true, regex);
            }
        }
    }

    fn match_lines(&mut self, rule: usize, fallback: bool, regex: &Regex) {
        let find = |line: &str| regex.find(line.as_bytes()).map(|found| found.range());
        let lines = self.changed_lines(regex);
        for line in lines {
            let Some(found) = find(self.text.line(line)) else { continue };
            let content = self.text.line(line).trim().to_owned();
            self.push_line(rule, line, found, content, None, fallback);
        }
    }

    fn run_secrets(&mut self) {
        let pack = self.pack;
        for (rule, at) in pack.rules().iter().zip(0..) {
            for clause in &rule.matches.secrets {
                for line in self.changed_lines(&clause.regex) {
                    let text = self.text.line(line);
                    let Some(secret) = secret::find(clause, text) else { continue };
                    // With the secret in it, as waiving one must not waive the next; only the digest of it is kept.
                    let content = text.trim().to_owned();
                    self.push_line(at, line, secret.range, content, Some(secret.description), false);
                }
            }
        }
    }

    fn push_line(
        &mut self,
        rule: usize,
        line: LineNumber,
        found: Range<usize>,
        content: String,
        detail: Option<String>,
        fallback: bool,
    ) {
        let start = self.text.line_range(line).start;
        let range = start + found.start..start + found.end.max(found.start + 1);
        let ordinal = self.text.ordinal(line);
        self.push(Match { rule, range, content, ordinal, detail, fallback });
    }

    fn push(&mut self, found: Match) {
        let count = self.counts.entry(found.rule).or_insert(0);
        *count += 1;
        if *count <= MAX_PER_RULE {
            self.matches.push(found);
        }
    }

    /// The changed lines that the file has, without those of ranges in which the expression matches nowhere.
    fn changed_lines(&self, regex: &Regex) -> Vec<LineNumber> {
        let count = self.text.line_count();
        let lines = |range: &(LineNumber, LineNumber)| range.0.index()..(range.1.index() + 1).min(count);
        let matches = |lines: &Range<usize>| {
            let text = self.text.lines(LineNumber::after(lines.start), LineNumber::after(lines.end.saturating_sub(1)));
            regex.is_match(text.as_bytes())
        };
        self.changed.ranges().iter().map(lines).filter(matches).flatten().map(LineNumber::after).collect()
    }

    fn is_changed(&self, range: &Range<usize>) -> bool {
        let last = range.end.max(range.start + 1) - 1;
        self.changed.overlaps(self.text.line_of(range.start), self.text.line_of(last))
    }

    fn finish(mut self) -> Scan {
        let matches = self.settled();
        let mut used = BTreeSet::new();
        let findings: Vec<Finding> = matches.iter().filter_map(|found| self.finding(found, &mut used)).collect();
        if self.counts.values().any(|&count| count > MAX_PER_RULE) {
            self.gaps.push(GapReason::TooManyFindings { limit: MAX_PER_RULE as u64 });
        }
        let path = &self.file.path;
        let gap = |reason| CoverageGap { path: Some(path.clone()), engine: super::ENGINE, reason };
        Scan { findings, gaps: self.gaps.into_iter().map(gap).collect() }
    }

    /// By place; without what a tree has told already, and of matches of a rule in each other the first.
    fn settled(&mut self) -> Vec<Match> {
        let mut matches = std::mem::take(&mut self.matches);
        matches.sort_by_key(|found| (found.range.start, found.rule, found.fallback, found.range.end));
        let by_tree: BTreeSet<(usize, LineNumber)> =
            matches.iter().filter(|found| !found.fallback).map(|found| (found.rule, self.span(found).1)).collect();
        let mut last: BTreeMap<usize, (LineNumber, usize)> = BTreeMap::new();
        matches.retain(|found| {
            let (rule, line, _) = self.span(found);
            let told = found.fallback && by_tree.contains(&(rule, line));
            let within = last.get(&rule).is_some_and(|&(first, end)| first == line && found.range.start <= end);
            if !told && !within {
                last.insert(rule, (line, found.range.end));
            }
            !told && !within
        });
        matches
    }

    fn span(&self, found: &Match) -> (usize, LineNumber, LineNumber) {
        let last = found.range.end.max(found.range.start + 1) - 1;
        (found.rule, self.text.line_of(found.range.start), self.text.line_of(last))
    }

    /// No two findings of a file share a fingerprint, or one of them would be taken for the other.
    fn finding(&self, found: &Match, used: &mut BTreeSet<Fingerprint>) -> Option<Finding> {
        let rule = self.pack.rules().get(found.rule)?;
        let fingerprint = (found.ordinal..)
            .map(|ordinal| Fingerprint::of(&rule.id, &self.file.path, &found.content, ordinal))
            .find(|fingerprint| !used.contains(fingerprint))?;
        used.insert(fingerprint);
        let (_, line, end_line) = self.span(found);
        let message = match &found.detail {
            Some(detail) => Cow::Owned(format!("{} ({detail})", rule.message)),
            None => Cow::Borrowed(rule.message.as_str()),
        };
        Some(Finding {
            rule: rule.id.clone(),
            rule_version: rule.version.clone(),
            category: rule.category.clone(),
            severity: rule.severity,
            cwe: rule.cwe,
            engine: super::ENGINE,
            message: message.into_owned(),
            help: rule.help.clone(),
            path: self.file.path.clone(),
            line,
            end_line,
            start_column: self.text.column_of(found.range.start),
            end_column: self.text.column_of(found.range.end.max(found.range.start + 1) - 1) + 1,
            fingerprint,
            suppressed_by_author: suppression::covering(line, end_line, |line| self.text.line(line)),
        })
    }
}
