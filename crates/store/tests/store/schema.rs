//! Opening: newer schemas, foreign files, first use by many at once, a key that is gone.

use crate::fixture::{Place, append};
use agentprov_store::{Store, StoreError, fsck};

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    append(&place.store(), "r", "s", 0..3).expect("facts");
    place.sql().pragma_update(None, "user_version", 4_711).expect("a later version");
    let before = std::fs::read(place.database()).expect("bytes");
    for opened in [Store::open(place.location()), Store::create(place.location())] {
        assert!(matches!(opened, Err(StoreError::Newer { .. })), "{opened:?}");
    }
    assert!(std::fs::read(place.database()).expect("bytes") == before, "a refused store is not written to");
}

#[test]
fn a_database_keeps_the_pages_it_was_made_with() {
    let page_bytes =
        |place: &Place| -> i64 { place.sql().pragma_query_value(None, "page_size", |row| row.get(0)).expect("a size") };
    let place = Place::new();
    append(&place.store(), "r", "s", 0..600).expect("facts");
    assert_eq!(page_bytes(&place), 8192);
    let smaller = "PRAGMA journal_mode = delete; PRAGMA page_size = 4096; VACUUM; PRAGMA journal_mode = wal";
    place.sql().execute_batch(smaller).expect("pages as they were once");
    append(&place.store(), "r", "s", 600..900).expect("facts");
    assert_eq!(page_bytes(&place), 4096);
    let report = fsck::check(&place.store(), &mut |_, _| {}).expect("a check");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.facts, 900);
}

#[test]
fn many_at_first_use_agree_on_one_store_and_key() {
    let place = Place::new();
    let stores: Vec<_> = std::thread::scope(|scope| {
        let made: Vec<_> = (0..16)
            .map(|_| {
                let location = place.location();
                scope.spawn(move || {
                    let store = Store::create(location).expect("a store");
                    let key = store.signer().expect("a key").verifier().to_string();
                    (store.id().clone(), key)
                })
            })
            .collect();
        made.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(stores.iter().all(|store| *store == stores[0]), "{stores:?}");
}

#[test]
fn a_key_that_is_gone_is_not_replaced() {
    let place = Place::new();
    let store = place.store();
    append(&store, "r", "s", 0..3).expect("facts");
    std::fs::remove_file(store.key_path()).expect("the key");
    let refused = append(&store, "r", "s", 3..4).expect_err("no key");
    assert!(matches!(&refused, StoreError::Key { why, .. } if why.contains("put it back")), "{refused}");
    assert!(!store.key_path().exists(), "no new key was made");
    assert_eq!(store.reader().unwrap().runs().unwrap()[0].size, 3, "reading goes on");
}

#[test]
fn what_is_no_database_is_an_error() {
    let place = Place::new();
    std::fs::create_dir_all(place.location().dir).expect("a folder");
    std::fs::write(place.database(), "not a database, but long enough to be looked at as one".repeat(40))
        .expect("a file");
    let opened = Store::open(place.location());
    assert!(opened.is_err(), "{opened:?}");
}
