//! What the recording has of calls and files that strace is not asked about in `complete`.

use crate::bounded::InTime as _;
use crate::place::{Place, Said, has};
use agentprov_model::{FileOp, FileState, FileVersion, GapKind, HashOnly, Kept, NetworkOp, What};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

fn versions(place: &Place, run: &str, name: &str) -> Vec<FileVersion> {
    let path = place.work().join(name).display().to_string();
    let all = place.facts(run).into_iter().filter_map(|fact| match fact.what {
        What::FileVersion(version) => Some(version),
        _ => None,
    });
    all.filter(|version| version.path.lossy() == path).collect()
}

fn blob(place: &Place, state: &FileState) -> Vec<u8> {
    let content = state.content().expect("a content");
    let reader = place.reader();
    reader.store().blobs().get(&content.sha256).expect("readable").expect("stored")
}

fn python(place: &Place, run: &str, program: &str) -> Said {
    place.run(["record", "-q", "--run", run, "--", "python3", "-c", program])
}

#[test]
fn socket_calls_with_every_kind_of_address() {
    if !has("socket_calls_with_every_kind_of_address", "python3") {
        return;
    }
    let place = Place::new();
    let program = "
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.sendto(b'x', ('127.0.0.1', 40001))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.bind(('::1', 0))
six.sendmsg([b'x'], [], 0, ('::1', 40002))
unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
unix.bind('here.sock'); unix.listen()
socket.socket(socket.AF_UNIX).connect('here.sock')
try:
    socket.socket(socket.AF_UNIX).connect('\\0nobody-listens-here')
except OSError:
    pass
try:
    socket.create_connection(('127.0.0.1', 1))
except OSError:
    pass
";
    python(&place, "net", program).ok();
    let seen: Vec<(NetworkOp, String, bool)> = place
        .facts("net")
        .into_iter()
        .filter_map(|fact| match fact.what {
            What::Network(call) => Some((call.op, call.address.to_string(), call.result.succeeded())),
            _ => None,
        })
        .collect();
    let has = |op, part: &str, ok| seen.iter().any(|(o, address, k)| *o == op && address.contains(part) && *k == ok);
    assert!(has(NetworkOp::Send, "127.0.0.1:40001", true), "{seen:?}");
    assert!(has(NetworkOp::Bind, "[::1]:0", true), "{seen:?}");
    assert!(has(NetworkOp::Send, "[::1]:40002", true), "{seen:?}");
    assert!(has(NetworkOp::Bind, "here.sock", true) && has(NetworkOp::Connect, "here.sock", true), "{seen:?}");
    assert!(has(NetworkOp::Connect, "nobody-listens-here", false), "{seen:?}");
    assert!(has(NetworkOp::Connect, "127.0.0.1:1", false), "{seen:?}");
}

#[test]
fn changes_of_names_and_attributes() {
    if !has("changes_of_names_and_attributes", "python3") {
        return;
    }
    let place = Place::new();
    let script = "mkdir d; echo 1 >d/a; ln d/a d/b; ln -s a d/c; chmod 600 d/a; python3 -c 'import os; os.truncate(\"d/a\", 9)'; mv d/a d/e; rm d/b d/c d/e; rmdir d; mkdir /proc/none";
    place.record("names", script);
    let ops: Vec<(FileOp, bool)> = place
        .facts("names")
        .into_iter()
        .filter_map(|fact| match fact.what {
            What::FileChanged(change) => Some((change.op, change.result.succeeded())),
            _ => None,
        })
        .collect();
    for op in [
        FileOp::Mkdir,
        FileOp::Link,
        FileOp::Symlink,
        FileOp::Chmod,
        FileOp::Truncate,
        FileOp::Rename,
        FileOp::Unlink,
        FileOp::Rmdir,
    ] {
        assert!(ops.contains(&(op, true)), "{op:?} is missing: {ops:?}");
    }
    assert!(ops.contains(&(FileOp::Mkdir, false)), "the failed mkdir is missing");
}

