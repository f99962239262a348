//! Every kind of damage that `fsck` names.

use crate::fixture::{Place, append};
use agentprov_store::{StoreError, fsck};

/// Problems that `fsck` finds after a statement was run on the database.
fn after(sql: &str) -> Vec<&'static str> {
    let place = Place::new();
    let store = place.store();
    for batch in 0..6 {
        append(&store, "r", "s", batch * 100..(batch + 1) * 100).expect("facts");
    }
    let changed = place.sql().execute(sql, []).expect("a statement");
    assert!(changed > 0, "{sql} changes something");
    let report = fsck::check(&store, &mut |_, _| {}).expect("a check");
    let mut codes: Vec<_> =
        report.problems.iter().filter(|problem| problem.serious).map(|problem| problem.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[test]
fn a_sound_store_has_no_problems() {
    assert_eq!(after("UPDATE meta SET value = value"), Vec::<&str>::new());
}

#[test]
fn each_damage_has_its_name() {
    let table = [
        ("UPDATE fact SET body = replace(body, '/w/s/3', '/w/s/4') WHERE pos & 1099511627775 = 3", "leaf-mismatch"),
        ("DELETE FROM fact WHERE pos & 1099511627775 = 599", "size-mismatch"),
        ("DELETE FROM fact WHERE pos & 1099511627775 = 17", "sequence-gap"),
        ("UPDATE leaf SET hashes = zeroblob(length(hashes)) WHERE pos & 1099511627775 = 0", "leaf-mismatch"),
        ("UPDATE run SET size = size - 1", "size-mismatch"),
        ("UPDATE run SET frontier = zeroblob(length(frontier))", "root-mismatch"),
        ("UPDATE run SET checkpoint = replace(checkpoint, '600', '601')", "bad-checkpoint"),
        ("DELETE FROM event WHERE seq = 17", "index-mismatch"),
        ("UPDATE event SET low = (low + 1) & 16383 WHERE seq = 17", "index-mismatch"),
        ("DELETE FROM posting WHERE first = 0", "index-mismatch"),
        ("UPDATE tally SET count = count + 1 WHERE count = 600", "count-mismatch"),
    ];
    let mut wrong = Vec::new();
    for (sql, expected) in table {
        let codes = after(sql);
        if !codes.contains(&expected) {
            wrong.push(format!("{sql}: {codes:?} lacks {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_value_of_another_type_is_damage() {
    for sql in ["UPDATE run SET size = 'many'", "UPDATE run SET frontier = 'text'", "UPDATE run SET id = 'bad id'"] {
        let place = Place::new();
        append(&place.store(), "r", "s", 0..3).expect("facts");
        place.sql().execute(sql, []).expect("a statement");
        let read = place.store().reader().expect("a reader").runs();
        assert!(matches!(read, Err(StoreError::Damaged(_))), "{sql}: {read:?}");
    }
}
