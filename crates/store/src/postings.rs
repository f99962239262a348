//! Look-up by key: which facts of a run have a path, a process, a type.
//!
//! Writing one row per key at its place in a B-tree would touch a page per key. So each batch adds one sorted
//! *segment*, written in order at the end of the run's rows, and sixteen segments of one level are merged into one of
//! the next: writes stay sequential, and a look-up asks at most a few dozen segments.

mod chunk;
mod merged;

use crate::RunNo;
use crate::error::StoreError;
use agentprov_model::LeafSet;
use chunk::{Beyond, ChunkReader, ChunkWriter};
use merged::Merged;
use rusqlite::Connection;

/// Segments of one level that are merged into one of the next.
const FAN_IN: usize = 16;
/// Runs with more chunks than this are not merged into one segment when they are sealed: it would take too long.
const MAX_COMPACTED_CHUNKS: i64 = 4_096;

/// One key of one fact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Posting {
    pub(crate) kind: u8,
    pub(crate) key: u64,
    pub(crate) seq: u64,
}

/// Writes a batch's postings as a new segment, and merges where enough segments of a level have come together.
pub(crate) fn add_segment(connection: &Connection, run: RunNo, mut postings: Vec<Posting>) -> Result<(), StoreError> {
    if postings.is_empty() {
        return Ok(());
    }
    postings.sort_unstable_by_key(|posting| (posting.kind, posting.key.cast_signed(), posting.seq));
    let no = write_segment(connection, run, 0, postings.into_iter().map(Ok))?;
    let mut segments = segments(connection, run)?;
    segments.push((no, 0));
    segments.dedup();
    for level in 0.. {
        let of_level: Vec<i64> = segments.iter().filter(|(_, at)| *at == level).map(|(no, _)| *no).collect();
        if of_level.len() < FAN_IN {
            break;
        }
        let merged = merge(connection, run, &of_level, level + 1)?;
        segments.retain(|(no, _)| !of_level.contains(no));
        segments.push((merged, level + 1));
    }
    Ok(())
}

/// Merges all segments of a run into one, where that is quick.
pub(crate) fn compact(connection: &Connection, run: RunNo) -> Result<(), StoreError> {
    let all = segments(connection, run)?;
    let chunks: i64 = connection
        .prepare_cached("SELECT count(*) FROM posting WHERE run = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    if all.len() < 2 || chunks > MAX_COMPACTED_CHUNKS {
        return Ok(());
    }
    let level = all.iter().map(|(_, level)| *level).max().unwrap_or(0);
    let numbers: Vec<i64> = all.into_iter().map(|(no, _)| no).collect();
    merge(connection, run, &numbers, level).map(drop)
}

/// Takes every posting of these facts out: all segments are merged into one without them.
pub(crate) fn remove(connection: &Connection, run: RunNo, leaves: &LeafSet) -> Result<(), StoreError> {
    let all = segments(connection, run)?;
    let Some(level) = all.iter().map(|(_, level)| *level).max() else { return Ok(()) };
    let numbers: Vec<i64> = all.into_iter().map(|(no, _)| no).collect();
    merge_where(connection, run, &numbers, level, |posting| !leaves.contains(posting.seq)).map(drop)
}

/// Ascending sequence numbers of the run's facts whose key has this hash.
pub(crate) fn look_up(connection: &Connection, run: RunNo, kind: u8, key: u64) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    for (segment, _) in segments(connection, run)? {
        look_up_in(connection, run, segment, kind, key, &mut found)?;
    }
    // Segments hold ranges that follow one another, so this is a merge of few sorted runs, if not in order already.
    if !found.is_sorted() {
        found.sort();
    }
    Ok(found)
}

fn look_up_in(
    connection: &Connection,
    run: RunNo,
    segment: i64,
    kind: u8,
    key: u64,
    found: &mut Vec<u64>,
) -> Result<(), StoreError> {
    // The key's first entries may lie at the end of the last chunk that begins before it; most keys have no others.
    let before = "SELECT entries FROM posting WHERE run = ?1 AND segment = ?2 AND (kind, key) < (?3, ?4)
                  ORDER BY kind DESC, key DESC, first DESC LIMIT 1";
    let own = "SELECT entries FROM posting WHERE run = ?1 AND segment = ?2 AND kind = ?3 AND key = ?4 ORDER BY first";
    for sql in [before, own] {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((run.0, segment, kind, key.cast_signed()))?;
        while let Some(row) = rows.next()? {
            let entries = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if ChunkReader::new(entries).seek(kind, key, found)? == Beyond::Yes {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Calls `visit` with every posting of a run, segment by segment.
pub(crate) fn for_each(connection: &Connection, run: RunNo, visit: &mut dyn FnMut(Posting)) -> Result<(), StoreError> {
    let sql = "SELECT entries FROM posting WHERE run = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([run.0])?;
    while let Some(row) = rows.next()? {
        let entries = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        ChunkReader::new(entries).for_each(visit)?;
    }
    Ok(())
}

/// Numbers and levels of a run's segments, oldest first.
fn segments(connection: &Connection, run: RunNo) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT no, level FROM segment WHERE run = ?1 ORDER BY no")?;
    let rows = statement.query_map([run.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn write_segment(
    connection: &Connection,
    run: RunNo,
    level: i64,
    postings: impl Iterator<Item = Result<Posting, StoreError>>,
) -> Result<i64, StoreError> {
    let no: i64 = connection
        .prepare_cached("SELECT coalesce(max(no), 0) + 1 FROM segment WHERE run = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    connection
        .prepare_cached("INSERT INTO segment (run, no, level) VALUES (?1, ?2, ?3)")?
        .execute((run.0, no, level))?;
    let sql = "INSERT INTO posting (run, segment, kind, key, first, entries) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = connection.prepare_cached(sql)?;
    let mut writer = ChunkWriter::default();
    let mut put = |first: Posting, entries: &[u8]| -> Result<(), StoreError> {
        insert.execute((run.0, no, first.kind, first.key.cast_signed(), first.seq as i64, entries))?;
        Ok(())
    };
    for posting in postings {
        writer.push(posting?, &mut put)?;
    }
    writer.finish(&mut put)?;
    Ok(no)
}

fn merge(connection: &Connection, run: RunNo, numbers: &[i64], level: i64) -> Result<i64, StoreError> {
    merge_where(connection, run, numbers, level, |_| true)
}

fn merge_where(
    connection: &Connection,
    run: RunNo,
    numbers: &[i64],
    level: i64,
    keep: impl Fn(&Posting) -> bool,
) -> Result<i64, StoreError> {
    let sql = "SELECT entries FROM posting WHERE run = ?1 AND segment = ?2 ORDER BY kind, key, first";
    let mut statements = numbers.iter().map(|_| connection.prepare(sql)).collect::<Result<Vec<_>, _>>()?;
    let mut merged = Merged::default();
    for (statement, number) in statements.iter_mut().zip(numbers) {
        merged.add(statement.query((run.0, number))?)?;
    }
    let kept = merged.filter(|posting| posting.as_ref().map_or(true, &keep));
    let merged_no = write_segment(connection, run, level, kept)?;
    drop(statements);
    for number in numbers {
        connection.prepare_cached("DELETE FROM posting WHERE run = ?1 AND segment = ?2")?.execute((run.0, number))?;
        connection.prepare_cached("DELETE FROM segment WHERE run = ?1 AND no = ?2")?.execute((run.0, number))?;
    }
    Ok(merged_no)
}
