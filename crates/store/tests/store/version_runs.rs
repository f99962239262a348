//! Which runs hold a version: kept at append, made for older stores, missed by `fsck`, gone with the run.

use crate::fixture::{Place, fact, run};
use agentprov_model::content::GitSha1;
use agentprov_model::index::{CountGroup, IndexKey, KeyKind};
use agentprov_model::*;
use agentprov_store::{Durability, Prepared, RunNo, Store, fsck};

fn version(number: u64, path: &str, byte: u8) -> Fact {
    let content = Content {
        sha256: ContentId::from_bytes([byte; 32]),
        git: Some(GitBlobId::Sha1(GitSha1::from_bytes([byte; 20]))),
        size: 1,
        kept: Kept::HashOnly(HashOnly::TooLarge),
    };
    let what = What::FileVersion(FileVersion {
        path: path.into(),
        workspace_path: None,
        before: FileState::Missing,
        after: FileState::File { content, mode: 0o644 },
        writers: Vec::new(),
        cause: VersionCause::Closed,
    });
    Fact { what, ..fact("versions", number) }
}

fn prompt(number: u64, run: &str) -> Fact {
    let said = serde_json::json!({"agent": "claude", "session": format!("s-{run}"), "event": "UserPromptSubmit",
        "deed": {"prompt": {}}});
    let said = serde_json::from_value(said).expect("what an agent says");
    Fact { what: What::Declared(said), ..fact("prompts", number) }
}

/// Three runs, in each of which an agent speaks: two with versions of one path, of which one leaves the content of the third. Of the third's nobody knows
/// who made it.
fn filled(place: &Place) -> Store {
    let store = place.store();
    let rows = [("r1", "/w/a", 1), ("r2", "/w/a", 2), ("r3", "/w/b", 2)];
    for (number, (name, path, byte)) in (0..).zip(rows) {
        let write = |batch: &mut agentprov_store::Batch<'_>| {
            let no = batch.open_run(&run(name))?;
            let mut version = version(number, path, byte);
            version.process = version.process.filter(|_| name != "r3");
            batch.append(no, &Prepared::new(&version))?;
            batch.append(no, &Prepared::new(&prompt(number, name)))?;
            // An open of the other path is no version of it.
            batch.append(no, &Prepared::new(&fact("opens", number)))
        };
        store.writer().expect("a writer").transaction(Durability::Process, write).expect("facts");
    }
    store
}

fn found(store: &Store, kind: KeyKind, value: &[u8]) -> Vec<i64> {
    let reader = store.reader().expect("a reader");
    let runs = reader.runs_with_version(IndexKey { kind, value }).expect("runs");
    runs.into_iter().map(|RunNo(no)| no).collect()
}

fn assert_indexed(store: &Store) {
    assert_eq!(found(store, KeyKind::Path, b"/w/a"), [1, 2]);
    assert_eq!(found(store, KeyKind::Path, b"/w/opens/0"), Vec::<i64>::new());
    assert_eq!(found(store, KeyKind::Content, &[2; 32]), [2, 3]);
    assert_eq!(found(store, KeyKind::GitBlob, &[1; 20]), [1]);
    let reader = store.reader().expect("a reader");
    let declaring = |value: &[u8]| reader.runs_that_declare(IndexKey { kind: KeyKind::DeclaredSession, value });
    assert_eq!(declaring(b"s-r2").expect("runs"), [RunNo(2)]);
    assert_eq!(declaring(b"s-9").expect("runs"), []);
}

#[test]
fn the_runs_of_a_path_and_of_a_content_are_known() {
    let place = Place::new();
    let store = filled(&place);
    assert_indexed(&store);
    let reader = store.reader().expect("a reader");
    let key = IndexKey { kind: KeyKind::Content, value: &[2; 32] };
    let everywhere = reader.postings_everywhere(key).expect("postings");
    assert_eq!(everywhere, [(RunNo(2), vec![0]), (RunNo(3), vec![0])]);
    assert_eq!(reader.look_ups(), 2, "the first run is not asked");
    store.writer().expect("a writer").remove_run(&run("r2"), "jo", "a test").expect("it goes");
    assert_eq!(found(&store, KeyKind::Path, b"/w/a"), [1]);
}

#[test]
fn a_store_from_before_the_index_gets_it_when_it_is_opened() {
    let place = Place::new();
    drop(filled(&place));
    let sql = place.sql();
    sql.execute_batch("DROP TABLE version_run; DROP TABLE workspace; DROP TABLE pack; PRAGMA user_version = 2")
        .expect("an older store");
    drop(sql);
    let store = place.store();
    assert_indexed(&store);
    assert!(fsck::check(&store, &mut |_, _| {}).expect("a check").is_clean());
}

#[test]
fn versions_without_a_process_are_counted_and_were_not_always() {
    let place = Place::new();
    let counted = |store: &Store| {
        let reader = store.reader().expect("a reader");
        let of = |run| reader.tallies(RunNo(run), CountGroup::WithoutProcess).expect("counts");
        (1..=3).map(|run| of(run).into_iter().collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let at_append = counted(&filled(&place));
    assert_eq!(at_append.concat(), [("file_write".to_owned(), 1)], "one version of the three runs has none");
    let sql = place.sql();
    sql.execute_batch("DELETE FROM tally WHERE grp = 6; DROP TABLE pack; PRAGMA user_version = 3")
        .expect("an older store");
    drop(sql);
    let store = place.store();
    assert_eq!(counted(&store), at_append);
    assert!(fsck::check(&store, &mut |_, _| {}).expect("a check").is_clean());
}

#[test]
fn an_entry_that_is_missing_is_damage() {
    let place = Place::new();
    let store = filled(&place);
    assert!(fsck::check(&store, &mut |_, _| {}).expect("a check").is_clean());
    place.sql().execute("DELETE FROM version_run WHERE run = 3", []).expect("a statement");
    let report = fsck::check(&store, &mut |_, _| {}).expect("a check");
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["index-mismatch"], "{report:?}");
}
