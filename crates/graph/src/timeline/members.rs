//! Which facts a filter lets through, and which of them make a page.
//!
//! Postings are in order of sequence, pages in order of event time. Two ways lead from one to the other: walk the
//! order index from the cursor and keep what is in the posting list (cheap where many match), or look up the times
//! of all that match and sort them (cheap where few do). The cheaper one by estimate is taken; a walk that finds
//! less than expected, because the matches lie together somewhere else, is given up for the sort.

use super::TimelineFilter;
use super::head::for_each_head;
use crate::error::GraphError;
use crate::scope_context::Scopes;
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{AttemptNo, ProcessId};
use agentprov_store::{Position, Reader, RunRow, Seq, StoreError};

/// Looking up the time of one fact costs about as much as walking this many rows of the order index.
const LOOKUP_COST: usize = 5;
/// A walk that has gone this many times as far as it should have needed is given up.
const UNLUCKY: usize = 3;
/// Rows of the order index taken at once; a walk grows to the larger one.
const CHUNK: std::ops::RangeInclusive<usize> = 256..=8192;

/// The facts that a filter lets through.
pub(super) enum Members {
    /// All below the pinned size.
    All,
    /// These, ascending.
    List(Vec<Seq>),
}

impl Members {
    /// Intersects what each part of the filter lets through, below `size`.
    pub(super) fn load(
        reader: &Reader,
        run: &RunRow,
        scopes: &Scopes,
        filter: &TimelineFilter,
        size: u64,
    ) -> Result<Self, GraphError> {
        let mut lists: Vec<Vec<Seq>> = Vec::new();
        filter.visit_keys(|key| {
            let mut seqs = reader.postings(run.no, key)?;
            seqs.truncate(seqs.partition_point(|&seq| seq < size));
            lists.push(seqs);
            Ok::<(), StoreError>(())
        })?;
        lists.sort_by_key(Vec::len);
        let mut members = lists.into_iter().reduce(|few, many| intersect(&few, &many));
        if let Some(call) = &filter.call {
            members = call.narrow(reader, run, scopes, members, size)?;
        }
        Ok(members.map_or(Self::All, Self::List))
    }

    /// How many there are below `size`.
    pub(super) fn count(&self, size: u64) -> u64 {
        match self {
            Self::All => size,
            Self::List(list) => list.len() as u64,
        }
    }

    /// The first `limit` after `after` in time order.
    pub(super) fn page(
        &self,
        reader: &Reader,
        run: &RunRow,
        after: Option<Position>,
        size: u64,
        limit: usize,
    ) -> Result<Vec<Position>, GraphError> {
        match self {
            Self::All => {
                let rows = reader.events(run.no, after, size, limit)?;
                Ok(rows.into_iter().map(|row| row.position).collect())
            }
            Self::List(list) if list.is_empty() => Ok(Vec::new()),
            Self::List(list) => {
                let sorting = list.len().saturating_mul(LOOKUP_COST);
                let walking = expected_walk(list, after, size, limit);
                if walking < sorting
                    && let Some(page) =
                        walk(reader, run, list, after, size, limit, sorting.min(walking.saturating_mul(UNLUCKY)))?
                {
                    return Ok(page);
                }
                sort(reader, run, list, after, limit)
            }
        }
    }
}

/// Facts of an attempt lie between its start and its end. Where the ranges of attempts overlap, or others stand between
/// (`mixed`), each fact in there is asked; else the range is the answer. `None` stands for all facts.
pub(super) fn within_attempt(
    reader: &Reader,
    run: &RunRow,
    ranges: &[(AttemptNo, Seq, Seq)],
    attempt: AttemptNo,
    members: Option<Vec<Seq>>,
    mixed: bool,
    size: u64,
) -> Result<Option<Vec<Seq>>, GraphError> {
    let Some(&(_, from, to)) = ranges.iter().find(|range| range.0 == attempt) else { return Ok(Some(Vec::new())) };
    let shared = mixed || ranges.iter().any(|&(other, start, end)| other != attempt && start <= to && from <= end);
    if !shared && members.is_none() && from == 0 && to + 1 >= size {
        return Ok(None);
    }
    let mut list = match members {
        Some(mut list) => {
            list.retain(|seq| (from..=to).contains(seq));
            list
        }
        None => (from..=to).collect(),
    };
    if shared {
        let mut own = Vec::with_capacity(list.len());
        for_each_head(reader, run, &list, |seq, head| {
            if head.attempt == attempt {
                own.push(seq);
            }
        })?;
        list = own;
    }
    Ok(Some(list))
}

