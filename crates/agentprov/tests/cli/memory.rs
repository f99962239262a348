//! A recording three times as long needs no more memory, once caches and queues of fixed size are full.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place, has};
use std::process::Command;

/// Runs its arguments and prints the peak of memory of the recorder's own, over its two processes, in KiB. Pages of
/// mapped files, the database's among them, belong to the system's cache and are not counted.
const PEAK: &str = "
import subprocess, sys, time
recorder = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
peak = 0
def own(pid):
    try:
        lines = open(f'/proc/{pid}/status').read().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith('RssAnon')), 0)
while recorder.poll() is None:
    try:
        children = open(f'/proc/{recorder.pid}/task/{recorder.pid}/children').read().split()
    except OSError:
        children = []
    peak = max([peak] + [own(pid) for pid in [recorder.pid] + children])
    time.sleep(0.005)
assert recorder.returncode == 0, recorder.returncode
print(peak)
";

fn peak_of(place: &Place, run: &str, processes: u32) -> f64 {
    let script = format!("i=0; while [ $i -lt {processes} ]; do /bin/true $i; echo $i >f; i=$((i + 1)); done");
    let mut command = Command::new("python3");
    command.args(["-c", PEAK, PROGRAM, "record", "-q", "--run", run, "--", "sh", "-c", &script]);
    let output = place.surround(&mut command).output_in_time();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_run() {
    if !has("memory_does_not_grow_with_the_length_of_a_run", "python3") {
        return;
    }
    let place = Place::new();
    let short = peak_of(&place, "short", 2_400);
    let long = peak_of(&place, "long", 7_200);
    println!("peak {short} KiB for 2,400 processes, {long} KiB for 7,200");
    assert!(place.facts("long").len() > 2 * place.facts("short").len(), "the long run is long");
    assert!(long < short * 1.3, "peak {short} KiB for 2,400 processes, {long} KiB for 7,200");
}
