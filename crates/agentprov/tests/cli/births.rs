//! Every way in which a process comes to be or becomes another program, and what a privilege bit means under a tracer.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place, Said, has};
use agentprov_model::{Fact, ProcessId, ProcessOrigin, What};
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

const NOBODY: u32 = 65_534;

/// Each branch makes one child that runs `/bin/true` with the branch's name as its argument.
const BIRTHS: &str = r#"
#define _GNU_SOURCE
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static void run(const char *name) { execl("/bin/true", "true", name, (char *)0); _exit(9); }
static void *from_thread(void *name) { run(name); return 0; }
static int child(void *name) { run(name); return 9; }
int main(void) {
    if (fork() == 0) run("fork");
    if (vfork() == 0) run("vfork");
    char *arguments[] = {"true", "spawn", 0};
    pid_t pid;
    if (posix_spawn(&pid, "/bin/true", 0, 0, arguments, environ)) return 2;
    struct clone_args wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.exit_signal = SIGCHLD;
    long made = syscall(SYS_clone3, &wanted, sizeof wanted);
    if (made == 0) run("clone3");
    if (made < 0) return 3;
    char *stack = malloc(1 << 16);
    if (clone(child, stack + (1 << 16), SIGCHLD, "clone") < 0) return 4;
    if (fork() == 0) {
        pthread_t thread;
        pthread_create(&thread, 0, from_thread, "thread");
        for (;;) pause();
    }
    int status, left = 6;
    while (left > 0 && wait(&status) > 0) { if (status) return 5; left--; }
    return left;
}
"#;

/// What the program ran under each name: its process, how that came to be, and how it ended.
fn runs_of_true(facts: &[Fact]) -> BTreeMap<String, (ProcessId, Option<ProcessOrigin>, bool)> {
    let mut found = BTreeMap::new();
    for fact in facts {
        let (What::ProcessExec(exec), Some(process)) = (&fact.what, fact.process) else { continue };
        let [program, name] = &exec.argv[..] else { continue };
        if program.as_bytes() == b"true" && exec.result.succeeded() {
            let own = |other: &&Fact| other.process == Some(process);
            let origin = facts.iter().filter(own).find_map(|fact| match &fact.what {
                What::ProcessStarted(started) => Some(started.origin),
                _ => None,
            });
            let ended = facts.iter().filter(own).any(|fact| matches!(fact.what, What::ProcessExited(_)));
            assert!(found.insert(name.lossy().into_owned(), (process, origin, ended)).is_none(), "{name:?} ran twice");
        }
    }
    found
}

#[test]
fn every_kind_of_birth_is_one_process_with_its_program() {
    if !has("every_kind_of_birth_is_one_process_with_its_program", "cc") {
        return;
    }
    let place = Place::new();
    let source = place.write("births.c", BIRTHS);
    let built = Command::new("cc").arg(source).args(["-o", "births", "-pthread"]).current_dir(place.work()).status();
    assert!(built.expect("cc runs").success());
    place.run(["record", "-q", "--run", "b", "--", "./births"]).ok();
    let facts = place.facts("b");
    let runs = runs_of_true(&facts);
    let names: Vec<&str> = runs.keys().map(String::as_str).collect();
    assert_eq!(names, ["clone", "clone3", "fork", "spawn", "thread", "vfork"]);
    for (name, (process, origin, ended)) in &runs {
        assert!(ended, "the end of {name} is missing");
        let expected: &[ProcessOrigin] = match name.as_str() {
            "vfork" | "spawn" => &[ProcessOrigin::Vfork],
            _ => &[ProcessOrigin::Fork, ProcessOrigin::Clone],
        };
        assert!(origin.is_some_and(|origin| expected.contains(&origin)), "{name} ({process}) came by {origin:?}");
    }
    // The thread that runs a program takes over its process: no other process begins, and none is left open.
    let started = facts.iter().filter(|fact| matches!(fact.what, What::ProcessStarted(_))).count();
    let exited = facts.iter().filter(|fact| matches!(fact.what, What::ProcessExited(_))).count();
    assert_eq!((started, exited), (7, 7));
}

