//! The grammars of the built-in engine, and parsing within bounds.

use crate::detect::language::Language;
use ast_grep_core::matcher::PatternBuilder;
use ast_grep_core::tree_sitter::{LanguageExt, StrDoc, TSLanguage};
use ast_grep_core::{AstGrep, Language as AstLanguage, Pattern, PatternError};
use std::borrow::Cow;
use std::ops::ControlFlow;
use tree_sitter::{ParseOptions, Parser};

/// A character that is a letter in Python, Go and Rust, where `$` is none. It stands for `$` in patterns.
const LETTER_FOR_DOLLAR: char = 'µ';
/// Steps of the parser between two calls of its progress callback are fixed, so that counting calls is a budget in
/// work, not in time: the same file is parsed or refused on every machine.
const FREE_PROGRESS_CALLS: usize = 50_000;
const PROGRESS_CALLS_PER_BYTE: usize = 4;

/// A grammar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Grammar {
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Rust,
    Bash,
}

impl Grammar {
    pub(super) const fn of(language: Language) -> Option<Self> {
        match language {
            Language::Python => Some(Self::Python),
            Language::JavaScript => Some(Self::JavaScript),
            Language::TypeScript => Some(Self::TypeScript),
            Language::Tsx => Some(Self::Tsx),
            Language::Go => Some(Self::Go),
            Language::Rust => Some(Self::Rust),
            Language::Shell => Some(Self::Bash),
            Language::Dockerfile | Language::Java | Language::CSharp => None,
        }
    }

    /// A pattern. Go has no expressions outside functions, so that a call is read inside one.
    pub(super) fn pattern(self, text: &str) -> Result<Pattern, PatternError> {
        if self == Self::Go && text.ends_with(')') {
            return Pattern::contextual(&format!("func _() {{ _ = {text} }}"), "call_expression", self);
        }
        Pattern::try_new(text, self)
    }

    /// Parses the text; `None` where that takes too many steps.
    pub(super) fn parse(self, text: &str) -> Option<AstGrep<StrDoc<Self>>> {
        let mut parser = Parser::new();
        parser.set_language(&self.get_ts_language()).ok()?;
        let mut left = FREE_PROGRESS_CALLS + text.len() * PROGRESS_CALLS_PER_BYTE;
        let mut progress = |_: &tree_sitter::ParseState| {
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        let bytes = text.as_bytes();
        let mut read = |offset: usize, _| bytes.get(offset..).unwrap_or_default();
        let tree = parser.parse_with_options(&mut read, None, Some(options))?;
        Some(AstGrep::doc(StrDoc { src: text.to_owned(), lang: self, tree }))
    }
}

impl AstLanguage for Grammar {
    fn pre_process_pattern<'q>(&self, query: &'q str) -> Cow<'q, str> {
        match self.expando_char() {
            '$' => Cow::Borrowed(query),
            letter => Cow::Owned(replace_dollars(query, letter)),
        }
    }

    fn expando_char(&self) -> char {
        match self {
            Self::Python | Self::Go | Self::Rust => LETTER_FOR_DOLLAR,
            Self::JavaScript | Self::TypeScript | Self::Tsx | Self::Bash => '$',
        }
    }

    fn kind_to_id(&self, kind: &str) -> u16 {
        self.get_ts_language().id_for_node_kind(kind, true)
    }

    fn field_to_id(&self, field: &str) -> Option<u16> {
        self.get_ts_language().field_id_for_name(field).map(std::num::NonZero::get)
    }

    fn build_pattern(&self, builder: &PatternBuilder<'_>) -> Result<Pattern, PatternError> {
        builder.build(|source| StrDoc::try_new(source, *self))
    }
}

impl LanguageExt for Grammar {
    fn get_ts_language(&self) -> TSLanguage {
        match self {
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::Bash => tree_sitter_bash::LANGUAGE.into(),
        }
    }
}

/// Writes variables, `$NAME`, `$_` and `$$$`, with a letter instead of the dollar.
fn replace_dollars(query: &str, letter: char) -> String {
    let mut out = String::with_capacity(query.len());
    let mut characters = query.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '$' {
            out.push(character);
            continue;
        }
        let mut dollars = 1;
        while characters.next_if_eq(&'$').is_some() {
            dollars += 1;
        }
        let named = characters.peek().is_some_and(|next| next.is_ascii_uppercase() || *next == '_');
        let written = if named || dollars == 3 { letter } else { '$' };
        out.extend(std::iter::repeat_n(written, dollars));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_lose_their_dollars_and_texts_keep_them() {
        assert_eq!(replace_dollars("f($A, $$$B, $$$, '$1')", 'µ'), "f(µA, µµµB, µµµ, '$1')");
    }

    #[test]
    fn every_grammar_parses_and_matches_its_own_patterns() {
        let calls = [
            (Grammar::Python, "f(a, b)\n", "f($A, $B)"),
            (Grammar::JavaScript, "f(a, b);\n", "f($A, $B)"),
            (Grammar::TypeScript, "f(a as string, b);\n", "f($A, $B)"),
            (Grammar::Tsx, "const x = <p>{f(a, b)}</p>;\n", "f($A, $B)"),
            (Grammar::Go, "package p\nfunc g() { x := f(a, b); _ = x }\n", "f($A, $B)"),
            (Grammar::Rust, "fn g() { f(a, b); }\n", "f($A, $B)"),
            (Grammar::Bash, "f a b\n", "f $A $B"),
        ];
        for (grammar, code, pattern) in calls {
            let root = grammar.parse(code).unwrap();
            let pattern = grammar.pattern(pattern).unwrap();
            assert!(root.root().find(&pattern).is_some(), "{grammar:?}");
        }
    }
}
