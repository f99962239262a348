//! Session files into real stores.

use crate::golden::file;
use agentprov_ingest::transcripts::{Imported, import};
use agentprov_model::{EventTime, RunId, Vantage, What};
use agentprov_store::{Location, Store};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::create(Location::chosen(dir.path().join("store"))).expect("a store");
    (dir, store)
}

fn imported(store: &Store, bytes: &[u8]) -> Imported {
    import(store, &mut &bytes[..], EventTime::from_nanos(1)).expect("it is taken")
}

fn size(store: &Store, run: &RunId) -> u64 {
    store.reader().expect("a reader").run(run).expect("it answers").expect("it is there").size
}

#[test]
fn the_same_file_twice_changes_nothing_and_a_grown_one_brings_what_is_new() {
    let (_dir, store) = store();
    let whole = std::fs::read(file("claude.in.jsonl")).expect("the input is readable");
    let half = &whole[..whole.len() / 2];
    let first = imported(&store, half);
    let run = first.runs.first().expect("a run").clone();
    assert!(run.as_str().starts_with("claude-"), "{run}");
    assert!(first.added > 0 && first.known == 0);
    let before = size(&store, &run);
    assert_eq!(imported(&store, half).added, 0);
    assert_eq!(size(&store, &run), before);
    let grown = imported(&store, &whole);
    assert_eq!(grown.known, first.added);
    assert!(grown.added > 0);
    assert_eq!((grown.torn, grown.unreadable), (true, 1));
    let reader = store.reader().expect("a reader");
    let row = reader.run(&run).expect("it answers").expect("it is there");
    for seq in 0..row.size {
        let fact = reader.fact(row.no, seq).expect("a fact");
        assert_eq!(fact.vantage, Vantage::Transcript);
        assert!(matches!(fact.what, What::Declared(_)));
        assert!(!serde_json::to_string(&fact).expect("text").contains("abcdefghijklmnop"), "secrets are taken out");
    }
}

#[test]
fn a_session_file_of_codex_becomes_a_run_of_its_own() {
    let (_dir, store) = store();
    let done = imported(&store, &std::fs::read(file("codex.in.jsonl")).expect("the input is readable"));
    assert_eq!(done.calls, 6);
    assert!(done.runs.first().is_some_and(|run| run.as_str().starts_with("codex-")));
}
