//! A JSON text as nodes with their places in it. Comments and trailing commas are allowed, as agents allow them.

use std::ops::Range;

/// Nesting that no settings file has.
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Object(Vec<Member>),
    List(Vec<Node>),
    Text(String),
    /// A number, `true`, `false` or `null`.
    Plain(serde_json::Value),
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_start: usize,
    pub(crate) value: Node,
}

impl Node {
    /// The member of that name, where this is an object that has one.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.shape {
            Shape::Object(members) => members.iter().find(|member| member.key == key).map(|member| &member.value),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match &self.shape {
            Shape::List(items) => items,
            _ => &[],
        }
    }

    /// Keys of an object, in the order of the text.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.members().iter().map(|member| member.key.as_str())
    }

    /// Values of an object, in the order of the text.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Self> {
        self.members().iter().map(|member| &member.value)
    }

    fn members(&self) -> &[Member] {
        match &self.shape {
            Shape::Object(members) => members,
            _ => &[],
        }
    }

    /// True for an object or list without children.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.shape {
            Shape::Object(members) => members.is_empty(),
            Shape::List(items) => items.is_empty(),
            Shape::Text(_) | Shape::Plain(_) => false,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is(&self, truth: bool) -> bool {
        matches!(self.shape, Shape::Plain(serde_json::Value::Bool(value)) if value == truth)
    }

    /// The value without its place.
    pub(crate) fn value(&self) -> serde_json::Value {
        match &self.shape {
            Shape::Object(members) => members
                .iter()
                .map(|member| (member.key.clone(), member.value.value()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Shape::List(items) => items.iter().map(Self::value).collect::<Vec<_>>().into(),
            Shape::Text(text) => text.as_str().into(),
            Shape::Plain(value) => value.clone(),
        }
    }

    /// Where the children of an object (with their keys) or list stand.
    pub(crate) fn children(&self) -> Vec<Range<usize>> {
        match &self.shape {
            Shape::Object(members) => members.iter().map(|member| member.key_start..member.value.span.end).collect(),
            Shape::List(items) => items.iter().map(|item| item.span.clone()).collect(),
            Shape::Text(_) | Shape::Plain(_) => Vec::new(),
        }
    }
}

/// Why a text is not JSON, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) what: String,
}

impl SyntaxError {
    /// An error at a place, counted in lines and characters from 1.
    pub(crate) fn at(text: &str, offset: usize, what: impl Into<String>) -> Self {
        let before = &text[..floor(text, offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what: what.into(),
        }
    }
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Parses a whole text.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
    parser.blank()?;
    let node = parser.value(0)?;
    parser.blank()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.error("the document ended before this")),
    }
}

/// The first place from `at` that is neither blank nor comment; the text is known to parse.
pub(crate) fn skip_blank(text: &str, at: usize) -> usize {
    let mut parser = Parser { text, at };
    match parser.blank() {
        Ok(()) => parser.at,
        Err(_) => at,
    }
}

