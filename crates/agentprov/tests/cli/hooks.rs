//! `agentprov hook` by itself: fast, silent, and never a burden to its agent.

use crate::place::{HOOK_PROGRAM, PROGRAM, Place};
use agentprov_model::declared::Deed;
use agentprov_model::{RunId, What};
use agentprov_store::{Durability, Location, Store};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Hooks in all, and at a time.
const HOOKS: u32 = 1_000;
const AT_A_TIME: usize = 8;
/// The middle one of all answers: a hook built for use, and one built for tests, which is several times as slow.
const MEDIAN: Duration = Duration::from_millis(if cfg!(debug_assertions) { 60 } else { 10 });

fn message(place: &Place, number: u32) -> Value {
    json!({"session_id": "s1", "cwd": place.work(), "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": format!("echo {number}")}, "tool_use_id": format!("toolu_{number}")})
}

fn hook(place: &Place, arguments: &[&str], message: &[u8]) -> Output {
    hook_of(PROGRAM, place, arguments, message)
}

fn hook_of(program: &str, place: &Place, arguments: &[&str], message: &[u8]) -> Output {
    let mut command = Command::new(program);
    command.arg("hook").args(arguments);
    let command = place.surround(&mut command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    // A hook that takes no message closes the pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(message);
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn silent(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

fn calls(store: &Store, run: &str) -> BTreeSet<String> {
    let reader = store.reader().expect("a reader");
    let row = reader.run(&RunId::new(run).expect("a name")).expect("it answers").expect("the run is there");
    let fact = |seq| reader.fact(row.no, seq).expect("the fact is there");
    let call = |seq| match fact(seq).what {
        What::Declared(declared) => match declared.deed {
            Deed::CallStarted(start) => Some(start.call.id.to_string()),
            _ => None,
        },
        _ => None,
    };
    (0..row.size).filter_map(call).collect()
}

#[test]
fn a_thousand_hooks_while_the_store_is_locked_lose_nothing() {
    let place = Place::new();
    place.run(["init"]).ok();
    let store = Store::open(Location::chosen(place.data_dir())).expect("a store");
    let mut writer = store.writer().expect("a writer");
    let next = AtomicU32::new(0);
    let work = || {
        let mut taken = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= HOOKS {
                return taken;
            }
            let message = message(&place, number).to_string();
            let begun = Instant::now();
            let output = hook_of(HOOK_PROGRAM, &place, &["claude"], message.as_bytes());
            taken.push(begun.elapsed());
            silent(&output);
        }
    };
    // The transaction holds the write lock for as long as the hooks run.
    let mut times: Vec<Duration> = writer
        .transaction(Durability::Process, |_| {
            Ok(std::thread::scope(|scope| {
                let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
                workers.into_iter().flat_map(|worker| worker.join().expect("it ends")).collect()
            }))
        })
        .expect("the lock was held");
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("{HOOKS} hooks, {AT_A_TIME} at a time: median {median:?}, slowest {:?}", times[times.len() - 1]);
    assert!(median <= MEDIAN, "median {median:?}");
    place.run(["runs"]).ok();
    let expected: BTreeSet<String> = (0..HOOKS).map(|number| format!("toolu_{number}")).collect();
    assert_eq!(calls(&store, "claude-s1"), expected);
}

#[test]
fn whatever_is_wrong_the_agent_is_not_told() {
    let place = Place::new();
    let good = message(&place, 1).to_string();
    for arguments in [&["nobody"][..], &[], &["claude", "--no-such-option"], &["claude", "more"]] {
        silent(&hook(&place, arguments, good.as_bytes()));
        silent(&hook_of(HOOK_PROGRAM, &place, arguments, good.as_bytes()));
    }
    for bad in [&b""[..], b"{", b"[]", b"\xff\xfe", &[b'x'; 300_000]] {
        silent(&hook(&place, &["claude"], bad));
        silent(&hook_of(HOOK_PROGRAM, &place, &["claude"], bad));
    }
    silent(&hook(&place, &["claude", "--data-dir", "/proc/no/such/folder"], good.as_bytes()));
    let blocked = place.write("blocked/.agentprov", "a file where a folder belongs");
    let message = json!({"session_id": "s1", "cwd": blocked.parent().expect("a folder"), "hook_event_name": "Stop"});
    silent(&hook(&place, &["claude"], message.to_string().as_bytes()));
}

/// Without a store in the agent's folder the user's own one is written to.
#[test]
fn the_users_own_store_takes_what_belongs_to_no_folder() {
    let place = Place::new();
    let own = place.root().join("home/.local/share/agentprov");
    silent(&hook(&place, &["claude"], message(&place, 7).to_string().as_bytes()));
    assert!(!place.data_dir().exists() && own.join("hooks.spool").is_file());
    let absent = place.run(["runs"]);
    assert!(absent.stderr.contains(&format!("add --data-dir {}", own.display())), "{}", absent.stderr);
    let shown = place.run([Path::new("--data-dir"), &own, Path::new("reconcile"), Path::new("--json")]).ok().json();
    assert_eq!(shown["calls"][0]["tool_call_id"], "toolu_7");
    assert_eq!(shown["verdict"], "declared_only");
}

/// The spool is made before the disk fills up; what it holds is there, the rest is counted.
#[test]
fn a_full_spool_counts_what_it_does_not_take() {
    let place = Place::new();
    place.run(["init"]).ok();
    let dir = place.data_dir();
    silent(&hook(&place, &["claude"], message(&place, 0).to_string().as_bytes()));
    let spool = agentprov_ingest::hooks::Spool::create(&dir).expect("a spool");
    let filler = vec![b'x'; agentprov_ingest::hooks::spool::MAX_RECORD];
    let mut fillers = 0;
    while spool.push(&filler).is_ok() {
        fillers += 1;
    }
    while spool.push(&filler[..512]).is_ok() {
        fillers += 1;
    }
    for number in 1..4 {
        silent(&hook(&place, &["claude"], message(&place, number).to_string().as_bytes()));
    }
    let document = place.run(["reconcile", "claude-s1", "--json"]).ok().json();
    assert_eq!(document["counts"]["calls"], 1);
    // What filled the spool is no message: it is counted as lost, too.
    assert_eq!(document["counts"]["hooks_lost"], fillers + 3);
    assert_eq!(place.run(["reconcile", "claude-s1", "--fail-on", "hooks-missing"]).status, 1);
}
