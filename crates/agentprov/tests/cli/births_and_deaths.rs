//! Parents that are killed while a child of theirs is being born: the child must be neither lost nor left stopped.

use crate::place::{Place, has};
use agentprov_model::What;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Forks until one of its own threads kills it; as `reaper` it has children that do so, and takes their orphans.
const DYING: &str = r#"
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void *killer(void *nanoseconds) {
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec - from.tv_nsec < (long)nanoseconds);
    kill(getpid(), SIGKILL);
    return 0;
}
static void die_forking(long nanoseconds) {
    pthread_t thread;
    if (pthread_create(&thread, 0, killer, (void *)nanoseconds)) _exit(2);
    for (int i = 0; i < 100000; i++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, 0, 0);
    }
    _exit(3);
}
int main(int count, char **arguments) {
    if (count < 3) return 4;
    long number = atol(arguments[2]);
    if (strcmp(arguments[1], "reaper")) die_forking(number);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1)) return 5;
    for (long i = 0; i < number; i++) {
        if (fork() == 0) die_forking(200000 + i * 7000);
        while (wait(0) > 0);
    }
    return 0;
}
"#;

const SECONDS: Duration = Duration::from_secs(20);

/// Keeps the processors busy until it is dropped, so that parents and children wait for each other.
struct Load(Vec<std::process::Child>);

impl Load {
    fn new() -> Self {
        let busy = || Command::new("timeout").args(["60", "sh", "-c", "while :; do :; done"]).spawn().expect("it runs");
        Self((0..3).map(|_| busy()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // SIGTERM, which `timeout` passes on to its command.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

fn build(place: &Place) {
    let source = place.write("dying.c", DYING);
    let built = Command::new("cc").arg(source).args(["-o", "dying", "-pthread"]).current_dir(place.work()).status();
    assert!(built.expect("cc runs").success());
}

/// The recorder's exit status; it must end by itself, and with everything that holds its standard output.
fn record(place: &Place, run: &str, arguments: [&str; 2]) -> Option<i32> {
    let mut command = place.command(["record", "-q", "--run", run, "--", "./dying"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut recording = command.spawn().expect("it starts");
    let mut output = recording.stdout.take().expect("piped");
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(std::io::copy(&mut output, &mut std::io::sink())));
    let began = Instant::now();
    let read = end.recv_timeout(SECONDS);
    if read.is_err() {
        let _ = recording.kill();
        panic!("run {run} still has processes after {:?}", began.elapsed());
    }
    recording.wait().expect("it is waited for").code()
}

fn every_process_ended(place: &Place, run: &str) -> usize {
    let facts = place.facts(run);
    let started = facts.iter().filter(|fact| matches!(fact.what, What::ProcessStarted(_))).count();
    let ended = facts.iter().filter(|fact| matches!(fact.what, What::ProcessExited(_))).count();
    assert_eq!(started, ended, "{run}: each start has its end");
    started
}

#[test]
fn a_child_of_a_command_that_is_killed_while_it_forks_goes_on() {
    if !has("a_child_of_a_command_that_is_killed_while_it_forks_goes_on", "cc") {
        return;
    }
    let place = Place::new();
    build(&place);
    let _load = Load::new();
    for delay in 0..40 {
        let run = format!("killed-{delay}");
        let nanoseconds = (300_000 + delay * 37_000).to_string();
        assert_eq!(record(&place, &run, ["alone", &nanoseconds]), Some(137), "{run}");
    }
    place.run(["verify", "killed-39"]).ok();
}

#[test]
fn children_whose_parents_were_killed_in_a_fork_go_to_a_reaper_in_the_tree() {
    if !has("children_whose_parents_were_killed_in_a_fork_go_to_a_reaper_in_the_tree", "cc") {
        return;
    }
    let place = Place::new();
    build(&place);
    let _load = Load::new();
    assert_eq!(record(&place, "reaper", ["reaper", "120"]), Some(0));
    assert!(every_process_ended(&place, "reaper") > 120);
    place.run(["verify", "reaper"]).ok();
}
