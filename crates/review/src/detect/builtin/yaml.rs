//! YAML as JSON values in which every scalar is a text: rule files need no other scalars.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// Nodes in one file, so that a file can't take all memory.
const MAX_NODES: usize = 20_000;
/// Depth of nesting.
const MAX_DEPTH: usize = 16;

/// The first document of a text.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut nodes = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        let at = |what: &str| format!("line {}: {what}", span.start.line());
        nodes += 1;
        if nodes > MAX_NODES || open.len() > MAX_DEPTH {
            return Err(at("the file is too large or too deep"));
        }
        let done = match event {
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Map(entries, _)) => Value::Object(entries),
                None => return Err(at("something ends that did not begin")),
            },
            Event::Alias(_) => return Err(at("aliases are not supported here; write the value out")),
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(done),
            Some(parent) => parent.add(done).map_err(|what| at(&what))?,
        }
    }
    Err("the file is empty".into())
}

enum Open {
    List(Vec<Value>),
    /// With the key that waits for its value.
    Map(Map<String, Value>, Option<String>),
}

impl Open {
    fn add(&mut self, value: Value) -> Result<(), String> {
        match self {
            Self::List(items) => items.push(value),
            Self::Map(entries, waiting) => match waiting.take() {
                Some(key) if entries.contains_key(&key) => return Err(format!("the key '{key}' is there twice")),
                Some(key) => {
                    entries.insert(key, value);
                }
                None => match value {
                    Value::String(key) => *waiting = Some(key),
                    _ => return Err("a key has to be a single value".into()),
                },
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_texts() {
        let parsed = parse("a: 1\nb: [x, 'y']\nc: {d: \"\\x41\"}\n").unwrap();
        assert_eq!(parsed, json!({"a": "1", "b": ["x", "y"], "c": {"d": "A"}}));
    }

    #[test]
    fn mistakes_name_their_line() {
        assert!(parse("a: 1\na: 2\n").unwrap_err().starts_with("line 2: the key 'a' is there twice"));
        assert!(parse("a: &x 1\nb: *x\n").unwrap_err().contains("aliases"));
        assert!(parse("").is_err());
    }
}
