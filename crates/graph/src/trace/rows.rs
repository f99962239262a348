//! Rows of `key=value`, and how they are written.

use crate::timeline::visible_text;
use serde::Serialize;
use std::fmt::Display;

/// A row: keys and values in order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Row(pub Vec<(&'static str, String)>);

impl Row {
    /// An empty row.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more value; empty ones are left out.
    #[must_use]
    pub fn put(mut self, key: &'static str, value: impl Display) -> Self {
        let text = value.to_string();
        if !text.is_empty() {
            self.0.push((key, text));
        }
        self
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }

    /// `key=value` words, one line. A value with blanks or quotes is written as a JSON string.
    pub fn line(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={}", word(value))).collect();
        words.join(" ")
    }
}

fn word(value: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"';
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    serde_json::Value::from(visible_text(value)).to_string()
}

/// Rows under a head.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Section {
    /// The head.
    pub name: &'static str,
    /// The rows.
    pub rows: Vec<Row>,
    /// Rows that were left out.
    pub more: u64,
}

impl Section {
    /// An empty section.
    pub fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new(), more: 0 }
    }

    /// True where another row would be left out.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= super::MOST_ROWS
    }

    /// Adds a row, or counts it where there are too many.
    pub fn push(&mut self, row: Row) {
        if self.is_full() { self.more += 1 } else { self.rows.push(row) }
    }
}

/// The lines of sections: heads, and rows indented below them.
pub fn render(sections: &[Section]) -> Vec<String> {
    let mut lines = Vec::new();
    for section in sections {
        lines.push(format!("{}:", section.name));
        lines.extend(section.rows.iter().map(|row| format!("  {}", row.line())));
        if section.more > 0 {
            lines.push(format!("  more={}", section.more));
        }
    }
    lines
}
