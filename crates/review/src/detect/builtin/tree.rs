//! Rules on syntax trees: all clauses of one grammar, applied in one walk.

use super::grammar::Grammar;
use super::rule::{Rule, optional, regex};
use super::spec::{ClauseSpec, NodeSpec};
use ast_grep_core::matcher::MatcherExt;
use ast_grep_core::tree_sitter::{LanguageExt, StrDoc};
use ast_grep_core::{AstGrep, Language as _, Matcher, Node, Pattern};
use regex::bytes::Regex;
use std::collections::HashMap;
use std::ops::Range;

type Tree<'t> = Node<'t, StrDoc<Grammar>>;

/// Kinds of nodes that can't tell anything about deeper ones are not looked into beyond this.
const MAX_ANCESTORS: usize = 64;

/// The clauses of a grammar, by the kind of node at which they can match.
pub(super) struct TreeRules {
    clauses: Vec<TreeClause>,
    by_kind: HashMap<u16, Vec<usize>>,
    everywhere: Vec<usize>,
}

struct TreeClause {
    rule: usize,
    pattern: Option<Pattern>,
    regex: Option<Regex>,
    not_regex: Option<Regex>,
    has: Option<NodeTest>,
    not_has: Option<NodeTest>,
    inside: Option<NodeTest>,
    not_inside: Option<NodeTest>,
    conditions: Vec<(String, Regex, bool)>,
}

struct NodeTest {
    /// Empty: any.
    kinds: Vec<u16>,
    regex: Option<Regex>,
}

/// Bytes of nodes that clauses may look at, per file and per byte of the file. Nodes lie in each other, so that a text
/// made for it has nodes whose lengths add up to its square.
const FREE_BYTES: usize = 8 << 20;
const BYTES_PER_BYTE: usize = 200;
/// What a pattern may look at before it gives up is a few nodes.
const PATTERN_BYTES: usize = 64;

/// Where a rule matched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hit {
    /// Its place in the pack.
    pub(super) rule: usize,
    pub(super) range: Range<usize>,
}

/// What a walk over a tree gives.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) hits: Vec<Hit>,
    /// Where the text does not follow the grammar.
    pub(super) errors: Vec<Range<usize>>,
    /// It ended before the text did.
    pub(super) given_up: bool,
}

impl TreeRules {
    /// Compiles the clauses of all rules for one grammar.
    pub(super) fn compile(rules: &[Rule], grammar: Grammar) -> Result<Self, (usize, String)> {
        let mut compiled = Self { clauses: Vec::new(), by_kind: HashMap::new(), everywhere: Vec::new() };
        for (at, rule) in rules.iter().enumerate() {
            for (grammars, clause) in &rule.matches.trees {
                if grammars.contains(&grammar) {
                    compiled.add(at, clause, grammar).map_err(|mistake| (at, mistake))?;
                }
            }
        }
        Ok(compiled)
    }

    fn add(&mut self, rule: usize, clause: &ClauseSpec, grammar: Grammar) -> Result<(), String> {
        for text in clause.pattern.as_slice() {
            let pattern = grammar.pattern(text).map_err(|error| format!("pattern '{text}': {error}"))?;
            if pattern.has_error() {
                return Err(format!("pattern '{text}' is not valid {grammar:?}"));
            }
            let kinds =
                pattern.potential_kinds().map(|set| set.iter().filter_map(|kind| u16::try_from(kind).ok()).collect());
            self.push(TreeClause::new(rule, Some(pattern), clause, grammar)?, kinds);
        }
        if !clause.kind.as_slice().is_empty() {
            let kinds = kind_ids(clause.kind.as_slice(), grammar)?;
            self.push(TreeClause::new(rule, None, clause, grammar)?, Some(kinds));
        }
        Ok(())
    }

    fn push(&mut self, clause: TreeClause, kinds: Option<Vec<u16>>) {
        let at = self.clauses.len();
        self.clauses.push(clause);
        match kinds {
            Some(kinds) => kinds.into_iter().for_each(|kind| self.by_kind.entry(kind).or_default().push(at)),
            None => self.everywhere.push(at),
        }
    }

    /// All matches in a tree, in order of their start; of nested ones of a rule that start in one line, the outermost.
    pub(super) fn walk(&self, root: &AstGrep<StrDoc<Grammar>>) -> Walk {
        let mut walk = Walk::default();
        let text = root.get_text();
        let mut left = FREE_BYTES + text.len() * BYTES_PER_BYTE;
        let mut last: HashMap<usize, Range<usize>> = HashMap::new();
        for node in root.root().dfs() {
            if node.is_error() || node.is_missing() {
                walk.errors.push(node.range());
            }
            let candidates = self.by_kind.get(&node.kind_id()).into_iter().flatten().chain(&self.everywhere);
            for clause in candidates.filter_map(|&at| self.clauses.get(at)) {
                let range = node.range();
                let cost = if clause.pattern.is_some() { range.len().min(PATTERN_BYTES) } else { range.len() };
                let Some(rest) = left.checked_sub(cost) else {
                    walk.given_up = true;
                    return walk;
                };
                left = rest;
                if last.get(&clause.rule).is_some_and(|outer| covers(outer, &range, text)) || !clause.matches(&node) {
                    continue;
                }
                last.insert(clause.rule, range.clone());
                walk.hits.push(Hit { rule: clause.rule, range });
            }
        }
        walk
    }
}

