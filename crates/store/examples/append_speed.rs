//! Appends facts as a recording makes them, durable, hashed and indexed, beside a bare SQLite bulk insert of the
//! same rows. Prints seconds and what was done; `cargo xtask bench` runs it.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use agentprov_model::*;
use agentprov_store::{Durability, Location, Prepared, Store};
use rusqlite::Connection;
use std::time::Instant;

/// A thousand processes, twenty opens each time they get a turn, over twenty thousand paths.
fn fact(number: u64) -> Fact {
    let key = ProcessKey { boot: BootId("b".into()), pid: (number / 20 % 1000) as u32, start_ticks: 7 };
    let at = EventTime::from_nanos(1_700_000_000_000_000_000 + number as i64 * 5_000);
    let path = format!("/srv/user/project/src/module_{:03}/file_{:05}.rs", number % 211, number * 7 % 20_000);
    Fact {
        id: EventId::derive(at, &[b"attempt-0123456789ab", &number.to_be_bytes()]),
        at,
        recorded: at,
        attempt: AttemptNo(1),
        vantage: Vantage::Ptrace,
        basis: Basis::Observed,
        process: Some(key.id()),
        tid: None,
        redacted: Vec::new(),
        what: What::FileOpened(FileOpened {
            path: OsBytes::from(path),
            given: None,
            access: if number.is_multiple_of(10) { Access::Write } else { Access::Read },
            create: number.is_multiple_of(10),
            truncate: false,
            result: CallResult::Ok(3),
        }),
    }
}

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let count: u64 = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let seconds = match mode.as_str() {
        "ours" => append(count),
        "bare" => bulk_insert(count),
        _ => panic!("usage: append_speed ours|bare [FACTS]"),
    };
    println!("{seconds} {count} facts");
}

fn append(count: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(Location::chosen(dir.path().join("store"))).unwrap();
    let mut writer = store.writer().unwrap();
    let run = RunId::new("bench").unwrap();
    // Facts are made beforehand: the time is for serialising, hashing, indexing and writing.
    let facts: Vec<Fact> = (0..count).map(fact).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let (sender, batches) = std::sync::mpsc::sync_channel::<Vec<Prepared>>(4);
        let facts = &facts;
        scope.spawn(move || {
            for chunk in facts.chunks(4096) {
                sender.send(chunk.iter().map(Prepared::new).collect()).unwrap();
            }
        });
        for batch in batches {
            writer
                .transaction(Durability::Power, |transaction| {
                    let run = transaction.open_run(&run)?;
                    batch.iter().try_for_each(|fact| transaction.append(run, fact).map(drop))
                })
                .unwrap();
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let reader = store.reader().unwrap();
    assert_eq!(reader.run(&run).unwrap().unwrap().size, count, "every fact was appended");
    seconds
}

fn bulk_insert(count: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(dir.path().join("bare.db")).unwrap();
    // The pages and the log of a store.
    connection.pragma_update(None, "page_size", 8192).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 4096).unwrap();
    connection.pragma_update(None, "cache_size", -65_536).unwrap();
    connection.execute_batch("CREATE TABLE fact (pos INTEGER PRIMARY KEY, body BLOB NOT NULL)").unwrap();
    let bodies: Vec<Vec<u8>> = (0..count).map(|number| fact(number).to_body()).collect();
    let start = Instant::now();
    for (index, chunk) in bodies.chunks(4096).enumerate() {
        let transaction = connection.transaction().unwrap();
        let mut statement = transaction.prepare_cached("INSERT INTO fact (pos, body) VALUES (?1, ?2)").unwrap();
        for (place, body) in chunk.iter().enumerate() {
            statement.execute(((index * 4096 + place) as i64, body)).unwrap();
        }
        drop(statement);
        transaction.commit().unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    let rows: i64 = connection.query_row("SELECT count(*) FROM fact", [], |row| row.get(0)).unwrap();
    assert_eq!(rows as u64, count, "every row was inserted");
    seconds
}