#[test]
fn attempts_at_privilege() {
    if !has("attempts_at_privilege", "python3") {
        return;
    }
    let place = Place::new();
    let program = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for call in (lambda: os.setuid(os.getuid()), lambda: os.setgid(os.getgid())):
    try:
        call()
    except OSError:
        pass
libc.mount(b'none', b'/nowhere', b'tmpfs', 0, None)
libc.ptrace(16, 1, 0, 0)
";
    python(&place, "priv", program).ok();
    let calls: Vec<String> = place
        .facts("priv")
        .into_iter()
        .filter_map(|fact| match fact.what {
            What::Privilege(call) => Some(call.call),
            _ => None,
        })
        .collect();
    for name in ["setuid", "setgid", "mount", "ptrace"] {
        assert!(calls.iter().any(|call| call.contains(name)), "{name} is missing: {calls:?}");
    }
}

#[test]
fn ways_past_the_tracer_are_gaps() {
    let test = "ways_past_the_tracer_are_gaps";
    if !has(test, "cc") || !cfg!(target_arch = "x86_64") {
        return;
    }
    let place = Place::new();
    // io_uring_setup, a 32-bit call by the old gate (mkdir is 39 there), and an x32 call (mkdir is 83).
    let source = r#"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    char params[120] = {0};
    syscall(425, 1, params);
    syscall(0x40000000 + 83, "x32-folder", 0755);
    char *low = mmap((void *)0x10000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    strcpy(low, "i386-folder");
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(39), "b"(low), "c"(0755) : "memory");
    return 0;
}
"#;
    let file = place.write("past.c", source);
    let built = Command::new("cc").arg("-o").arg(place.work().join("past")).arg(file).status().expect("cc runs");
    assert!(built.success());
    place.record("past", "./past");
    let facts = place.facts("past");
    let gaps: Vec<GapKind> =
        facts.iter().filter_map(|fact| if let What::Gap(gap) = &fact.what { Some(gap.kind) } else { None }).collect();
    assert!(gaps.contains(&GapKind::IoUring), "{gaps:?}");
    // What the kernel did is in the recording, or a gap says that it may not be.
    for (name, gap) in [("i386-folder", GapKind::ForeignArchitecture), ("x32-folder", GapKind::ForeignArchitecture)] {
        if place.work().join(name).exists() {
            let seen = facts
                .iter()
                .any(|fact| matches!(&fact.what, What::FileChanged(change) if change.path.lossy().ends_with(name)));
            assert!(seen || gaps.contains(&gap), "{name} was made unseen: {gaps:?}");
        }
    }
}

#[test]
fn versions_have_the_bytes_that_were_written_and_those_before() {
    let place = Place::with_git(&[("tracked.bin", "before\0\n"), ("kept.txt", "x\n")]);
    std::fs::set_permissions(place.work().join("kept.txt"), std::fs::Permissions::from_mode(0o644)).expect("chmod");
    place
        .record(
            "v",
            "printf 'after\\000\\377' >tracked.bin; chmod 755 kept.txt; rm -f tracked.bin2; ln -s kept.txt link",
        )
        .ok();
    let version = versions(&place, "v", "tracked.bin").pop().expect("a version");
    assert_eq!(blob(&place, &version.after), b"after\0\xff");
    let before = version.before.content().expect("the state before is known");
    assert_eq!(before.kept, Kept::Git, "what git holds is not copied");
    let before_id = place.git(&["rev-parse", "HEAD:tracked.bin"]);
    assert_eq!(before.git.expect("git's name").to_string(), before_id.trim());
    let changed = place.run(["show", "v", "--json"]).ok().json()["run"]["changed_files"].to_string();
    assert!(changed.contains("kept.txt") && changed.contains("link"), "{changed}");
}

#[test]
fn a_file_that_git_does_not_know_is_copied_before_the_first_write() {
    let place = Place::with_git(&[]);
    place.write("untracked.txt", "old\n");
    place.record("u", "echo new >untracked.txt").ok();
    let version = versions(&place, "u", "untracked.txt").pop().expect("a version");
    assert_eq!(blob(&place, &version.before), b"old\n");
    assert_eq!(blob(&place, &version.after), b"new\n");
}

