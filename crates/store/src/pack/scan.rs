//! The packed bodies of a range, one after the other.

use super::{MAX_SPAN, Unpacked, columns};
use crate::error::StoreError;
use rusqlite::{CachedStatement, Connection, Rows};
use std::ops::Range;

/// Goes through the packs of a range; each is unpacked once.
pub(crate) struct Scan<'s> {
    rows: Rows<'s>,
    range: Range<i64>,
    unpacked: Unpacked,
    /// Places of the pack that were not given yet.
    places: Range<i64>,
}

impl<'s> Scan<'s> {
    /// Packs that begin in a range, and the last one before it, which may reach into it.
    pub(crate) fn prepare(connection: &Connection) -> Result<CachedStatement<'_>, StoreError> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM pack WHERE pos < ?2
             AND pos >= coalesce((SELECT max(pos) FROM pack WHERE pos <= ?1 AND pos > ?3), ?1) ORDER BY pos"
        );
        Ok(connection.prepare_cached(sql)?)
    }

    /// Begins with a statement of [`Scan::prepare`].
    pub(crate) fn new(statement: &'s mut CachedStatement<'_>, range: Range<i64>) -> Result<Self, StoreError> {
        let rows = statement.query([range.start, range.end, range.start - MAX_SPAN])?;
        Ok(Self { rows, range, unpacked: Unpacked::default(), places: 0..0 })
    }

    /// The next place that a pack stands for.
    pub(crate) fn peek(&mut self) -> Result<Option<i64>, StoreError> {
        while self.places.is_empty() {
            let Some(row) = self.rows.next()? else { return Ok(None) };
            self.unpacked.read_row(row)?;
            let Range { start, end } = self.unpacked.places();
            self.places = start.max(self.range.start)..end.min(self.range.end);
        }
        Ok(Some(self.places.start))
    }

    /// Goes beyond that place; gives its body where there is one.
    pub(crate) fn take(&mut self) -> Option<&[u8]> {
        let pos = self.places.next()?;
        self.unpacked.body(pos)
    }
}
