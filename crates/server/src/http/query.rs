//! The query of a request.

use crate::http::problem::Problem;
use std::collections::BTreeMap;

/// The parameters, each once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query(BTreeMap<String, String>);

/// Text that percent signs hide; `None` where it is no UTF-8 or a sign stands alone.
pub fn decoded(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push((high * 16 + low) as u8);
            }
            b'+' if plus_is_blank => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

impl Query {
    /// From the text after the question mark.
    ///
    /// # Errors
    /// A problem for text that can't be decoded and for a parameter that stands there twice.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut found = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name, true), decoded(value, true)) else {
                return Err(Problem::field(&["query"], "encoding", "it is no percent-encoded text"));
            };
            if found.insert(name.clone(), value).is_some() {
                return Err(Problem::field(&["query", &name], "repeated", "it stands there twice"));
            }
        }
        Ok(Self(found))
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number within bounds.
    ///
    /// # Errors
    /// A problem where it is something else.
    pub fn number(&self, name: &str, default: u64, least: u64, most: u64) -> Result<u64, Problem> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| digits && (least..=most).contains(number)).ok_or_else(|| {
            Problem::field(&["query", name], "out_of_bounds", format!("it has to be a number from {least} to {most}"))
        })
    }

    /// A number that may be below zero.
    ///
    /// # Errors
    /// A problem where it is something else.
    pub fn signed(&self, name: &str, default: i64) -> Result<i64, Problem> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|_| !text.starts_with('+'));
        number.ok_or_else(|| Problem::field(&["query", name], "no_number", "it has to be a whole number of 64 bits"))
    }

    /// One of several words.
    ///
    /// # Errors
    /// A problem where it is another one.
    pub fn choice<T: Copy>(&self, name: &str, default: T, choices: &[(&str, T)]) -> Result<T, Problem> {
        let Some(text) = self.get(name) else { return Ok(default) };
        choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            Problem::field(&["query", name], "enum", format!("it has to be one of: {}", words.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_stand_once() {
        let query = Query::parse("a=x%20y+z&b=&c&d=%C3%BC").unwrap();
        assert_eq!([query.get("a"), query.get("b"), query.get("c")], [Some("x y z"), Some(""), Some("")]);
        assert_eq!(query.get("d"), Some("\u{fc}"));
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=1&a=2"] {
            assert_eq!(Query::parse(bad).unwrap_err().status, 422, "{bad}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        let number = |text: &str| Query::parse(text).unwrap().number("n", 3, 1, 10).map_err(|problem| problem.status);
        assert_eq!(number(""), Ok(3));
        assert_eq!(number("n=10"), Ok(10));
        for bad in ["n=0", "n=11", "n=", "n=-1", "n=%2B1", "n=1.0", "n=99999999999999999999"] {
            assert_eq!(number(bad), Err(422), "{bad}");
        }
    }
}
