//! The facts of one tool call: those of its attempt, and what sensors reported of it.

use super::members::{intersect, within_attempt};
use crate::error::GraphError;
use crate::scope_context::{Scopes, judged_event};
use crate::selection::nearest;
use agentprov_model::{AttemptNo, EventType, Fact, IndexKey, KeyKind};
use agentprov_store::{Reader, RunRow, Seq};

/// Facts that take their tool call from the event that they are about.
const JUDGEMENTS: [EventType; 3] = [EventType::PolicyDecision, EventType::RiskSignal, EventType::ResponseAction];

/// A tool call, by its facts.
pub(super) struct CallFacts {
    id: String,
    /// The attempt that was recorded of it.
    attempt: Option<AttemptNo>,
    /// Facts outside of attempts, ascending: events that were resolved to the call, and what was judged of them.
    outside: Vec<Seq>,
}

impl CallFacts {
    /// Looks the call up below `size`.
    pub(super) fn find(
        reader: &Reader,
        run: &RunRow,
        scopes: &Scopes,
        id: &str,
        size: u64,
    ) -> Result<Self, GraphError> {
        let attempt = scopes.of_tool_call(id).map(|scope| scope.attempt.no);
        let outside = reported(reader, run, id, size)?;
        if attempt.is_none() && outside.is_empty() {
            let names = scopes.iter().map(|scope| scope.attempt.started.tool_call_id.as_str());
            return Err(GraphError::not_in(run, "tool call", id).but_near(nearest(id, names)));
        }
        Ok(Self { id: id.to_owned(), attempt, outside })
    }

    /// Those of the members that belong to the call. `None` stands for all facts.
    pub(super) fn narrow(
        &self,
        reader: &Reader,
        run: &RunRow,
        scopes: &Scopes,
        members: Option<Vec<Seq>>,
        size: u64,
    ) -> Result<Option<Vec<Seq>>, GraphError> {
        let mut outside = match &members {
            Some(list) if list.len() < self.outside.len() => intersect(list, &self.outside),
            Some(list) => intersect(&self.outside, list),
            None => self.outside.clone(),
        };
        let Some(attempt) = self.attempt else { return Ok(Some(outside)) };
        let mixed = !self.outside.is_empty();
        let own = within_attempt(reader, run, &scopes.ranges(size), attempt, members, mixed, size)?;
        Ok(own.map(|mut list| {
            list.append(&mut outside);
            list.sort_unstable();
            list.dedup();
            list
        }))
    }

    /// True where the fact really belongs to the call: posting keys are hashes.
    pub(super) fn holds(&self, seq: Seq, fact: &Fact) -> bool {
        let is_own = self.attempt == Some(fact.attempt);
        let named = || JUDGEMENTS.contains(&fact.event_type()) || fact.has_key(key(&self.id));
        is_own || (self.outside.binary_search(&seq).is_ok() && named())
    }
}

/// Facts outside of attempts that belong to the call.
fn reported(reader: &Reader, run: &RunRow, id: &str, size: u64) -> Result<Vec<Seq>, GraphError> {
    let mut found: Vec<Seq> = reader.postings(run.no, key(id))?.into_iter().filter(|&seq| seq < size).collect();
    // What is not resolved to it has no judgements of it either.
    if found.is_empty() {
        return Ok(found);
    }
    let mut judgements = Vec::new();
    for kind in JUDGEMENTS {
        let kind = IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() };
        for seq in reader.postings(run.no, kind)?.into_iter().filter(|&seq| seq < size) {
            let fact = reader.fact(run.no, seq)?;
            if fact.attempt == AttemptNo(0)
                && let Some(event) = judged_event(reader, run, &fact)?
                && let Some(row) = reader.event(run.no, &event)?
                && found.binary_search(&row.position.seq).is_ok()
            {
                judgements.push(seq);
            }
        }
    }
    found.append(&mut judgements);
    found.sort_unstable();
    Ok(found)
}

fn key(id: &str) -> IndexKey<'_> {
    IndexKey { kind: KeyKind::ToolCall, value: id.as_bytes() }
}
