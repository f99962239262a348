//! The queue, where two work on it at a time.

use crate::fixture::BASE;
use agentprov_ingest::telemetry::spool::{Order, Spool, Status, Taken, WhenFull};
use agentprov_model::{EventTime, ScopeIds};

fn order(path: &str) -> Order {
    Order {
        format: "auto".into(),
        path: path.into(),
        run_id: None,
        scope: ScopeIds::default(),
        policy_enabled: false,
        strict: false,
        drop_uncorrelated: false,
        keep_raw: false,
    }
}

#[test]
fn what_is_dropped_while_others_are_taken_in_is_not_taken_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::new(folder.path(), 3);
    let now = || EventTime::from_nanos(BASE);
    let queue = |path: &str| {
        spool.queue(path.as_bytes(), order(path), WhenFull::DropOldest, now()).expect("there is room, or it is made")
    };
    for path in ["a", "b", "c"] {
        assert!(queue(path).dropped.is_empty());
    }
    let mut taken = Vec::new();
    let done = spool.process(10, &now, &mut |entry, _| {
        taken.push(entry.order.path.clone());
        if entry.order.path == "a" {
            // `a` is being taken in, so `b` is the oldest that waits.
            let dropped = queue("d").dropped;
            assert_eq!(dropped.iter().map(|entry| entry.order.path.as_str()).collect::<Vec<_>>(), ["b"]);
        }
        Ok(Taken::default())
    });
    assert_eq!(taken, ["a", "c"]);
    assert!(done.expect("it can be processed").failed.is_empty());
    let statuses: Vec<Status> = spool.list().expect("it can be read").iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [Status::Processed, Status::Dropped, Status::Processed, Status::Queued]);
}