/// Whether the inner range is part of the outer one and starts in its first line.
fn covers(outer: &Range<usize>, inner: &Range<usize>, text: &str) -> bool {
    let within = outer.start <= inner.start && inner.end <= outer.end;
    within && !text.as_bytes().get(outer.start..inner.start).is_some_and(|between| between.contains(&b'\n'))
}

impl TreeClause {
    fn new(rule: usize, pattern: Option<Pattern>, clause: &ClauseSpec, grammar: Grammar) -> Result<Self, String> {
        let mut conditions = Vec::new();
        for (wanted, texts) in [(true, &clause.conditions), (false, &clause.where_not)] {
            for (variable, text) in texts {
                let known = pattern.as_ref().is_some_and(|pattern| pattern.defined_vars().contains(variable.as_str()));
                if !known {
                    return Err(format!("the pattern has no variable '{variable}'"));
                }
                conditions.push((variable.clone(), regex(text)?, wanted));
            }
        }
        Ok(Self {
            rule,
            pattern,
            regex: optional(&clause.regex)?,
            not_regex: optional(&clause.not_regex)?,
            has: NodeTest::compile(&clause.has, grammar)?,
            not_has: NodeTest::compile(&clause.not_has, grammar)?,
            inside: NodeTest::compile(&clause.inside, grammar)?,
            not_inside: NodeTest::compile(&clause.not_inside, grammar)?,
            conditions,
        })
    }

    fn matches(&self, node: &Tree<'_>) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| self.pattern_matches(pattern, node))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(node.text().as_bytes()))
            && !self.not_regex.as_ref().is_some_and(|regex| regex.is_match(node.text().as_bytes()))
            && self.has.as_ref().is_none_or(|test| test.is_within(node))
            && !self.not_has.as_ref().is_some_and(|test| test.is_within(node))
            && self.inside.as_ref().is_none_or(|test| test.is_around(node))
            && !self.not_inside.as_ref().is_some_and(|test| test.is_around(node))
    }

    fn pattern_matches(&self, pattern: &Pattern, node: &Tree<'_>) -> bool {
        let Some(found) = pattern.match_node(node.clone()) else { return false };
        let env = found.get_env();
        self.conditions.iter().all(|(variable, regex, wanted)| {
            let matches = match env.get_match(variable) {
                Some(one) => regex.is_match(one.text().as_bytes()),
                None => regex.is_match(joined(&env.get_multiple_matches(variable)).as_bytes()),
            };
            matches == *wanted
        })
    }
}

/// The text from the first to the last of several nodes.
fn joined(nodes: &[Tree<'_>]) -> String {
    nodes.iter().map(Node::text).collect()
}

impl NodeTest {
    fn compile(spec: &Option<NodeSpec>, grammar: Grammar) -> Result<Option<Self>, String> {
        let Some(spec) = spec else { return Ok(None) };
        Ok(Some(Self { kinds: kind_ids(spec.kind.as_slice(), grammar)?, regex: optional(&spec.regex)? }))
    }

    fn accepts(&self, node: &Tree<'_>) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&node.kind_id()))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(node.text().as_bytes()))
    }

    fn is_within(&self, node: &Tree<'_>) -> bool {
        node.dfs().skip(1).any(|inner| self.accepts(&inner))
    }

    fn is_around(&self, node: &Tree<'_>) -> bool {
        std::iter::successors(node.parent(), Node::parent).take(MAX_ANCESTORS).any(|outer| self.accepts(&outer))
    }
}

/// Ids of kinds. A grammar may have several with one name, and lack a kind that its relative has.
fn kind_ids(names: &[String], grammar: Grammar) -> Result<Vec<u16>, String> {
    let language = grammar.get_ts_language();
    let count = u16::try_from(language.node_kind_count()).unwrap_or(u16::MAX);
    let ids: Vec<u16> = (0..count)
        .filter(|&id| language.node_kind_is_named(id))
        .filter(|&id| language.node_kind_for_id(id).is_some_and(|kind| names.iter().any(|name| name == kind)))
        .collect();
    if let Some(unknown) = names.iter().find(|name| grammar.kind_to_id(name) == 0) {
        return Err(format!("{grammar:?} has no kind of node '{unknown}'"));
    }
    Ok(ids)
}
