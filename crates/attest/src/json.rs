//! JSON that has one meaning: no name twice in an object, nothing after the end, limits on depth and size.

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The longest document that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// Why a document is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonError {
    /// It ends in the middle.
    #[error("it ends in the middle of the document: {0}")]
    Truncated(String),
    /// It is no JSON, or is ambiguous.
    #[error("{0}")]
    Malformed(String),
    /// More bytes than are read.
    #[error("{0} bytes, more than {MAX_BYTES}")]
    TooLong(usize),
}

/// Reads one document.
///
/// # Errors
/// [`JsonError`], which tells a document that was cut from one that is wrong.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.len() > MAX_BYTES {
        return Err(JsonError::TooLong(bytes.len()));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Unambiguous.deserialize(&mut reader).map_err(refusal)?;
    reader.end().map_err(refusal)?;
    Ok(value)
}

fn refusal(error: serde_json::Error) -> JsonError {
    if error.is_eof() { JsonError::Truncated(error.to_string()) } else { JsonError::Malformed(error.to_string()) }
}

/// Reads a value and refuses objects with a name twice. The depth is limited by the reader (128).
struct Unambiguous;

impl<'de> DeserializeSeed<'de> for Unambiguous {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Unambiguous)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Unambiguous)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the name {name:?} stands twice in one object")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_is_refused_at_any_depth() {
        assert!(parse(br#"{"a":1,"b":{"a":1}}"#).is_ok());
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"\u0061":2}}]"#] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn cut_is_not_wrong() {
        let text = br#"{"a":["b",1.5,null,true]}"#;
        for end in 0..text.len() {
            assert!(matches!(parse(&text[..end]), Err(JsonError::Truncated(_))), "{end}");
        }
        for wrong in [&b"{} {}"[..], b"{}x", b"{,}", b"\xff", b"{\"a\":NaN}"] {
            assert!(matches!(parse(wrong), Err(JsonError::Malformed(_))));
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(parse(deep.as_bytes()), Err(JsonError::Malformed(_))));
    }
}
