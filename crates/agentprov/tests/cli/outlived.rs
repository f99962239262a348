//! What outlives the recording goes on undisturbed, and is reported.

use crate::place::Place;
use std::time::{Duration, Instant};

/// Opens, writes and renames files every 50 ms over `$1` rounds, and counts what failed.
const DAEMON: &str = r#"
rounds=$1 failed=0 i=0
while [ $i -lt $rounds ]; do
    { echo $i >tmp.$i && mv tmp.$i kept && cat kept >/dev/null && rm kept; } || failed=$((failed + 1))
    sleep 0.05
    i=$((i + 1))
done
echo "$failed" >failed
"#;

#[test]
fn a_daemon_that_outlives_the_recording_is_not_disturbed() {
    let place = Place::new();
    place.write("daemon.sh", DAEMON);
    let script = "setsid sh daemon.sh 400 </dev/null >/dev/null 2>&1 & echo started";
    let began = Instant::now();
    let said =
        place.run(["record", "--run", "d", "--json", "--post-root-grace-ms", "200", "--", "sh", "-c", script]).ok();
    assert!(began.elapsed() < Duration::from_secs(3), "record waited for the daemon");
    let manifest = said.json();
    let outlived = manifest["observed_processes"].as_array().expect("a list");
    assert!(outlived.iter().any(|process| process["outlived_root"] == true), "{manifest:#}");
    let end = Instant::now() + Duration::from_secs(120);
    while !place.work().join("failed").exists() {
        assert!(Instant::now() < end, "the daemon did not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(place.read("failed").trim(), "0", "calls of the daemon failed");
    assert!(began.elapsed() > Duration::from_secs(20), "the daemon did not work for twenty seconds");
    let show = place.run(["show", "d", "--json"]).ok().json();
    let not_seen = show["run"]["not_seen"].to_string();
    assert!(not_seen.contains("outlived"), "{not_seen}");
    place.run(["verify", "d"]).ok();
}

#[test]
fn orphans_are_ended_when_that_is_asked_for() {
    let place = Place::new();
    let script = "setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $! >pid";
    place.run(["record", "-q", "--run", "o", "--orphans", "terminate", "--", "sh", "-c", script]).ok();
    let pid = place.read("pid").trim().to_owned();
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.contains("(sleep)") || stat.contains(") Z ")
    };
    let end = Instant::now() + Duration::from_secs(5);
    while !gone() {
        assert!(Instant::now() < end, "process {pid} lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let show = place.run(["show", "o", "--json"]).ok().json();
    let processes = show["run"]["processes"].as_array().expect("a list").clone();
    let sleeper = processes.iter().find(|row| row["command"] == "sleep 300").expect("it is recorded");
    assert_eq!((&sleeper["outlived"], &sleeper["status"]), (&false.into(), &143.into()), "{sleeper:#}");
    assert!(!show["run"]["not_seen"].to_string().contains("outlived"), "{show:#}");
}
