//! Facts in packs: read as those in rows of their own, damaged with the same names, taken out one by one.

use crate::fixture::{Place, append, fact, run};
use agentprov_model::*;
use agentprov_store::{Appended, Durability, Prepared, RunNo, Seq, Store, StoreError, fsck};
use proptest::prelude::*;
use std::collections::BTreeMap;

const RUNS: [&str; 2] = ["r", "s"];

/// What one transaction appends: a run, whether packed, numbers of a stream.
type Step = (usize, bool, std::ops::Range<u64>);

/// The bodies by run and number.
type Bodies = BTreeMap<(usize, Seq), Vec<u8>>;

fn body(number: u64) -> Vec<u8> {
    let mut body = Vec::new();
    telemetry(number).write_body(&mut body);
    body
}

/// Now and then one that is too long to be packed.
fn telemetry(number: u64) -> Fact {
    let mut fact = fact("t", number);
    if let (0, What::FileOpened(opened)) = (number % 97, &mut fact.what) {
        opened.path = OsBytes::from("x".repeat(20_000));
    }
    fact
}

fn append_steps(store: &Store, steps: &[Step]) -> Result<Bodies, StoreError> {
    store.writer()?.transaction(Durability::Process, |batch| {
        let runs = [batch.open_run(&run(RUNS[0]))?, batch.open_run(&run(RUNS[1]))?];
        let mut bodies = Bodies::new();
        for (of, packed, numbers) in steps {
            for number in numbers.clone() {
                let prepared = Prepared::new(&telemetry(number));
                let appended = match packed {
                    true => batch.append_packed(runs[*of], &prepared)?,
                    false => batch.append(runs[*of], &prepared)?,
                };
                if let Appended::New(seq) = appended {
                    bodies.insert((*of, seq), body(number));
                }
            }
        }
        Ok(bodies)
    })
}

fn scanned(store: &Store, of: usize, from: Seq, to: Seq) -> Bodies {
    let mut found = Bodies::new();
    let mut last = None;
    let reader = store.reader().expect("a reader");
    reader
        .bodies::<StoreError>(RunNo(of as i64 + 1), from, to, |seq, body| {
            assert!(last.is_none_or(|last| last < seq), "in order, each once");
            last = Some(seq);
            found.insert((of, seq), body.to_vec());
            Ok(true)
        })
        .expect("bodies");
    found
}

fn asked(store: &Store, of: usize, from: Seq, to: Seq) -> Bodies {
    let reader = store.reader().expect("a reader");
    let body = |seq| reader.body(RunNo(of as i64 + 1), seq).expect("an answer").map(|body| ((of, seq), body));
    (from..to).filter_map(body).collect()
}

fn count(place: &Place, sql: &str) -> i64 {
    place.sql().query_row(sql, [], |row| row.get(0)).expect("a count")
}

fn problems(store: &Store) -> Vec<&'static str> {
    let report = fsck::check(store, &mut |_, _| {}).expect("a check");
    let mut codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn bodies_are_those_that_were_appended(
        transactions in prop::collection::vec(prop::collection::vec((0usize..2, any::<bool>(), 0u64..900, 1u64..300), 1..5), 1..4),
        from in 0u64..400,
        length in 0u64..400,
    ) {
        let place = Place::new();
        let store = place.store();
        let mut expected = Bodies::new();
        for steps in transactions {
            let steps: Vec<Step> = steps.into_iter().map(|(of, packed, from, length)| (of, packed, from..from + length)).collect();
            expected.append(&mut append_steps(&store, &steps).expect("facts"));
        }
        for of in 0..2 {
            let all: Bodies = expected.iter().filter(|((run, _), _)| *run == of).map(|(key, body)| (*key, body.clone())).collect();
            prop_assert_eq!(&scanned(&store, of, 0, 1 << 30), &all);
            let some: Bodies = all.iter().filter(|((_, seq), _)| (from..from + length).contains(seq)).map(|(key, body)| (*key, body.clone())).collect();
            prop_assert_eq!(&scanned(&store, of, from, from + length), &some);
            prop_assert_eq!(&asked(&store, of, from, from + length), &some);
            let reader = store.reader().expect("a reader");
            prop_assert!(reader.extent(RunNo(of as i64 + 1)).expect("an extent") >= all.len() as u64);
        }
        prop_assert_eq!(problems(&store), Vec::<&str>::new());
    }
}

