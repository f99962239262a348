//! Counts that are kept at append today and were not when a store began.

use crate::RunNo;
use crate::error::StoreError;
use crate::facts_of_type::each_fact_of;
use agentprov_model::EventType;
use agentprov_model::index::{CountGroup, CountName};
use rusqlite::Connection;
use std::collections::HashMap;

/// Counts the versions without a process of what was recorded before they were counted.
pub(crate) fn fill(connection: &Connection) -> Result<(), StoreError> {
    let mut counts: HashMap<(RunNo, CountName), u64> = HashMap::new();
    each_fact_of(connection, &[EventType::FileWrite], |run, fact| {
        fact.visit_counts(|count| {
            if count.group == CountGroup::WithoutProcess {
                *counts.entry((run, count)).or_default() += 1;
            }
        });
        Ok(())
    })?;
    for ((run, name), count) in counts {
        connection
            .prepare_cached("INSERT OR REPLACE INTO tally (run, grp, name, count) VALUES (?1, ?2, ?3, ?4)")?
            .execute((run.0, name.group as u8, name.name.as_ref(), count.cast_signed()))?;
    }
    Ok(())
}
