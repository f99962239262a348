//! `telemetry list`: events in order of time.

use super::late::Late;
use super::row::EventDocument;
use crate::error::GraphError;
use crate::result_set::{Cursor, Pin, page_hash};
use crate::scope_context::Scopes;
use agentprov_model::index::CountGroup;
use agentprov_model::{EventType, Fact, IndexKey, KeyKind, Lane, What, schema};
use agentprov_store::{Position, Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeSet;

/// Rows that one page gives where the caller does not say.
const DEFAULT_LIMIT: usize = 100;
/// Rows that one page gives at most; a negative limit asks for all.
const MAX_LIMIT: i64 = 1000;
/// Facts read from the order index at once.
const STRIDE: usize = 1024;

/// What is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct EventFilter {
    /// Run.
    #[serde(rename = "RunID")]
    pub run: String,
    /// Session.
    #[serde(rename = "SessionID")]
    pub session: String,
    /// Type.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Tool call.
    #[serde(rename = "ToolCallID")]
    pub tool_call: String,
}

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TelemetryEvents {
    /// `agentprovenance.telemetry_events/v1`.
    pub schema_version: String,
    /// What was asked.
    pub filter: EventFilter,
    /// Rows on a page.
    pub limit: i64,
    /// The cursor that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// True where more rows follow.
    pub has_more: bool,
    /// Rows on this page.
    pub event_count: u64,
    /// Rows that the filter lets through.
    pub total_count: u64,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the rows of this page.
    pub page_hash: String,
    /// The rows.
    pub events: Vec<EventDocument>,
}

/// Events of a run, oldest first.
///
/// # Errors
/// [`GraphError::Argument`] for a type that does not exist or a foreign cursor, or what the store says.
pub fn events(
    reader: &Reader,
    run: &RunRow,
    filter: EventFilter,
    limit: i64,
    cursor: Option<String>,
) -> Result<TelemetryEvents, GraphError> {
    let kind = match filter.kind.as_str() {
        "" => None,
        name => {
            Some(EventType::from_name(name).ok_or_else(|| GraphError::Argument(format!("no event type '{name}'")))?)
        }
    };
    let query = format!("telemetry_events|{}|{}|{}", filter.session, filter.kind, filter.tool_call);
    let (pin, mut after) = match &cursor {
        Some(text) => {
            let cursor = Cursor::decode(text, &query, run)?;
            (cursor.pin, Some(cursor.after.into()))
        }
        None => (Pin::head(run)?, None),
    };
    let wanted = match limit {
        ..0 => usize::MAX,
        0 => DEFAULT_LIMIT,
        limit => usize::try_from(limit.min(MAX_LIMIT)).unwrap_or(DEFAULT_LIMIT),
    };
    let scopes = Scopes::load(reader, run)?;
    let members = members(reader, run, &scopes, &filter)?;
    let mut page = Vec::new();
    let mut last = after;
    let mut has_more = false;
    let late = Late::load(reader)?;
    let elsewhere = elsewhere(reader, run, &late, &filter, kind, pin.size)?;
    let shown = after;
    let mut foreign =
        elsewhere.iter().skip_while(|(position, _)| shown.is_some_and(|shown| *position <= shown)).peekable();
    let mut take = |position: Position, fact: &Fact| {
        if page.len() == wanted {
            has_more = true;
            return false;
        }
        let (context, correlation) = scopes.resolve(fact);
        page.push(EventDocument::of(&run.id, fact, context, correlation));
        last = Some(position);
        true
    };
    let mut room = true;
    'pages: loop {
        let rows = reader.events(run.no, after, pin.size, STRIDE)?;
        let Some(end) = rows.last() else { break };
        after = Some(end.position);
        for row in &rows {
            if members.as_ref().is_some_and(|members| !members.contains(&row.position.seq)) {
                continue;
            }
            let mut fact = reader.fact(run.no, row.position.seq)?;
            let of_kind = kind.is_none_or(|kind| fact.event_type() == kind);
            if fact.lane() != Lane::RuntimeTelemetry || !of_kind {
                continue;
            }
            while let Some((position, fact)) = foreign.next_if(|(position, _)| *position < row.position) {
                room = room && take(*position, fact);
            }
            late.apply(&run.id, row.position.seq, &mut fact);
            room = room && take(row.position, &fact);
            if !room {
                break 'pages;
            }
        }
    }
    for (position, fact) in foreign {
        if !room || !take(*position, fact) {
            break;
        }
    }
    let next = last.filter(|_| has_more).map(|last| Cursor { pin, after: last.into() }.encode(&query, run));
    let total_count = total(reader, run, kind, members.as_ref())? + elsewhere.len() as u64;
    Ok(TelemetryEvents {
        schema_version: schema::v1("telemetry_events"),
        filter,
        limit: if limit == 0 { DEFAULT_LIMIT as i64 } else { limit },
        cursor,
        next_cursor: next,
        has_more,
        event_count: page.len() as u64,
        total_count,
        result_set_id: pin.result_set_id(&query, run),
        page_hash: page_hash(&page),
        events: page,
    })
}