/// True where the last thing in a text of blanks, comments and commas is a comment up to the end of its line.
pub(crate) fn ends_in_line_comment(text: &str) -> bool {
    let mut parser = Parser { text, at: 0 };
    let mut found = false;
    while let Some(byte) = parser.peek() {
        let line_comment = parser.rest().starts_with("//");
        if !byte.is_ascii_whitespace() {
            found = line_comment;
        }
        if line_comment {
            parser.at += parser.rest().find('\n').unwrap_or(parser.rest().len());
        } else if parser.rest().starts_with("/*") {
            parser.at += parser.rest().find("*/").map_or(parser.rest().len(), |end| end + 2);
        } else {
            parser.at += 1;
        }
    }
    found
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, what: impl Into<String>) -> SyntaxError {
        SyntaxError::at(self.text, self.at, what)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'/') if self.rest().starts_with("//") => {
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                }
                Some(b'/') if self.rest().starts_with("/*") => {
                    let end = self.rest().find("*/").ok_or_else(|| self.error("this comment does not end"))?;
                    self.at += end + 2;
                }
                _ => return Ok(()),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        let start = self.at;
        let shape = match self.peek() {
            Some(b'{') => Shape::Object(self.members(depth)?),
            Some(b'[') => Shape::List(self.list(depth)?),
            Some(b'"') => Shape::Text(self.string()?),
            Some(_) => self.plain()?,
            None => return Err(self.error("a value is missing: the document ends here")),
        };
        Ok(Node { span: start..self.at, shape })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member>, SyntaxError> {
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        loop {
            self.blank()?;
            match self.peek() {
                Some(b'}') => break,
                Some(b'"') => {}
                _ => return Err(self.error("expected a key in quotes or '}'")),
            }
            let key_start = self.at;
            let key = self.string()?;
            if members.iter().any(|member| member.key == key) {
                return Err(SyntaxError::at(self.text, key_start, format!("the key '{key}' stands twice")));
            }
            self.blank()?;
            if self.peek() != Some(b':') {
                return Err(self.error("expected ':'"));
            }
            self.at += 1;
            self.blank()?;
            let value = self.value(depth + 1)?;
            members.push(Member { key, key_start, value });
            if !self.comma(b'}')? {
                break;
            }
        }
        self.at += 1;
        Ok(members)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, SyntaxError> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank()?;
            if self.peek() == Some(b']') {
                break;
            }
            items.push(self.value(depth + 1)?);
            if !self.comma(b']')? {
                break;
            }
        }
        self.at += 1;
        Ok(items)
    }

    /// Steps over a comma; false where the container closes instead.
    fn comma(&mut self, close: u8) -> Result<bool, SyntaxError> {
        self.blank()?;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => Ok(false),
            _ => Err(self.error(format!("expected ',' or '{}'", char::from(close)))),
        }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(b'\n') | None => return Err(self.error("this text has no closing quote")),
                Some(_) => end += 1,
            }
        }
        self.at = end + 1;
        let raw = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(raw).map_err(|error| SyntaxError::at(self.text, start, reason(&error)))
    }

    fn plain(&mut self) -> Result<Shape, SyntaxError> {
        let start = self.at;
        let ends = |byte: &u8| {
            matches!(byte, b',' | b'}' | b']' | b':' | b'/' | b'"' | b'{' | b'[') || byte.is_ascii_whitespace()
        };
        let length = self.text.as_bytes()[start..].iter().position(ends).unwrap_or(self.text.len() - start);
        if length == 0 {
            return Err(self.error("expected a value"));
        }
        self.at += length;
        let raw = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(raw)
            .map(Shape::Plain)
            .map_err(|_| SyntaxError::at(self.text, start, format!("'{raw}' is no value")))
    }
}

/// The message without the line and column that count from the value's own start.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_trailing_commas_and_a_byte_order_mark_are_allowed() {
        let node = parse("\u{feff}// top\n{\"a\": [1, /* two */ 2,], \"b\": {\"c\": \"x\\n\"},}\n").expect("it parses");
        assert_eq!(node.get("a").expect("a").items().len(), 2);
        assert_eq!(node.get("b").and_then(|b| b.get("c")).and_then(Node::text), Some("x\n"));
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        for (text, place) in [
            ("{\n  \"a\": 1\n  \"b\": 2\n}", "3:3: expected ',' or '}'"),
            ("{\"a\": nil}", "1:7: 'nil' is no value"),
            ("{\"ä\": \"x}", "1:7: this text has no closing quote"),
            ("{\"a\": 1, \"a\": 2}", "1:10: the key 'a' stands twice"),
            ("{} {}", "1:4: the document ended before this"),
            ("[1, /* x", "1:5: this comment does not end"),
            ("{\"a\":", "1:6: a value is missing: the document ends here"),
            ("{\"a\": \"\\q\"}", "1:7: invalid escape"),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), place, "{text}");
        }
        let deep = "[".repeat(100);
        assert!(parse(&deep).expect_err("too deep").what.contains("nested"));
    }
}
