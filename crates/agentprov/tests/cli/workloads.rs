//! Programs of the kinds that agents run: they end as they do alone, and every process is there.

use crate::bounded::InTime as _;
use crate::place::{Place, Said, has};
use agentprov_model::What;

/// Processes that came into a run.
fn processes(place: &Place, run: &str) -> usize {
    place.facts(run).iter().filter(|fact| matches!(fact.what, What::ProcessStarted(_))).count()
}

#[test]
fn a_shell_pipeline() {
    let place = Place::new();
    let said = place.record("p", "seq 1 1000 | grep 7 | sort -r | head -n 3 | tee out").ok();
    assert_eq!(said.stdout, "997\n987\n979\n");
    assert!(processes(&place, "p") >= 6);
    let patch = place.run(["graph", "diff", "--run", "p", "--file", "out"]).ok().stdout;
    assert!(patch.contains("+997"), "{patch}");
}

#[test]
fn a_python_test_suite() {
    if !has("a_python_test_suite", "python3") {
        return;
    }
    let place = Place::new();
    place.write(
        "test_it.py",
        "import unittest\n\nclass T(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(1 + 1, 2)\n",
    );
    let said = place.run(["record", "-q", "--run", "u", "--", "python3", "-m", "unittest", "-v"]).ok();
    assert!(said.stderr.contains("OK"), "{}", said.stderr);
}

#[test]
fn a_commit_and_what_it_wrote_below_the_git_folder() {
    let place = Place::with_git(&[("app.py", "print(1)\n")]);
    let script = "echo 'print(2)' >app.py && git -c user.name=t -c user.email=t@localhost commit -qam second";
    place.record("c", script).ok();
    assert_eq!(place.git(&["log", "--format=%s", "-1"]).trim(), "second");
    let show = place.run(["show", "c", "--json"]).ok().json();
    let changed = show["run"]["changed_files"].to_string();
    assert!(changed.contains("app.py") && changed.contains(".git/"), "{changed}");
    let blame = place.run(["blame", "app.py:1", "--run", "c", "--json"]).ok().json();
    assert_eq!(blame["lines"][0]["text"], "print(2)");
}

#[test]
fn a_program_with_two_hundred_threads() {
    if !has("a_program_with_two_hundred_threads", "python3") {
        return;
    }
    let place = Place::new();
    let program = "
import threading
barrier = threading.Barrier(200)
def work(number):
    barrier.wait()
    with open(f'f{number}', 'w') as file:
        file.write(str(number))
threads = [threading.Thread(target=work, args=(number,)) for number in range(200)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
";
    place.run(["record", "-q", "--run", "t", "--", "python3", "-c", program]).ok();
    let show = place.run(["show", "t", "--json"]).ok().json();
    assert_eq!(show["run"]["changed_files"].as_array().map(Vec::len), Some(200));
}

#[test]
fn two_thousand_processes_that_fork() {
    let place = Place::new();
    // Each generation doubles: 2^11 - 1 processes, bounded.
    let script = r#"bomb() { [ "$1" -le 0 ] && return; (bomb $(($1 - 1))) & (bomb $(($1 - 1))) & wait; }; bomb 10"#;
    place.record("bomb", script).ok();
    assert_eq!(processes(&place, "bomb"), 1 + 2046);
    place.run(["verify", "bomb"]).ok();
}

#[test]
fn a_double_fork_into_a_session_of_its_own() {
    let place = Place::new();
    place.record("fork", "(setsid sh -c '(echo done >deep) &' &) ; sleep 0.3").ok();
    let show = place.run(["show", "fork", "--json"]).ok().json();
    assert!(show["run"]["changed_files"].to_string().contains("deep"), "{show:#}");
}

#[test]
fn a_command_under_timeout() {
    let place = Place::new();
    let said = place.run(["record", "-q", "--run", "to", "--", "timeout", "0.3", "sleep", "30"]);
    assert_eq!(said.status, 124);
    let mut outer = std::process::Command::new("timeout");
    outer.args(["0.5", crate::place::PROGRAM, "record", "-q", "--run", "outer", "--", "sleep", "30"]);
    let said = Said::of(&place.surround(&mut outer).output_in_time());
    assert_eq!(said.status, 124);
    let show = place.run(["show", "outer", "--json"]).ok().json();
    assert_eq!(show["run"]["outcome"]["state"], "signaled", "{}", show["run"]["outcome"]);
}

#[test]
fn a_build_with_cargo_keeps_no_contents_of_the_target_folder() {
    if !has("a_build_with_cargo_keeps_no_contents_of_the_target_folder", "cargo") {
        return;
    }
    let place = Place::with_git(&[
        ("Cargo.toml", "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n"),
        ("src/main.rs", "fn main() { println!(\"tiny\"); }\n"),
        (".gitignore", "/target\n"),
    ]);
    let home = std::env::var_os("HOME").unwrap_or_default();
    let mut command = place.command(["record", "-q", "--run", "b", "--", "cargo", "run", "--quiet", "--offline"]);
    // Its toolchain is found through the caller's home.
    command.env("HOME", home).env_remove("CARGO_TARGET_DIR").env_remove("RUSTC_WRAPPER");
    let said = Said::of(&command.output_in_time()).ok();
    assert_eq!(said.stdout, "tiny\n");
    let kept: Vec<String> = place
        .facts("b")
        .into_iter()
        .filter_map(|fact| match fact.what {
            What::FileVersion(version) => Some(version),
            _ => None,
        })
        // Cargo writes CACHEDIR.TAG in a folder that becomes `target` only afterwards.
        .filter(|version| version.path.lossy().contains("/target/") && !version.path.lossy().ends_with("/CACHEDIR.TAG"))
        .filter(|version| version.after.content().is_some_and(|content| content.kept == agentprov_model::Kept::Stored))
        .map(|version| version.path.lossy().into_owned())
        .collect();
    assert!(kept.is_empty(), "contents below target/ were stored: {kept:?}");
}

#[test]
fn an_install_with_npm_from_a_folder() {
    if !has("an_install_with_npm_from_a_folder", "npm") {
        return;
    }
    let place = Place::new();
    place.write("dep/package.json", r#"{"name": "dep", "version": "1.0.0"}"#);
    place.write("dep/index.js", "module.exports = 42;\n");
    place.write("app/package.json", r#"{"name": "app", "version": "1.0.0", "dependencies": {"dep": "file:../dep"}}"#);
    let script = "cd app && npm install --offline --no-audit --no-fund --silent && node -p \"require('dep')\"";
    let said = place.record("npm", script).ok();
    assert_eq!(said.stdout.lines().last(), Some("42"));
}