#[test]
fn writes_through_maps_and_inherited_descriptors_are_seen() {
    if !has("writes_through_maps_and_inherited_descriptors_are_seen", "python3") {
        return;
    }
    let place = Place::new();
    place.write("mapped", "0".repeat(4096));
    let program = "
import mmap, os, subprocess
file = os.open('mapped', os.O_RDWR)
view = mmap.mmap(file, 4096); os.close(file)
view[:5] = b'hello'; view.close()
out = open('inherited', 'w')
subprocess.run(['sh', '-c', 'echo from the child'], stdout=out); out.close()
";
    python(&place, "m", program).ok();
    let mapped = versions(&place, "m", "mapped").pop().expect("a version of the mapped file");
    assert!(blob(&place, &mapped.after).starts_with(b"hello"));
    let inherited = versions(&place, "m", "inherited").pop().expect("a version");
    assert_eq!(blob(&place, &inherited.after), b"from the child\n");
    assert!(!inherited.writers.is_empty());
}

#[test]
fn names_that_are_not_text_stay_as_they_are() {
    if !has("names_that_are_not_text_stay_as_they_are", "python3") {
        return;
    }
    let place = Place::new();
    python(&place, "n", "open(b'caf\\xe9 \\n\"x', 'w').write('1')").ok();
    let found = place.facts("n").into_iter().any(
        |fact| matches!(&fact.what, What::FileVersion(version) if version.path.as_bytes().ends_with(b"/caf\xe9 \n\"x")),
    );
    assert!(found);
    let shown = place.run(["show", "n"]).ok().stdout;
    assert!(!shown.contains("caf\u{fffd} \n"), "a line break in a name breaks the line: {shown}");
}

#[test]
fn limits_and_ignored_folders_keep_only_hashes_and_say_so() {
    let place = Place::with_git(&[(".gitignore", "out/\n")]);
    let script = "mkdir out; echo secret >out/x; head -c 5000 /dev/zero >big; echo small >small";
    place.run(["record", "-q", "--run", "l", "--max-file-bytes", "1000", "--", "sh", "-c", script]).ok();
    let kept = |name: &str| versions(&place, "l", name).pop().expect("a version").after.content().expect("hashed").kept;
    assert_eq!(kept("out/x"), Kept::HashOnly(HashOnly::Ignored));
    assert_eq!(kept("big"), Kept::HashOnly(HashOnly::TooLarge));
    assert_eq!(kept("small"), Kept::Stored);
    let not_seen = place.run(["show", "l", "--json"]).ok().json()["run"]["not_seen"].to_string();
    assert!(not_seen.contains("no content was kept"), "{not_seen}");

    let script = "head -c 900 /dev/urandom >r1; head -c 900 /dev/urandom >r2";
    place.run(["record", "-q", "--run", "b", "--run-budget", "1000", "--", "sh", "-c", script]).ok();
    let kept = ["r1", "r2"]
        .map(|name| versions(&place, "b", name).pop().expect("a version").after.content().expect("hashed").kept);
    assert!(kept.contains(&Kept::HashOnly(HashOnly::RunBudget)), "{kept:?}");
    let show = place.run(["show", "b", "--json"]).ok().json();
    let contents =
        show["run"]["coverage"].as_array().expect("a list").iter().find(|class| class["class"] == "contents").cloned();
    assert_eq!(contents.expect("the class is listed")["level"], "partial");
    assert!(show["run"]["gaps"].to_string().contains("--run-budget"), "{show:#}");
}

#[test]
fn the_store_is_private_and_hides_itself_from_git() {
    let place = Place::with_git(&[]);
    place.record("p", "true").ok();
    let mode = |name: &str| std::fs::metadata(place.data_dir().join(name)).expect("it is there").mode() & 0o777;
    assert_eq!((mode("."), mode("store.key")), (0o700, 0o600));
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    std::fs::create_dir(place.work().join("deep")).expect("a folder");
    let mut command = place.command(["runs", "--json"]);
    let said = Said::of(&command.current_dir(place.work().join("deep")).output_in_time()).ok();
    assert_eq!(said.json()["run_count"], 1, "the store is found upward");
}

