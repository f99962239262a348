//! The fields of a message, taken out one by one, so that what is left is known to have no place.

use agentprov_model::OsBytes;
use agentprov_model::declared::{CommandKey, TextDigest};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Longest text that is kept as it is in a field without a place.
const LONGEST_KEPT: usize = 200;
/// The same inside what a tool was given or gave back: contents of files and answers must not slip through.
const LONGEST_INPUT: usize = 64;
/// Members of an object or array that are kept.
const MOST_MEMBERS: usize = 32;
/// Levels of objects that are kept.
const DEEPEST: usize = 4;
/// Fields that hold what a tool was given or gave back.
/// Fields that hold what people and models say and what files contain, wherever they stand: never kept, however short.
const CONTENT_FIELDS: [&str; 21] = [
    "agent_message",
    "body",
    "content",
    "contents",
    "delta",
    "file_text",
    "initialPrompt",
    "last_assistant_message",
    "message",
    "newString",
    "new_source",
    "new_str",
    "new_string",
    "oldString",
    "old_str",
    "old_string",
    "output",
    "prompt",
    "stderr",
    "stdout",
    "text",
];
const INPUT_FIELDS: [&str; 4] = ["tool_input", "tool_response", "toolArgs", "tool_calls"];

/// What is left of a message.
pub(super) struct Fields<'k> {
    map: Map<String, Value>,
    key: &'k CommandKey,
}

impl<'k> Fields<'k> {
    pub(super) fn parse(message: &[u8], key: &'k CommandKey) -> Result<Self, String> {
        match serde_json::from_slice(message) {
            Ok(Value::Object(map)) => Ok(Self { map, key }),
            Ok(_) => Err("it is JSON, but no object".to_owned()),
            // The text of the error may quote the message.
            Err(error) => Err(format!("no JSON at line {} column {}", error.line(), error.column())),
        }
    }

    pub(super) fn of(map: Map<String, Value>, key: &'k CommandKey) -> Self {
        Self { map, key }
    }

    pub(super) fn key(&self) -> &'k CommandKey {
        self.key
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// A text; a field of another type stays where it is.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        if !self.map.get(name)?.is_string() {
            return None;
        }
        match self.map.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The first text of several names.
    pub(super) fn text_of(&mut self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A text that says something.
    pub(super) fn word(&mut self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty()).map(|text| text.chars().take(LONGEST_KEPT).collect())
    }

    /// A text by hash and length.
    pub(super) fn digest(&mut self, name: &str) -> Option<TextDigest> {
        self.text(name).map(|text| self.key.text(text.as_bytes()))
    }

    /// Any value by hash and length of its text, or of its JSON.
    pub(super) fn digest_value(&mut self, name: &str) -> Option<TextDigest> {
        match self.map.remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(self.key.text(text.as_bytes())),
            other => Some(self.key.text(other.to_string().as_bytes())),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        let set = self.map.get(name).and_then(Value::as_bool);
        if set.is_some() {
            self.map.remove(name);
        }
        set.unwrap_or(false)
    }

    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        let number = self.map.get(name)?;
        let whole = number.as_u64().or_else(|| number.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))?;
        self.map.remove(name);
        Some(whole)
    }

    /// An object, or one that stands as JSON in a text.
    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.map.get(name)? {
            Value::Object(_) => {}
            Value::String(text) => {
                let parsed = serde_json::from_str(text).ok()?;
                self.map.remove(name);
                return Some(parsed);
            }
            _ => return None,
        }
        match self.map.remove(name) {
            Some(Value::Object(map)) => Some(map),
            _ => None,
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        if !self.map.get(name)?.is_array() {
            return None;
        }
        match self.map.remove(name) {
            Some(Value::Array(list)) => Some(list),
            _ => None,
        }
    }

    /// A path, joined to the folder where it is relative.
    pub(super) fn path(&mut self, names: &[&str], cwd: Option<&OsBytes>) -> Option<OsBytes> {
        self.text_of(names).filter(|path| !path.is_empty()).map(|path| absolute(&path, cwd))
    }

    /// Puts back what is left of an object that was taken out.
    pub(super) fn put_back(&mut self, name: &str, left: Fields<'_>) {
        if !left.map.is_empty() {
            self.map.insert(name.to_owned(), Value::Object(left.map));
        }
    }

    /// What no one took: long texts as hash and length.
    pub(super) fn rest(self) -> BTreeMap<String, Value> {
        let key = self.key;
        let kept =
            self.map.into_iter().filter(|(_, value)| !value.is_null()).take(MOST_MEMBERS).map(|(name, value)| {
                let longest = if INPUT_FIELDS.contains(&name.as_str()) { LONGEST_INPUT } else { LONGEST_KEPT };
                {
                    let kept = member(&name, value, longest, 0, key);
                    (short(&name), kept)
                }
            });
        kept.collect()
    }
}

