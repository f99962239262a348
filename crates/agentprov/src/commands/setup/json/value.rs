//! Values that are put into settings: on one line, keys in the order given.

/// A value to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Json {
    Text(String),
    Number(u64),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The value on one line.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::List(items) => format!("[{}]", joined(items.iter().map(Self::line))),
            Self::Object(members) => {
                format!(
                    "{{{}}}",
                    joined(members.iter().map(|(key, value)| format!("{}: {}", quoted(key), value.line())))
                )
            }
        }
    }

    /// The same for comparing.
    pub(crate) fn value(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => (*number).into(),
            Self::List(items) => items.iter().map(Self::value).collect::<Vec<_>>().into(),
            Self::Object(members) => members
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.value()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