/// Events that stand in other logs and were bound to the run later. They take their places in the order of event
/// time; among equal times they come after the run's own.
fn elsewhere(
    reader: &Reader,
    run: &RunRow,
    late: &Late,
    filter: &EventFilter,
    kind: Option<EventType>,
    size: u64,
) -> Result<Vec<(Position, Fact)>, GraphError> {
    let fits = |wanted: &str, id: Option<&str>| wanted.is_empty() || id == Some(wanted);
    let facts = late.elsewhere(reader, run)?.into_iter().filter(|fact| match &fact.what {
        What::Telemetry(event) => {
            kind.is_none_or(|kind| fact.event_type() == kind)
                && fits(&filter.session, event.scope.session.as_ref().map(|id| id.as_str()))
                && fits(&filter.tool_call, event.scope.tool_call.as_ref().map(|id| id.as_str()))
        }
        _ => false,
    });
    Ok((size..).zip(facts).map(|(seq, fact)| (Position { at: fact.at, seq }, fact)).collect())
}

/// Facts of the session and tool call, where one was named.
fn members(
    reader: &Reader,
    run: &RunRow,
    scopes: &Scopes,
    filter: &EventFilter,
) -> Result<Option<BTreeSet<u64>>, GraphError> {
    let mut members: Option<BTreeSet<u64>> = None;
    for (kind, id) in [(KeyKind::Session, &filter.session), (KeyKind::ToolCall, &filter.tool_call)] {
        if id.is_empty() {
            continue;
        }
        let key = IndexKey { kind, value: id.as_bytes() };
        let mut found: BTreeSet<u64> = reader.facts_by_key(run.no, key)?.into_iter().map(|(seq, _)| seq).collect();
        // A recording's own facts carry their attempt, not its ids.
        let of_scope = |scope: &&crate::scope_context::Scope| match kind {
            KeyKind::Session => scope.attempt.started.session_id.as_str() == id,
            _ => scope.attempt.started.tool_call_id.as_str() == id,
        };
        let attempts: Vec<_> = scopes.iter().filter(of_scope).map(|scope| scope.attempt.no).collect();
        for (_, from, to) in scopes.ranges(run.size).into_iter().filter(|(no, ..)| attempts.contains(no)) {
            for seq in from..=to {
                if attempts.contains(&reader.fact(run.no, seq)?.attempt) {
                    found.insert(seq);
                }
            }
        }
        members = Some(match members {
            Some(earlier) => earlier.intersection(&found).copied().collect(),
            None => found,
        });
    }
    Ok(members)
}

fn total(
    reader: &Reader,
    run: &RunRow,
    kind: Option<EventType>,
    members: Option<&BTreeSet<u64>>,
) -> Result<u64, GraphError> {
    if let Some(members) = members {
        let mut count = 0;
        for &seq in members {
            let fact = reader.fact(run.no, seq)?;
            let of_kind = kind.is_none_or(|kind| fact.event_type() == kind);
            count += u64::from(fact.lane() == Lane::RuntimeTelemetry && of_kind);
        }
        return Ok(count);
    }
    let (group, name) = match kind {
        Some(kind) => (CountGroup::Type, kind.name()),
        None => (CountGroup::Lane, Lane::RuntimeTelemetry.name()),
    };
    Ok(reader.tallies(run.no, group)?.get(name).copied().unwrap_or(0))
}
