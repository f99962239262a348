//! Where the stored bytes of facts lie: in rows of their own, or in packs.

use crate::error::StoreError;
use crate::pack::Scan;
use crate::reader::Reader;
use crate::{RunNo, Seq, position, seq_of};
use agentprov_model::Fact;
use rusqlite::OptionalExtension;
use rusqlite::types::ValueRef;

impl Reader {
    /// One past the last place at which the run has a body or a leaf hash. Unlike the size in its row, which whoever edits
    /// the database can set to anything, this is no more than what is there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn extent(&self, run: RunNo) -> Result<u64, StoreError> {
        let bounds = [position(run, 0), position(RunNo(run.0 + 1), 0)];
        let last = |sql: &str| -> Result<Option<i64>, StoreError> {
            Ok(self.connection().prepare_cached(sql)?.query_row(bounds, |row| row.get(0))?)
        };
        let body = last("SELECT max(pos) FROM fact WHERE pos >= ?1 AND pos < ?2")?;
        let pack = last("SELECT max(pos) FROM pack WHERE pos >= ?1 AND pos < ?2")?;
        let tile = last("SELECT max(pos) FROM leaf WHERE pos >= ?1 AND pos < ?2")?;
        let bodies = body.map_or(0, |pos| seq_of(pos) + 1);
        let packed = match pack {
            Some(pos) => {
                let mut unpacked = self.unpacked();
                unpacked.load(self.connection(), pos)?;
                seq_of(unpacked.places().end)
            }
            None => 0,
        };
        Ok(bodies.max(packed).max(tile.map_or(0, |pos| (seq_of(pos) + 1).saturating_mul(256))))
    }

    /// The stored bytes of a fact.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn body(&self, run: RunNo, seq: Seq) -> Result<Option<Vec<u8>>, StoreError> {
        self.with_body(run, seq, <[u8]>::to_vec)
    }

    /// A fact.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is missing or does not parse.
    pub fn fact(&self, run: RunNo, seq: Seq) -> Result<Fact, StoreError> {
        match self.with_body(run, seq, Fact::from_body)? {
            Some(Ok(fact)) => Ok(fact),
            Some(Err(error)) => Err(StoreError::Damaged(format!("fact {seq} does not parse: {error}"))),
            None => Err(StoreError::Damaged(format!("fact {seq} is missing"))),
        }
    }

    fn with_body<T>(&self, run: RunNo, seq: Seq, read: impl Fn(&[u8]) -> T) -> Result<Option<T>, StoreError> {
        let pos = position(run, seq);
        let own = self
            .connection()
            .prepare_cached("SELECT body FROM fact WHERE pos = ?1")?
            .query_row([pos], |row| Ok(read(bytes_of(row.get_ref(0)?))))
            .optional()?;
        if own.is_some() {
            return Ok(own);
        }
        let mut unpacked = self.unpacked();
        unpacked.load(self.connection(), pos)?;
        Ok(unpacked.body(pos).map(read))
    }

    /// Calls `visit` with the stored bytes of the facts in `[from, to)`, in order; it may stop early by `false`.
    ///
    /// # Errors
    /// What SQLite says, or what `visit` returns.
    pub fn bodies<E: From<StoreError>>(
        &self,
        run: RunNo,
        from: Seq,
        to: Seq,
        mut visit: impl FnMut(Seq, &[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let range = position(run, from)..position(run, to);
        let sql = "SELECT pos, body FROM fact WHERE pos >= ?1 AND pos < ?2 ORDER BY pos";
        let mut facts = self.connection().prepare_cached(sql).map_err(StoreError::from)?;
        let mut facts = facts.query([range.start, range.end]).map_err(StoreError::from)?;
        let mut packs = Scan::prepare(self.connection())?;
        let mut packs = Scan::new(&mut packs, range)?;
        let mut own = facts.next().map_err(StoreError::from)?;
        loop {
            let own_pos: Option<i64> = own.map(|row| row.get(0)).transpose().map_err(StoreError::from)?;
            let go_on = match (own, own_pos, packs.peek()?) {
                (Some(row), Some(pos), packed) if packed.is_none_or(|packed| pos <= packed) => {
                    if packed == Some(pos) {
                        packs.take();
                    }
                    let go_on = visit(seq_of(pos), bytes_of(row.get_ref(1).map_err(StoreError::from)?))?;
                    own = facts.next().map_err(StoreError::from)?;
                    go_on
                }
                (_, _, Some(pos)) => packs.take().map_or(Ok(true), |body| visit(seq_of(pos), body))?,
                _ => return Ok(()),
            };
            if !go_on {
                return Ok(());
            }
        }
    }
}

/// The bytes of a value. We write blobs only; whoever edits the database may leave text, whose bytes then fail the
/// leaf check, or a number or nothing, which have no bytes.
pub(crate) fn bytes_of(value: ValueRef<'_>) -> &[u8] {
    value.as_bytes().unwrap_or_default()
}