#[test]
fn sampling_says_that_it_is_partial() {
    let place = Place::new();
    place.run(["record", "-q", "--run", "s", "--backend", "procfs", "--", "sh", "-c", "sleep 0.3; echo 1 >a"]).ok();
    let runs = place.run(["runs", "--json"]).ok().json();
    let coverage = runs["runs"][0]["coverage"].as_str().expect("a clause").to_owned();
    assert!(coverage.contains("partial") && coverage.contains("none"), "{coverage}");
    place.run(["verify", "s"]).ok();
    let show = place.run(["show", "s", "--json"]).ok().json();
    let changed = show["run"]["changed_files"].to_string();
    assert!(changed.contains("\"a\"") && !changed.contains("store.db"), "the recorder's own work is shown: {changed}");
}

#[test]
fn a_debugger_inside_is_said_with_the_way_out() {
    if !has("a_debugger_inside_is_said_with_the_way_out", "strace") {
        return;
    }
    let place = Place::new();
    let said = place.record("dbg", "strace -o trace true");
    assert!(said.stderr.contains("note:"), "{}", said.stderr);
    let gaps: Vec<String> = place
        .facts("dbg")
        .into_iter()
        .filter_map(|fact| if let What::Gap(gap) = fact.what { gap.way_out } else { None })
        .collect();
    assert!(!gaps.is_empty(), "no gap with a way out");
}

#[test]
fn output_is_kept_only_when_asked_for_and_within_its_bound() {
    let place = Place::new();
    place.run(["record", "-q", "--run", "o", "--keep-output=10", "--", "sh", "-c", "echo 0123456789abcdef"]).ok();
    let show = place.run(["show", "o", "--json"]).ok().json();
    let output =
        show["run"]["outputs"].as_array().expect("a list").iter().find(|output| output["stream"] == "stdout").cloned();
    let output = output.expect("standard output was kept");
    assert_eq!((&output["kept_bytes"], &output["total_bytes"]), (&10.into(), &17.into()));
}

#[test]
fn a_workspace_that_was_moved_is_not_called_damaged() {
    let place = Place::with_git(&[("a.txt", "one\n")]);
    place.record("r", "echo two > a.txt").ok();
    place.run(["fsck"]).ok();
    std::fs::rename(place.work().join(".git"), place.root().join("taken")).expect("a move");
    let said = place.run(["--data-dir", &place.data_dir().display().to_string(), "fsck"]).ok();
    assert!(said.stdout.contains("external-unreachable") && said.stdout.contains("in order"), "{}", said.stdout);
}

#[test]
fn files_are_found_in_the_newest_run_that_changed_them_whatever_their_name() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    place.record("one", "echo 1 >a:12; printf 'x\n' >\"$(printf 'n\\377')\"").ok();
    place.record("two", "echo 2 >b").ok();
    let show = place.run(["show", "a:12"]).ok().stdout;
    assert!(show.contains("run one"), "{show}");
    let odd = std::ffi::OsStr::from_bytes(b"n\xff");
    let show = place.run([std::ffi::OsStr::new("show"), odd]).ok().stdout;
    assert!(show.contains("run one"), "{show}");
    place.record("three", "echo 3 >b").ok();
    assert!(place.run(["show", "b"]).ok().stdout.contains("run three"));
    // No file is named `a`, and one is named `a:12`.
    let blame = place.run(["blame", "a:12", "--json"]).ok().json();
    assert_eq!((&blame["run_id"], &blame["lines"][0]["text"]), (&"one".into(), &"1".into()));
    assert_eq!(place.run(["blame", "a:12:1", "--json"]).ok().json()["lines"][0]["text"], "1");
    let said = place.run(["graph", "diff", "--file", "a:12"]);
    assert!(said.status == 1 && said.stderr.contains("run 'one' changed it: --run one"), "{}", said.stderr);
    let said = place.run(["blame", "b:0"]);
    assert!(said.status == 1 && said.stderr.contains("counted from 1"), "{}", said.stderr);
}
