//! One write path: the same fact once, a batch whole or not at all, many writers at once.

use crate::fixture::{Place, append, fact, run};
use agentprov_store::{Appended, Durability, Prepared, Store, StoreError, fsck};
use std::collections::BTreeSet;
use std::sync::Barrier;

const WRITERS: u64 = 16;
const BATCHES: u64 = 12;
const BATCH: u64 = 20;

#[test]
fn the_same_facts_again_change_nothing() {
    let place = Place::new();
    let store = place.store();
    append(&store, "r", "s", 0..50).expect("first");
    let head = store.reader().unwrap().run(&run("r")).unwrap().unwrap();
    let again = append(&store, "r", "s", 20..60).expect("again");
    let known = again.iter().filter(|appended| matches!(appended, Appended::Known(_))).count();
    assert_eq!((known, again.len()), (30, 40));
    assert_eq!(again[0], Appended::Known(20), "a known fact names its leaf");
    let only_known = append(&store, "r", "s", 0..60).expect("a third time");
    assert!(only_known.iter().all(|appended| matches!(appended, Appended::Known(_))));
    let now = store.reader().unwrap().run(&run("r")).unwrap().unwrap();
    assert_eq!((head.size, now.size), (50, 60));
}

#[test]
fn a_batch_that_fails_leaves_nothing() {
    let place = Place::new();
    let store = place.store();
    append(&store, "r", "s", 0..5).expect("a beginning");
    let before = store.reader().unwrap().run(&run("r")).unwrap().unwrap();
    let mut writer = store.writer().unwrap();
    let failed = writer.transaction(Durability::Process, |batch| {
        let no = batch.open_run(&run("r"))?;
        for number in 5..400 {
            batch.append(no, &Prepared::new(&fact("s", number)))?;
        }
        batch.open_run(&run("other"))?;
        Err::<(), _>(StoreError::Damaged("on purpose".into()))
    });
    assert!(failed.is_err());
    let reader = store.reader().unwrap();
    let after = reader.run(&run("r")).unwrap().unwrap();
    assert_eq!((before.size, &before.checkpoint), (after.size, &after.checkpoint));
    assert!(reader.run(&run("other")).unwrap().is_none());
    // The same writer goes on from what is stored, not from what it had in mind.
    writer
        .transaction(Durability::Process, |batch| {
            let no = batch.open_run(&run("r"))?;
            batch.append(no, &Prepared::new(&fact("s", 5)))
        })
        .expect("goes on");
    let report = fsck::check(&store, &mut |_, _| {}).expect("a check");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[test]
fn sixteen_writers_lose_nothing() {
    let place = Place::new();
    let gate = Barrier::new(WRITERS as usize);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (gate, location) = (&gate, place.location());
            scope.spawn(move || {
                gate.wait();
                // All of them make the store: one does, the others find it.
                let store = Store::create(location).expect("a store");
                let mut open = store.writer().expect("a writer");
                let (own, shared) = (run(&format!("own-{writer}")), run("shared"));
                for batch in 0..BATCHES {
                    open.transaction(Durability::Process, |transaction| {
                        let (own, shared) = (transaction.open_run(&own)?, transaction.open_run(&shared)?);
                        for number in batch * BATCH..(batch + 1) * BATCH {
                            transaction.append(own, &Prepared::new(&fact("own", number)))?;
                            // Half of the shared run's facts come from two writers.
                            let stream = format!("shared-{}", writer / 2 * 2 + number % 2 * (writer % 2));
                            transaction.append(shared, &Prepared::new(&fact(&stream, number)))?;
                        }
                        Ok(())
                    })
                    .expect("an append");
                }
            });
        }
    });
    let store = place.store();
    let reader = store.reader().unwrap();
    let mut expected = BTreeSet::new();
    for writer in 0..WRITERS {
        let own = reader.run(&run(&format!("own-{writer}"))).unwrap().expect("every run is there");
        assert_eq!(own.size, BATCHES * BATCH);
        for number in 0..BATCHES * BATCH {
            expected.insert(fact(&format!("shared-{}", writer / 2 * 2 + number % 2 * (writer % 2)), number).id);
        }
    }
    let shared = reader.run(&run("shared")).unwrap().expect("the shared run");
    let mut found = BTreeSet::new();
    for seq in 0..shared.size {
        assert!(found.insert(reader.fact(shared.no, seq).expect("a fact").id), "fact {seq} is there twice");
    }
    assert_eq!(found, expected);
    let report = fsck::check(&store, &mut |_, _| {}).expect("a check");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}
