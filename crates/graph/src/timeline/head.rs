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
