//! Many writers on one store, and writers that are killed.

use crate::place::Place;
use crate::telemetry::row;
use agentprov_store::Location;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

const WRITERS: usize = 16;
const ROWS: usize = 300;

fn rows(writer: usize, count: usize) -> String {
    let mut rows = String::new();
    for n in 0..count {
        let what = if n % 10 == 0 {
            "\"event_type\":\"network_connect\",\"dst_ip\":\"10.0.0.7\""
        } else {
            "\"event_type\":\"execve\",\"argv\":[\"x\"]"
        };
        let _ =
            write!(rows, "{}", row(&format!("w{writer}-{n}"), 6 + n % 50, &format!("{what},\"pid\":{}", 100 + writer)));
    }
    rows
}

#[test]
fn sixteen_writers_lose_nothing() {
    let place = Place::new();
    for run in 0..4 {
        for writer in (run..WRITERS).step_by(4) {
            place.bind(&format!("R{run}"), &format!("T{writer}"), &["--pid", &(100 + writer).to_string()]);
        }
    }
    // Half of them are processes, half of them threads of one process that use the library.
    let mut children = Vec::new();
    for writer in 0..WRITERS / 2 {
        let file = place.write(&format!("rows-{writer}"), rows(writer, ROWS)).display().to_string();
        let mut command = place.command(["telemetry", "ingest-jsonl", "--json", "--file", &file]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        children.push(command.spawn().expect("it starts"));
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (WRITERS / 2..WRITERS)
            .map(|writer| {
                let location = Location::chosen(place.data_dir());
                scope.spawn(move || ingest_here(location, &rows(writer, ROWS)))
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), ROWS as u64);
        }
    });
    for child in children {
        let said = crate::place::Said::of(&child.wait_with_output().expect("it ends")).ok();
        assert_eq!(said.json()["ingested"], ROWS);
    }
    let mut ids = BTreeSet::new();
    for run in 0..4 {
        let run = format!("R{run}");
        for event in place.events(&run, &[]) {
            assert!(ids.insert(event["raw_event_id"].to_string()), "{event} is there twice");
        }
        place.run(["verify", &run]).ok();
    }
    assert_eq!(ids.len(), WRITERS * ROWS);
    place.run(["fsck"]).ok();
}

fn ingest_here(location: Location, rows: &str) -> u64 {
    use agentprov_ingest::telemetry::{IngestRequest, ingest};
    let store = agentprov_store::Store::open(location).expect("a store");
    let request = IngestRequest {
        format: agentprov_ingest::receivers::Format::Auto,
        path: "-".into(),
        from_offset: 0,
        provided: Default::default(),
        strict: false,
        drop_uncorrelated: false,
        keep_raw: true,
        host: "here".into(),
        table: std::sync::Arc::new(agentprov_model::ClassTable::builtin().clone()),
    };
    let clock = agentprov_ingest::hooks::wall_clock;
    let judge = Box::new(agentprov_ingest::Unjudged);
    ingest(&store, rows.as_bytes(), &request, judge, &clock, &mut |_| {}).expect("it is taken in").rows.ingested
}

#[test]
fn a_killed_ingest_is_completed_by_the_same_input() {
    let reference = Place::new();
    let input = rows(0, 12_000);
    reference.bind("R", "T", &["--pid", "100"]);
    reference.ingest(&input, &[]);
    let expected = facts(&reference);
    let mut hit = 0;
    for point in 0..8u64 {
        let place = Place::new();
        place.bind("R", "T", &["--pid", "100"]);
        let file = place.write("rows.jsonl", &input).display().to_string();
        let mut child = place.command(["telemetry", "ingest-jsonl", "--file", &file]).spawn().expect("it starts");
        let before = place.facts("R").len();
        // Killed when it has committed something, at another distance each time.
        for _ in 0..2000 {
            if place.facts("R").len() > before {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(point * 15));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let partial = place.facts("R").len();
        hit += u32::from(partial > before && partial < expected.len());
        place.run(["verify", "R"]).ok();
        place.ingest(&input, &[]);
        assert_eq!(facts(&place), expected, "killed at point {point}");
        place.run(["verify", "R"]).ok();
        place.run(["fsck"]).ok();
    }
    assert!(hit > 0, "no kill hit an ingest");
}

/// Id and body of every fact but for when it was taken in, and which raw rows were kept together.
fn facts(place: &Place) -> BTreeSet<String> {
    let facts = place.facts("R");
    let count = facts.len();
    let mut kept = BTreeSet::new();
    let mut raw_rows = 0;
    for fact in facts {
        match &fact.what {
            agentprov_model::What::RawLines(raw) => raw_rows += raw.lines,
            // Its leaves are positions, which follow those of raw rows.
            agentprov_model::What::IngestBatch(batch) => {
                kept.insert(format!("{} {} {}", batch.id, batch.leaves.len(), batch.event_ids_sha256));
            }
            what => {
                kept.insert(format!("{} {what:?}", fact.id));
            }
        }
    }
    assert!(count >= kept.len());
    kept.insert(format!("{raw_rows} raw rows"));
    kept
}