/// What two ascending lists share; `few` is the shorter.
pub(super) fn intersect(few: &[Seq], many: &[Seq]) -> Vec<Seq> {
    let mut shared = Vec::with_capacity(few.len());
    let mut rest = many;
    for &seq in few {
        // Doubling steps find a near neighbour in few comparisons and a far one in a logarithm of them.
        let mut step = 1;
        while rest.get(step).is_some_and(|&next| next < seq) {
            step *= 2;
        }
        let window = &rest[..rest.len().min(step + 1)];
        rest = &rest[window.partition_point(|&next| next < seq)..];
        match rest.first() {
            Some(&next) if next == seq => shared.push(seq),
            Some(_) => {}
            None => break,
        }
    }
    shared
}

/// Rows of the order index up to the end of the page, if facts came in order of time, which they nearly do.
fn expected_walk(list: &[Seq], after: Option<Position>, size: u64, limit: usize) -> usize {
    let from = after.map_or(0, |after| after.seq + 1);
    let first = list.partition_point(|&seq| seq < from);
    let end = list.get(first.saturating_add(limit)).copied().unwrap_or(size);
    usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX)
}

/// Walks the order index; gives up after `budget` rows.
fn walk(
    reader: &Reader,
    run: &RunRow,
    list: &[Seq],
    after: Option<Position>,
    size: u64,
    limit: usize,
    budget: usize,
) -> Result<Option<Vec<Position>>, GraphError> {
    let mut page = Vec::new();
    let mut after = after;
    let mut walked = 0;
    let mut chunk = *CHUNK.start();
    loop {
        let rows = reader.events(run.no, after, size, chunk)?;
        for row in &rows {
            if list.binary_search(&row.position.seq).is_ok() {
                page.push(row.position);
                if page.len() == limit {
                    return Ok(Some(page));
                }
            }
        }
        if rows.len() < chunk {
            return Ok(Some(page));
        }
        after = rows.last().map(|row| row.position);
        walked += rows.len();
        if walked > budget {
            return Ok(None);
        }
        chunk = (chunk * 2).min(*CHUNK.end());
    }
}

/// Looks up the time of every member and sorts.
fn sort(
    reader: &Reader,
    run: &RunRow,
    list: &[Seq],
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Position>, GraphError> {
    let mut rows = Vec::with_capacity(list.len());
    for_each_head(reader, run, list, |seq, head| {
        let position = Position { at: head.at, seq };
        if after.is_none_or(|after| position > after) {
            rows.push(position);
        }
    })?;
    if rows.len() > limit {
        rows.select_nth_unstable(limit);
        rows.truncate(limit);
    }
    rows.sort_unstable();
    Ok(rows)
}

impl TimelineFilter {
    /// Calls `visit` with each key that a fact must have.
    fn visit_keys<E>(&self, mut visit: impl FnMut(IndexKey<'_>) -> Result<(), E>) -> Result<(), E> {
        if let Some(process) = &self.process {
            visit(process_key(process))?;
        }
        if let Some(kind) = self.kind {
            visit(IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() })?;
        }
        Ok(())
    }
}

/// The posting key of a process.
pub(super) fn process_key(process: &ProcessId) -> IndexKey<'_> {
    IndexKey { kind: KeyKind::Process, value: process.as_bytes() }
}

#[cfg(test)]
mod tests {
    use super::intersect;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn intersection_is_what_both_hold(
            mut few in proptest::collection::vec(0u64..200, 0..40),
            mut many in proptest::collection::vec(0u64..200, 0..120),
        ) {
            for list in [&mut few, &mut many] {
                list.sort_unstable();
                list.dedup();
            }
            let expected: Vec<u64> = few.iter().copied().filter(|seq| many.contains(seq)).collect();
            prop_assert_eq!(intersect(&few, &many), expected);
        }
    }
}
