//! Byte strings from the operating system: paths, arguments, socket names.

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Bytes as the kernel gave them, UTF-8 or not.
///
/// Serialises as a JSON string where the bytes are UTF-8, else as
/// `{"b64":"..."}`, so that nothing is ever repaired or lost.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OsBytes(Vec<u8>);

impl OsBytes {
    /// Wraps the bytes as they are.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The exact bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, where the bytes are UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// A form for people: invalid sequences become U+FFFD. Never store this.
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Gives the bytes back.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// True for zero bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<&str> for OsBytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for OsBytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<Vec<u8>> for OsBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for OsBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for OsBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lossy(), f)
    }
}

impl Serialize for OsBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("b64", &data_encoding::BASE64.encode(&self.0))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for OsBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OsBytesVisitor)
    }
}

struct OsBytesVisitor;

impl<'de> Visitor<'de> for OsBytesVisitor {
    type Value = OsBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or {\"b64\": \"...\"}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OsBytes, E> {
        Ok(OsBytes::from(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<OsBytes, E> {
        Ok(OsBytes::from(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OsBytes, A::Error> {
        let (key, value): (String, String) =
            map.next_entry()?.ok_or_else(|| de::Error::custom("empty object instead of {\"b64\": ...}"))?;
        if key != "b64" {
            return Err(de::Error::unknown_field(&key, &["b64"]));
        }
        let bytes = data_encoding::BASE64.decode(value.as_bytes()).map_err(de::Error::custom)?;
        Ok(OsBytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::OsBytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_survive_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let original = OsBytes::new(bytes);
            let json = serde_json::to_string(&original).expect("serialises");
            let back: OsBytes = serde_json::from_str(&json).expect("parses");
            prop_assert_eq!(original, back);
        }
    }
}
