//! Strict JSON for rows that strangers wrote: no doubled keys, bounded depth, integers as integers.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// A JSON value that borrows from its text where it can.
#[derive(Clone, PartialEq, Debug)]
pub enum Json<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number that fits 64 bits; wide enough for both signs.
    Integer(i128),
    /// Any other number. Never used where an integer is meant.
    Float(f64),
    /// A string.
    Text(Cow<'t, str>),
    /// An array.
    Array(Vec<Json<'t>>),
    /// An object, in the order of its keys in the text.
    Object(Members<'t>),
}

/// Members of an object. Receivers ask for many keys that a row does not have.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Members<'t> {
    list: Vec<(Cow<'t, str>, Json<'t>)>,
    /// A bit for each key: where a key's bit is missing, the key is.
    marks: u64,
}

/// The bit of a key.
fn mark(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let end = |byte: Option<&u8>| byte.copied().unwrap_or_default() as usize;
    1 << ((bytes.len() * 7 + end(bytes.first()) + 3 * end(bytes.last())) % 64)
}

impl<'t> Members<'t> {
    fn get(&self, key: &str) -> Option<&Json<'t>> {
        if self.marks & mark(key) == 0 {
            return None;
        }
        self.list.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = &(Cow<'t, str>, Json<'t>)> {
        self.list.iter()
    }
}

impl<'t> From<Vec<(Cow<'t, str>, Json<'t>)>> for Members<'t> {
    fn from(list: Vec<(Cow<'t, str>, Json<'t>)>) -> Self {
        let marks = list.iter().fold(0, |marks, (key, _)| marks | mark(key));
        Self { list, marks }
    }
}

impl<'t> Json<'t> {
    /// Parses one value and nothing behind it.
    ///
    /// # Errors
    /// When the text is no JSON, nests deeper than 128, or an object has a key twice.
    pub fn parse(text: &'t str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = deserializer.deserialize_any(JsonVisitor { expected: ROW_KEYS })?;
        deserializer.end()?;
        Ok(value)
    }

    /// Member of an object.
    pub fn get(&self, key: &str) -> Option<&Json<'t>> {
        match self {
            Self::Object(members) => members.get(key),
            _ => None,
        }
    }

    /// Member of an object below objects.
    pub fn at(&self, path: &[&str]) -> Option<&Json<'t>> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The text of a string that says something: not empty, not Falco's `<NA>`.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() && text != "<NA>" => Some(text),
            _ => None,
        }
    }

    /// A whole number, written as a number or as a string.
    pub fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Text(text) => text.trim().parse::<i64>().map(i128::from).ok().or_else(|| {
                let wide: u64 = text.trim().parse().ok()?;
                Some(i128::from(wide))
            }),
            _ => None,
        }
    }

    /// A string, or a number or boolean as it is written.
    pub fn scalar(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Integer(value) => Some(digits(*value).into()),
            Self::Bool(value) => Some(if *value { "true" } else { "false" }.into()),
            _ => self.text().map(Cow::Borrowed),
        }
    }

    /// True where [`Self::scalar`] gives something.
    pub fn says_something(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Bool(_)) || self.text().is_some()
    }

    /// Items of an array; none for anything else.
    pub fn items(&self) -> &[Json<'t>] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }
}

/// Nearly every number fits 64 bits, which are written several times as fast as 128.
fn digits(value: i128) -> String {
    i64::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string())
}

impl<'de: 't, 't> Deserialize<'de> for Json<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor::default()).map(|value: Json<'de>| value)
    }
}

/// What is wrong with a row. It is one line, whose number in the input is told beside it.
pub(super) fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.replacen(" at line 1 column ", " at column ", 1)
}

#[derive(Default)]
struct JsonVisitor {
    /// Keys for which an object gets room at once. For the row itself only: a stranger's row can hold any number of others.
    expected: usize,
}

/// Rows of sensors have about this many keys.
const ROW_KEYS: usize = 16;

/// Objects with more keys than this look for doubles by hash.
const FEW_KEYS: usize = 24;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::with_capacity(self.expected);
        let mut seen: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(Key(key)) = map.next_key()? {
            let doubled = if members.len() < FEW_KEYS {
                members.iter().any(|(known, _)| *known == key)
            } else {
                if seen.is_empty() {
                    seen.extend(members.iter().map(|(known, _)| known.clone()));
                }
                !seen.insert(key.clone())
            };
            if doubled {
                return Err(de::Error::custom(format_args!("the key '{}' stands twice", key.escape_debug())));
            }
            let value = map.next_value()?;
            members.push((key, value));
        }
        Ok(Json::Object(members.into()))
    }
}

/// A key that borrows where it can; `Cow` itself always copies.
struct Key<'t>(Cow<'t, str>);

impl<'de: 't, 't> Deserialize<'de> for Key<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(JsonVisitor::default())? {
            Json::Text(text) => Ok(Key(text)),
            _ => Err(de::Error::custom("a key that is no string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn faults_name_the_column_only() {
        let error = Json::parse("{\"a\":1,}").expect_err("it does not parse");
        assert_eq!(super::fault(&error), "trailing comma at column 8");
    }

    #[test]
    fn wide_integers_and_doubles() {
        let json = Json::parse(r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":"1779716645478445995"}"#);
        let json = json.expect("it parses");
        assert_eq!(json.get("a").and_then(Json::integer), Some(u64::MAX.into()));
        assert_eq!(json.get("b").and_then(Json::integer), Some(i64::MIN.into()));
        assert_eq!(json.get("c").and_then(Json::integer), Some(1_779_716_645_478_445_995));
        assert!(Json::parse(r#"{"a":1,"a":1}"#).is_err());
        assert!(Json::parse(r#"{"a":{"b":1,"\u0062":1}}"#).is_err());
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
        let many: String = (0..40).map(|n| format!("\"k{}\":0,", n % 39)).collect();
        assert!(Json::parse(&format!("{{{}\"z\":0}}", many)).is_err());
    }
}
