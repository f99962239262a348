//! A recorder that is killed: what was acknowledged is there, and the run says that it was interrupted.

use crate::place::Place;
use crate::record::signal;
use std::time::{Duration, Instant};

/// Points at which the recorder is killed.
const POINTS: u32 = 200;
/// Facts that can be read at every fourth point.
const MANY: usize = 50;
/// Longest time that a recorder gets.
const MOST_MS: u64 = 120;

#[test]
fn a_killed_recorder_leaves_an_intact_store_and_an_interrupted_run() {
    let place = Place::new();
    let script = "i=0; while [ $i -lt 2000 ]; do /bin/true $i; echo $i >f; i=$((i + 1)); done";
    let mut random = Random(20_261_125);
    let mut interrupted = 0;
    let mut facts_before = 0;
    for point in 0..POINTS {
        let run = format!("k{point}");
        let mut child = place.command(["record", "-q", "--run", &run, "--", "sh", "-c", script]).spawn().expect("runs");
        // Every second point lies in the recording itself, however long a busy machine takes to begin it.
        if point % 2 == 1 {
            child_of(child.id());
        }
        // And every fourth where much of it can be read.
        let end = Instant::now() + Duration::from_secs(10);
        while point % 4 == 1 && facts_of(&place, &run).len() < MANY && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(random.next() % (MOST_MS * 1000)));
        // What another process could read is acknowledged: it must still be there afterwards.
        let acknowledged = facts_of(&place, &run);
        if let Some(tracer) = child_of(child.id()) {
            signal_if_there(tracer);
        }
        let status = ended(&mut child, &run);
        let runs = place.run(["runs", "--json"]);
        if runs.status != 0 {
            assert!(acknowledged.is_empty());
            continue; // Killed before there was a store.
        }
        let runs = runs.json();
        let Some(row) = runs["runs"].as_array().expect("a list").iter().find(|row| row["run_id"] == run.as_str())
        else {
            assert!(acknowledged.is_empty(), "{run}: {} facts are gone", acknowledged.len());
            continue; // Killed before the run had begun.
        };
        let state = row["outcome"]["state"].as_str().expect("a state").to_owned();
        if status.success() {
            assert_eq!(state, "passed");
        } else {
            assert!(["interrupted", "empty"].contains(&state.as_str()), "{run}: {state}");
        }
        interrupted += u32::from(state == "interrupted");
        let kept = facts_of(&place, &run);
        assert!(kept.len() >= acknowledged.len(), "{run}: {} of {} facts", kept.len(), acknowledged.len());
        assert!(kept.starts_with(&acknowledged), "{run}: another fact stands where one was read before the kill");
        facts_before += acknowledged.len();
        let verify = place.run(["verify", &run]);
        assert_eq!(verify.status, 0, "{run}: {}", verify.stdout);
    }
    assert!(facts_before > POINTS as usize * 10, "only {facts_before} facts could be read before the kills");
    assert!(interrupted > POINTS / 4, "only {interrupted} of {POINTS} points hit a recording");
    let left: Vec<String> = std::fs::read_dir(place.data_dir())
        .expect("the data dir")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("reserve"))
        .collect();
    assert!(left.is_empty(), "killed recorders leave {left:?}");
    place.run(["fsck"]).ok();
    place.record("after", "true").ok();
    place.run(["verify", "after"]).ok();
}

/// The ids of the facts of a run, in the order of the log, as another process reads them; none before there is a store.
fn facts_of(place: &Place, run: &str) -> Vec<String> {
    let query = format!(
        "SELECT json_extract(CAST(fact.body AS TEXT), '$.id') FROM fact, run WHERE run.id = '{run}'
         AND fact.pos >= run.no << 40 AND fact.pos < (run.no + 1) << 40 ORDER BY fact.pos"
    );
    let database = place.data_dir().join("store.db");
    let said = std::process::Command::new("sqlite3").arg("-readonly").arg(database).arg(query).output();
    let text = String::from_utf8(said.expect("sqlite3 runs").stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// Waits twenty seconds at most for a front whose tracer is gone. On a busy machine the shot may have come before the
/// tracer was there, or have hit a program that the front asked something of: then the tracer still lives, and is
/// killed now.
fn ended(child: &mut std::process::Child, run: &str) -> std::process::ExitStatus {
    let end = Instant::now() + Duration::from_secs(20);
    let mut again = Instant::now() + Duration::from_secs(1);
    loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            return status;
        }
        if Instant::now() > end {
            child.kill().expect("it can be killed");
            panic!("{run}: record hangs after its tracer was killed");
        }
        if Instant::now() > again {
            child_of(child.id()).into_iter().for_each(signal_if_there);
            again = Instant::now() + Duration::from_secs(1);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Numbers that are the same in every run of the test (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// The tracer: the only child of the front.
fn child_of(pid: u32) -> Option<u32> {
    let end = Instant::now() + Duration::from_millis(200);
    while Instant::now() < end {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().ok();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

fn signal_if_there(pid: u32) {
    if std::path::Path::new(&format!("/proc/{pid}")).exists() {
        signal(pid, "KILL");
    }
}
