//! The fields that every fact begins with, read without the rest.

use crate::error::GraphError;
use agentprov_model::{AttemptNo, EventTime};
use agentprov_store::{Reader, RunRow, Seq, StoreError};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// Facts between two wanted ones up to which reading on is cheaper than a look-up of its own.
const READ_ON: u64 = 8;

/// Time and attempt of a fact.
#[derive(PartialEq, Debug)]
pub(super) struct Head {
    pub(super) at: EventTime,
    pub(super) attempt: AttemptNo,
}

/// Calls `visit` with the head of each fact in an ascending list.
///
/// # Errors
/// [`StoreError::Damaged`] where a fact is missing or does not parse, or what the store says.
pub(super) fn for_each_head(
    reader: &Reader,
    run: &RunRow,
    list: &[Seq],
    mut visit: impl FnMut(Seq, Head),
) -> Result<(), GraphError> {
    let Some(end) = list.last().map(|last| last + 1) else { return Ok(()) };
    let mut wanted = list.iter().copied().peekable();
    while let Some(from) = wanted.peek().copied() {
        let mut missing = None;
        reader.bodies::<StoreError>(run.no, from, end, |seq, body| match wanted.peek().copied() {
            Some(next) if next < seq => {
                missing = Some(next);
                Ok(false)
            }
            Some(next) if next > seq => Ok(next - seq <= READ_ON),
            Some(_) => {
                visit(seq, parse(seq, body)?);
                wanted.next();
                Ok(true)
            }
            None => Ok(false),
        })?;
        // A stretch that moved nothing on did not find its first fact.
        if let Some(seq) = missing.or_else(|| wanted.peek().copied().filter(|next| *next == from)) {
            return Err(StoreError::Damaged(format!("fact {seq} is missing")).into());
        }
    }
    Ok(())
}

fn parse(seq: Seq, body: &[u8]) -> Result<Head, StoreError> {
    match as_written(body) {
        Some(head) => Ok(head),
        None => parse_any(seq, body),
    }
}

/// Reads a fact that begins as all that were written so far do: a page may need tens of thousands of heads, and reading
/// them as JSON takes most of its time.
fn as_written(body: &[u8]) -> Option<Head> {
    let rest = body.strip_prefix(b"{\"id\":\"evt-")?.get(32..)?;
    let (at, rest) = number(rest.strip_prefix(b"\",\"at\":")?)?;
    let (_, rest) = number(rest.strip_prefix(b",\"recorded\":")?)?;
    let (attempt, rest) = number(rest.strip_prefix(b",\"attempt\":")?)?;
    rest.starts_with(b",").then_some(())?;
    Some(Head { at: EventTime::from_nanos(at), attempt: AttemptNo(attempt.try_into().ok()?) })
}

/// The digits that come first, as a number; none for signs and numbers that do not fit.
fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let digits = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at(digits);
    let add = |sum: i64, digit: &u8| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0'));
    (!digits.is_empty()).then_some(())?;
    Some((digits.iter().try_fold(0, add)?, rest))
}

fn parse_any(seq: Seq, body: &[u8]) -> Result<Head, StoreError> {
    let mut fields = Fields::default();
    // The visitor stops after the fields it needs, which the parser calls an unfinished map.
    let ended = serde_json::Deserializer::from_slice(body).deserialize_map(&mut fields);
    match fields {
        Fields { at: Some(at), attempt: Some(attempt) } => Ok(Head { at, attempt }),
        _ => {
            let why = ended.err().map_or_else(|| "a field is missing".to_owned(), |error| error.to_string());
            Err(StoreError::Damaged(format!("fact {seq} does not parse: {why}")))
        }
    }
}

#[derive(Default)]
struct Fields {
    at: Option<EventTime>,
    attempt: Option<AttemptNo>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Name {
    At,
    Attempt,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for &mut Fields {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a fact")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while self.at.is_none() || self.attempt.is_none() {
            match map.next_key()? {
                Some(Name::At) => self.at = Some(map.next_value()?),
                Some(Name::Attempt) => self.attempt = Some(map.next_value()?),
                Some(Name::Other) => drop(map.next_value::<IgnoredAny>()?),
                None => break,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(at: &str, recorded: &str, attempt: &str) -> String {
        let id = "evt-63aea038e117563162442feac092df3e";
        format!(r#"{{"id":"{id}","at":{at},"recorded":{recorded},"attempt":{attempt},"vantage":"ptrace"}}"#)
    }

    #[test]
    fn a_head_as_written_is_read_without_the_parser() {
        let head = as_written(body("1795713655464389180", "1795713655464389181", "7").as_bytes());
        assert_eq!(head, Some(Head { at: EventTime::from_nanos(1_795_713_655_464_389_180), attempt: AttemptNo(7) }));
        for odd in
            [body("-1", "2", "3"), body("1e3", "2", "3"), body("99999999999999999999", "2", "3"), body("1", "2", "")]
        {
            assert_eq!(as_written(odd.as_bytes()), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_read_the_same(at in any::<i64>(), recorded in any::<i64>(), attempt in any::<u32>()) {
            let text = body(&at.to_string(), &recorded.to_string(), &attempt.to_string());
            let parsed = parse_any(0, text.as_bytes()).expect("a fact's head");
            prop_assert_eq!(as_written(text.as_bytes()).is_some(), at >= 0 && recorded >= 0);
            prop_assert_eq!(&parse(0, text.as_bytes()).expect("a fact's head"), &parsed);
            prop_assert_eq!(parsed.at, EventTime::from_nanos(at));
        }
    }
}