#[test]
fn a_program_that_loses_its_privilege_is_said_with_the_way_out() {
    let test = "a_program_that_loses_its_privilege_is_said_with_the_way_out";
    if !has(test, "setpriv") || !has(test, "id") {
        return;
    }
    let place = Place::new();
    let program = place.work().join("as-root");
    std::fs::copy("/usr/bin/id", &program).expect("a copy");
    if chown(&program, Some(0), Some(0)).is_err() {
        println!("SKIP {test}: only root can make a setuid program");
        return;
    }
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).expect("a mode");
    for folder in [place.root(), place.work()] {
        chown(folder, Some(NOBODY), Some(NOBODY)).expect("an owner");
    }
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).args(arguments);
        Said::of(&place.surround(&mut command).output_in_time())
    };
    let bare = as_nobody(&["./as-root", "-u"]);
    if bare.stdout != "0\n" || as_nobody(&[PROGRAM, "--version"]).status != 0 {
        println!("SKIP {test}: another user can't run setuid programs or this program here");
        return;
    }
    let said = as_nobody(&[PROGRAM, "record", "--run", "p", "--", "./as-root", "-u"]).ok();
    assert_eq!(said.stdout, "65534\n", "the kernel drops the privilege of a traced program");
    assert!(said.stderr.contains("as-root") && said.stderr.contains("privilege"), "{}", said.stderr);
    let show = as_nobody(&[PROGRAM, "show", "p", "--json"]).ok().json();
    let gap = &show["run"]["gaps"][0];
    assert_eq!(gap["kind"], "privilege_dropped");
    assert!(gap["way_out"].as_str().is_some_and(|way_out| !way_out.is_empty()), "{gap}");
}

#[test]
fn a_scope_without_a_cgroup_sees_the_same() {
    let test = "a_scope_without_a_cgroup_sees_the_same";
    if !has(test, "unshare") {
        return;
    }
    let place = Place::new();
    let script = "for i in 1 2 3; do (/bin/true $i &) ; done; sleep 0.1; echo x > f";
    place.record("group", script).ok();
    // Below a read-only cgroup file system no group can be made.
    let wrapped = "for m in /sys/fs/cgroup /sys/fs/cgroup/unified; do mount -o remount,bind,ro $m 2>/dev/null; done; \
                   exec \"$0\" record -q --run tree -- sh -c \"$1\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", wrapped, PROGRAM, script]);
    let said = Said::of(&place.surround(&mut command).output_in_time());
    if said.status != 0 && said.stderr.contains("unshare") {
        println!("SKIP {test}: no mount namespace: {}", said.stderr.trim());
        return;
    }
    said.ok();
    let scope = |run: &str| {
        place.facts(run).into_iter().find_map(|fact| match fact.what {
            What::Bound(bound) => Some((bound.cgroup_id.is_some(), bound.no_cgroup)),
            _ => None,
        })
    };
    let (has_group, why) = scope("tree").expect("an attempt");
    assert!(!has_group && why.is_some(), "the reason is said: {why:?}");
    let programs = |run: &str| {
        let facts = place.facts(run);
        let mut programs: Vec<String> = facts
            .iter()
            .filter_map(|fact| match &fact.what {
                What::ProcessExec(exec) if exec.result.succeeded() => Some(format!("{:?}", exec.argv)),
                _ => None,
            })
            .collect();
        programs.sort_unstable();
        programs
    };
    assert_eq!(programs("tree"), programs("group"));
    if let Some((false, Some(why))) = scope("group") {
        println!("SKIP {test}, the half with a cgroup: {why}");
    }
}

#[test]
fn a_file_that_is_saved_by_renaming_has_the_content_and_the_writer() {
    let place = Place::with_git(&[("a.txt", "one\n")]);
    place.record("save", "echo two > .a.txt.tmp; mv .a.txt.tmp a.txt").ok();
    let patch = place.run(["graph", "diff", "--run", "save", "--file", "a.txt"]).ok().stdout;
    assert!(patch.contains("-one") && patch.contains("+two"), "{patch}");
    let blame = place.run(["blame", "a.txt:1", "--run", "save", "--json"]).ok().json();
    let owner = blame["lines"][0].to_string();
    assert!(owner.contains("echo two"), "the shell wrote the line, mv only moved it: {owner}");
    assert!(Path::new(&place.work()).join("a.txt").exists());
}