fn short(name: &str) -> String {
    name.chars().take(LONGEST_INPUT).collect()
}

fn member(name: &str, value: Value, longest: usize, depth: usize, key: &CommandKey) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
        Value::String(text) if CONTENT_FIELDS.contains(&name) => hashed(text.as_bytes(), key),
        other if CONTENT_FIELDS.contains(&name) => hashed(other.to_string().as_bytes(), key),
        other => compact(other, longest, depth, key),
    }
}

fn compact(value: Value, longest: usize, depth: usize, key: &CommandKey) -> Value {
    match value {
        Value::String(text) if text.len() > longest => hashed(text.as_bytes(), key),
        Value::Array(items) if depth >= DEEPEST || items.len() > MOST_MEMBERS => {
            hashed(Value::Array(items).to_string().as_bytes(), key)
        }
        Value::Object(map) if depth >= DEEPEST || map.len() > MOST_MEMBERS => {
            hashed(Value::Object(map).to_string().as_bytes(), key)
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| compact(item, longest, depth + 1, key)).collect())
        }
        Value::Object(map) => Value::Object(
            map.into_iter().map(|(name, item)| (short(&name), member(&name, item, longest, depth + 1, key))).collect(),
        ),
        plain => plain,
    }
}

fn hashed(text: &[u8], key: &CommandKey) -> Value {
    let digest = key.text(text);
    json!({"keyed": digest.keyed.to_string(), "bytes": digest.bytes})
}

/// Joins a path to the folder, and takes `.` and `..` out of it by name.
pub(super) fn absolute(path: &str, cwd: Option<&OsBytes>) -> OsBytes {
    let joined = match cwd {
        Some(cwd) if !path.starts_with('/') => format!("{}/{path}", cwd.lossy()),
        _ => path.to_owned(),
    };
    if !joined.starts_with('/') {
        return OsBytes::from(joined);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    OsBytes::from(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_tidied() {
        let cwd = OsBytes::from("/w/p");
        for (path, whole) in [("a/./b", "/w/p/a/b"), ("../x", "/w/x"), ("/a//b/..", "/a"), ("/", "/")] {
            assert_eq!(absolute(path, Some(&cwd)), OsBytes::from(whole));
        }
        assert_eq!(absolute("a/b", None), OsBytes::from("a/b"));
    }

    #[test]
    fn long_texts_are_named_and_not_kept() {
        let key = CommandKey::from_bytes([1; 32]);
        let secret = "s".repeat(LONGEST_KEPT + 1);
        let message = json!({"a": secret, "b": {"c": {"d": {"e": {"f": secret}}}}, "tool_input": {"x": "y".repeat(65)}, "n": null});
        let rest = Fields::parse(message.to_string().as_bytes(), &key).expect("an object").rest();
        let text = serde_json::to_string(&rest).expect("it serialises");
        assert!(!text.contains(&secret) && !text.contains(&"y".repeat(65)), "{text}");
        assert_eq!(rest["a"]["bytes"], 201);
        assert!(!rest.contains_key("n"));
    }
}
