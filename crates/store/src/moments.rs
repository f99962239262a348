//! Questions that are each asked of the newest state.

use crate::error::StoreError;
use crate::reader::Reader;
use rusqlite::Connection;

/// Asks a store again and again while others write to it.
///
/// A [`Reader`] sees one state for as long as it lives, and until it is gone nothing that was written since can move
/// from the write-ahead log into the database: the log grows. This one holds a state for one question only.
pub struct Moments {
    reader: Reader,
}

impl Moments {
    pub(crate) fn new(reader: Reader) -> Result<Self, StoreError> {
        run(reader.connection(), "COMMIT")?;
        // Questions go all over the store: mapped, what they touch would stay resident.
        reader.connection().pragma_update(None, "mmap_size", 0)?;
        Ok(Self { reader })
    }

    /// Asks a question; all that it looks up is of one state.
    ///
    /// # Errors
    /// What the question gives, or what SQLite says.
    pub fn ask<T>(&self, question: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        run(self.reader.connection(), "BEGIN")?;
        // It may be another one now.
        self.reader.unpacked().forget();
        let answer = question(&self.reader);
        run(self.reader.connection(), "COMMIT")?;
        answer
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Durability, Location, Store};
    use agentprov_model::RunId;

    fn log_bytes(store: &Store) -> u64 {
        std::fs::metadata(store.dir().join("store.db-wal")).map_or(0, |file| file.len())
    }

    /// Opens runs with long names, each in a transaction, until their pages fill the write-ahead log twice.
    fn fill(store: &Store) {
        let mut writer = store.writer().expect("a writer");
        for n in 0..3_000 {
            let run = RunId::new(format!("{n}-{}", "r".repeat(100))).expect("an id");
            writer.transaction(Durability::Process, |batch| batch.open_run(&run)).expect("it is written");
        }
    }

    #[test]
    fn the_log_is_emptied_between_questions() {
        let grown = |hold: &dyn Fn(&Store)| {
            let folder = tempfile::tempdir().expect("a folder");
            let store = Store::create(Location::chosen(folder.path().join("data"))).expect("a store");
            hold(&store);
            fill(&store);
            log_bytes(&store)
        };
        let moments = std::cell::OnceCell::new();
        let between = grown(&|store| {
            let asking = moments.get_or_init(|| store.moments().expect("it opens"));
            assert_eq!(asking.ask(|reader| reader.runs()).expect("it answers").len(), 0);
        });
        let reader = std::cell::OnceCell::new();
        let held = grown(&|store| {
            reader.get_or_init(|| store.reader().expect("it opens"));
        });
        assert!(between * 2 < held, "{between} bytes beside {held}");
        let asking = moments.get().expect("it was opened");
        assert_eq!(asking.ask(|reader| reader.runs()).expect("it answers").len(), 3_000);
    }
}