#[test]
fn many_facts_take_little_room_and_few_keep_their_rows() {
    let stored = |packed: bool, facts: u64| {
        let place = Place::new();
        append_steps(&place.store(), &[(0, packed, 1..facts)]).expect("facts");
        let bytes = count(&place, "SELECT body_bytes FROM run WHERE id = 'r'");
        let held = "SELECT (SELECT coalesce(sum(length(body)), 0) FROM fact) + (SELECT coalesce(sum(length(lines)), 0) FROM pack)";
        assert_eq!(bytes, count(&place, held), "a run knows what its bodies take");
        (bytes, count(&place, "SELECT count(*) FROM pack"))
    };
    let (rows, packed) = (stored(false, 97).0, stored(true, 97));
    assert!(packed.0 * 5 < rows && packed.1 > 0, "{packed:?} against {rows} bytes");
    assert_eq!(stored(true, 15).1, 0);
}

#[test]
fn damage_to_a_pack_has_a_name() {
    let table: [(&str, &[&str]); 7] = [
        ("UPDATE pack SET lines = zeroblob(length(lines))", &["leaf-mismatch"]),
        ("UPDATE pack SET lines = 'text'", &["leaf-mismatch"]),
        ("UPDATE pack SET lines = 17, span = 9223372036854775807", &["leaf-mismatch"]),
        ("UPDATE pack SET span = 'many'", &["size-mismatch"]),
        ("UPDATE pack SET span = span - 1", &["sequence-gap", "size-mismatch"]),
        ("UPDATE pack SET pos = pos + 1", &["sequence-gap", "leaf-mismatch"]),
        ("DELETE FROM pack", &["size-mismatch"]),
    ];
    for (sql, expected) in table {
        let place = Place::new();
        let store = place.store();
        append_steps(&store, &[(0, true, 1..97)]).expect("facts");
        assert_eq!(problems(&store), Vec::<&str>::new());
        assert!(place.sql().execute(sql, []).expect("a statement") > 0);
        let found = problems(&store);
        assert!(expected.iter().any(|code| found.contains(code)), "{sql}: {found:?} lacks {expected:?}");
        assert_eq!(scanned(&store, 0, 0, 200), asked(&store, 0, 0, 200), "{sql}: every reader sees the same");
    }
}

/// A flipped bit leaves a frame that unfolds to something else, or to nothing. Neither is taken for what was signed.
#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let place = Place::new();
    let store = place.store();
    let written = append_steps(&store, &[(0, true, 1..90)]).expect("facts");
    let sql = place.sql();
    let frame: Vec<u8> = sql.query_row("SELECT lines FROM pack LIMIT 1", [], |row| row.get(0)).expect("a frame");
    let mut changed = 0;
    for bit in (0..frame.len() * 8).step_by(61) {
        let mut other = frame.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        sql.execute("UPDATE pack SET lines = ?1 WHERE pos = (SELECT min(pos) FROM pack)", [&other])
            .expect("a statement");
        let bodies = scanned(&store, 0, 0, 200);
        assert_eq!(bodies, asked(&store, 0, 0, 200));
        if bodies != written {
            changed += 1;
            assert_ne!(problems(&store), Vec::<&str>::new(), "bit {bit}");
        }
    }
    assert!(changed > 20, "{changed} flips changed a body");
}

/// Rows that contradict each other: whatever a reader asks, it is shown what the checks were shown.
#[test]
fn rows_that_overlap_are_read_in_one_way() {
    let forged = [
        "INSERT INTO fact SELECT pos + 5, 'forged' FROM pack LIMIT 1",
        "INSERT INTO pack SELECT pos + 7, 20, lines FROM pack LIMIT 1",
        "INSERT INTO pack SELECT pos + 7, 3, lines FROM pack LIMIT 1",
        "INSERT INTO pack SELECT pos - 3, 900, lines FROM pack ORDER BY pos DESC LIMIT 1",
    ];
    for sql in forged {
        let place = Place::new();
        let store = place.store();
        append_steps(&store, &[(0, true, 1..400)]).expect("facts");
        assert_eq!(place.sql().execute(sql, []).expect("a statement"), 1);
        let all = scanned(&store, 0, 0, 500);
        assert_eq!(all, asked(&store, 0, 0, 500), "{sql}");
        for from in (0..400).step_by(37) {
            let part: Bodies = all.range((0, from)..(0, from + 40)).map(|(key, body)| (*key, body.clone())).collect();
            assert_eq!(scanned(&store, 0, from, from + 40), part, "{sql}, from {from}");
        }
        assert_ne!(problems(&store), Vec::<&str>::new(), "{sql}");
    }
}

