//! Taking single bodies out of packs.

use super::{Packer, Unpacked};
use crate::error::StoreError;
use crate::seq_of;
use rusqlite::Connection;

/// Takes bodies out, in the order of their places, and writes each pack that lost some once.
pub(crate) struct Editor<'c> {
    connection: &'c Connection,
    packer: &'c mut Packer,
    unpacked: Unpacked,
    /// Places whose bodies were taken out of the pack.
    taken: Vec<i64>,
    freed: u64,
}

impl<'c> Editor<'c> {
    pub(crate) fn new(connection: &'c Connection, packer: &'c mut Packer) -> Self {
        Self { connection, packer, unpacked: Unpacked::default(), taken: Vec::new(), freed: 0 }
    }

    /// The body at a place, which will be gone: none where no pack holds one.
    pub(crate) fn take(&mut self, pos: i64) -> Result<Option<&[u8]>, StoreError> {
        if !self.unpacked.stands_for(pos) {
            self.write()?;
            self.unpacked.load(self.connection, pos)?;
        }
        if self.unpacked.stands_for(pos) && self.unpacked.is_damaged() {
            return Err(StoreError::Damaged(format!("the pack that holds fact {} can't be unpacked", seq_of(pos))));
        }
        let body = self.unpacked.body(pos);
        if body.is_some() {
            self.taken.push(pos);
        }
        Ok(body)
    }

    /// Writes what is open; gives the bytes that are free now.
    pub(crate) fn finish(mut self) -> Result<u64, StoreError> {
        self.write()?;
        Ok(self.freed)
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        let mut taken = self.taken.drain(..).peekable();
        for pos in self.unpacked.places() {
            if taken.next_if_eq(&pos).is_none() {
                lines.extend_from_slice(self.unpacked.body(pos).unwrap_or_default());
            }
            lines.push(b'\n');
        }
        drop(taken);
        let first = self.unpacked.places().start;
        let before: i64 = self
            .connection
            .prepare_cached("SELECT length(lines) FROM pack WHERE pos = ?1")?
            .query_row([first], |row| row.get(0))?;
        let after = if lines.iter().all(|byte| *byte == b'\n') {
            self.connection.prepare_cached("DELETE FROM pack WHERE pos = ?1")?.execute([first])?;
            0
        } else {
            let frame = self.packer.pack(&lines)?;
            self.connection.prepare_cached("UPDATE pack SET span = ?2, lines = ?3 WHERE pos = ?1")?.execute((
                first,
                self.unpacked.places().count() as i64,
                frame,
            ))?;
            frame.len() as i64
        };
        self.freed += before.saturating_sub(after).max(0) as u64;
        self.unpacked.forget();
        Ok(())
    }
}
