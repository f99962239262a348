//! Look-ups by key and by time against a plain list, over batches of every size.

use crate::fixture::{Place, fact, run};
use agentprov_model::index::{IndexKey, KeyKind};
use agentprov_model::{EventType, Fact, What};
use agentprov_store::{Durability, Position, Prepared};
use proptest::prelude::*;

fn path_of(fact: &Fact) -> &[u8] {
    match &fact.what {
        What::FileOpened(open) => open.path.as_bytes(),
        other => panic!("an open: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn postings_and_pages_are_those_of_a_list(
        batches in proptest::collection::vec(1u64..40, 1..90),
        order in any::<u64>(),
        sealed in any::<bool>(),
    ) {
        let place = Place::new();
        let store = place.store();
        let mut writer = store.writer().expect("a writer");
        let mut log: Vec<Fact> = Vec::new();
        let total: u64 = batches.iter().sum();
        // Event times run forwards, backwards and in between, as late telemetry's do.
        let numbers: Vec<u64> = (0..total).map(|place| (place ^ (order & 0x3f)) * 31 % total.max(1)).collect();
        let mut rest = &numbers[..];
        for size in batches {
            let (batch, later) = rest.split_at(size as usize);
            rest = later;
            writer.transaction(Durability::Process, |transaction| {
                let no = transaction.open_run(&run("r"))?;
                for number in batch {
                    let fact = fact("s", *number);
                    if let agentprov_store::Appended::New(seq) = transaction.append(no, &Prepared::new(&fact))? {
                        assert_eq!(seq, log.len() as u64);
                        log.push(fact);
                    }
                }
                if sealed && rest.is_empty() {
                    transaction.seal(no, &run("r"), agentprov_model::AttemptNo(1))?;
                }
                Ok(())
            }).expect("an append");
        }
        let reader = store.reader().expect("a reader");
        let row = reader.run(&run("r")).expect("a look-up").expect("the run");
        let seqs_where = |keep: &dyn Fn(&Fact) -> bool| -> Vec<u64> {
            (0u64..).zip(&log).filter(|(_, fact)| keep(fact)).map(|(seq, _)| seq).collect()
        };
        for probe in log.iter().take(12) {
            let path = path_of(probe);
            let found = reader.postings(row.no, IndexKey { kind: KeyKind::Path, value: path }).expect("postings");
            prop_assert_eq!(found, seqs_where(&|fact| path_of(fact) == path));
            let process = probe.process.expect("a process");
            let key = IndexKey { kind: KeyKind::Process, value: process.as_bytes() };
            prop_assert_eq!(reader.postings(row.no, key).expect("postings"), seqs_where(&|fact| fact.process == Some(process)));
        }
        let key = IndexKey { kind: KeyKind::Type, value: EventType::FileOpen.name().as_bytes() };
        prop_assert_eq!(reader.postings(row.no, key).expect("postings"), seqs_where(&|_| true));
        let absent = IndexKey { kind: KeyKind::Path, value: b"/nowhere" };
        prop_assert!(reader.postings(row.no, absent).expect("postings").is_empty());

        let mut sorted: Vec<Position> = (0u64..).zip(&log).map(|(seq, fact)| Position { at: fact.at, seq }).collect();
        sorted.sort_unstable();
        let mut walked = Vec::new();
        loop {
            let page = reader.events(row.no, walked.last().copied(), row.size, 17).expect("a page");
            walked.extend(page.iter().map(|row| row.position));
            if page.len() < 17 {
                break;
            }
        }
        prop_assert_eq!(walked, sorted);
    }
}