#[test]
fn bodies_are_taken_out_of_packs_and_the_others_stay() {
    let place = Place::new();
    let store = place.store();
    let written = append_steps(&store, &[(0, false, 1..5), (0, true, 5..600)]).expect("facts");
    let packs = count(&place, "SELECT count(*) FROM pack");
    let before = count(&place, "SELECT body_bytes FROM run WHERE id = 'r'");
    // Every third of the first hundred, and a stretch that holds whole packs.
    let gone: Vec<Seq> = (0..100).filter(|seq| seq % 3 == 0).chain(200..500).collect();
    let leaves = LeafSet::of(gone.clone());
    let freed = store
        .writer()
        .expect("a writer")
        .transaction(Durability::Process, |batch| {
            let taken = batch.prune(RunNo(1), &leaves, &[])?;
            let pruned = Pruned {
                cutoff: fact("t", 0).at,
                by: "jo".into(),
                leaves: leaves.clone(),
                contents: Vec::new(),
                windows: taken.windows.clone(),
            };
            batch.append(RunNo(1), &Prepared::new(&Fact { what: What::Pruned(pruned), ..fact("p", 1) }))?;
            Ok(taken.body_bytes)
        })
        .expect("pruned");
    let mut left = scanned(&store, 0, 0, 1000);
    let statement = left.pop_last().expect("the statement");
    assert_eq!(statement.0, (0, written.len() as u64));
    let expected: Bodies = written.into_iter().filter(|((_, seq), _)| !leaves.contains(*seq)).collect();
    assert_eq!(left, expected);
    assert_eq!(asked(&store, 0, 0, statement.0.1), expected);
    assert_eq!(problems(&store), Vec::<&str>::new());
    assert!(count(&place, "SELECT count(*) FROM pack") < packs, "of a pack without bodies nothing remains");
    let now = count(&place, "SELECT body_bytes FROM run WHERE id = 'r'");
    assert_eq!(now, before - freed as i64 + statement.1.len() as i64);
    let removed = store.writer().expect("a writer").remove_run(&run("r"), "jo", "a test").expect("it goes");
    assert_eq!((removed.facts, removed.body_bytes), (expected.len() as u64 + 1, now as u64));
    assert_eq!(count(&place, "SELECT (SELECT count(*) FROM pack) + (SELECT count(*) FROM fact)"), 0);
    assert_eq!(problems(&store), Vec::<&str>::new());
}

#[test]
fn a_damaged_pack_is_not_pruned() {
    let place = Place::new();
    let store = place.store();
    append_steps(&store, &[(0, true, 1..90)]).expect("facts");
    place.sql().execute("UPDATE pack SET lines = zeroblob(9)", []).expect("a statement");
    let pruned = store
        .writer()
        .expect("a writer")
        .transaction(Durability::Process, |batch| batch.prune(RunNo(1), &LeafSet::of(vec![3]), &[]).map(drop));
    assert!(matches!(&pruned, Err(StoreError::Damaged(why)) if why.contains("fact 3")), "{pruned:?}");
}

#[test]
fn a_store_from_before_there_were_packs_gets_them() {
    let place = Place::new();
    append(&place.store(), "r", "s", 0..50).expect("facts");
    place.sql().execute_batch("DROP TABLE pack; PRAGMA user_version = 5").expect("an older store");
    let store = place.store();
    let added = append_steps(&store, &[(0, true, 1..80)]).expect("facts");
    assert_eq!(added.len(), 79);
    assert_eq!(scanned(&store, 0, 50, 200), added);
    assert_eq!(problems(&store), Vec::<&str>::new());
}

/// Questions that are asked of the newest state do not remember bodies that are gone since.
#[test]
fn a_moment_forgets_the_pack_of_the_one_before() {
    let place = Place::new();
    let store = place.store();
    append_steps(&store, &[(0, true, 1..90)]).expect("facts");
    let moments = store.moments().expect("moments");
    assert!(moments.ask(|reader| reader.body(RunNo(1), 7)).expect("an answer").is_some());
    let mut writer = store.writer().expect("a writer");
    let prune = writer.transaction(Durability::Process, |batch| batch.prune(RunNo(1), &LeafSet::of(vec![7]), &[]));
    prune.expect("pruned");
    assert!(moments.ask(|reader| reader.body(RunNo(1), 7)).expect("an answer").is_none());
    assert!(moments.ask(|reader| reader.body(RunNo(1), 8)).expect("an answer").is_some());
}
