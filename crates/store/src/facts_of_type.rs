//! All facts of a type or with a key, for what is derived anew from them by steps of the schema. Those come before the
//! step that brings packs, so that every fact has a row of its own.

use crate::error::StoreError;
use crate::{RunNo, position, postings};
use agentprov_model::{EventType, Fact, IndexKey, KeyKind};
use rusqlite::Connection;

/// Calls `visit` with every stored fact of these types, of runs that were not removed. Facts that can't be read are
/// left to `fsck`.
pub(crate) fn each_fact_of(
    connection: &Connection,
    kinds: &[EventType],
    visit: impl FnMut(RunNo, &Fact) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let key = |kind: &EventType| IndexKey { kind: KeyKind::Type, value: kind.name().as_bytes() };
    each_fact_with(connection, &kinds.iter().map(key).collect::<Vec<_>>(), visit)
}

/// The same with every stored fact that may have one of these keys, once for each.
pub(crate) fn each_fact_with(
    connection: &Connection,
    keys: &[IndexKey<'_>],
    mut visit: impl FnMut(RunNo, &Fact) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT no FROM run WHERE removed IS NULL ORDER BY no")?;
    let runs = statement.query_map([], |row| row.get(0).map(RunNo))?.collect::<Result<Vec<_>, _>>()?;
    let mut body = connection.prepare("SELECT body FROM fact WHERE pos = ?1")?;
    for run in runs {
        for key in keys {
            for seq in postings::look_up(connection, run, key.kind as u8, key.hash())? {
                let mut rows = body.query([position(run, seq)])?;
                let Some(row) = rows.next()? else { continue };
                let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                if let Ok(fact) = Fact::from_body(bytes) {
                    visit(run, &fact)?;
                }
            }
        }
    }
    Ok(())
}
