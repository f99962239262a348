//! The launch wrapper: a line runs as it would without it.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place, Said, has};
use agentprov_model::{CallResult, What};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A link to the program under the wrapper's name.
fn wrapper(place: &Place) -> PathBuf {
    let link = place.root().join("agentprov-launch");
    std::os::unix::fs::symlink(PROGRAM, &link).expect("a link can be made");
    link
}

fn launched(place: &Place, line: &str) -> Command {
    let mut command = Command::new(wrapper(place));
    command.arg(line);
    place.surround(&mut command).env("SHELL", "/bin/bash");
    command
}

fn said(mut command: Command) -> Said {
    Said::of(&command.output_in_time())
}

#[test]
fn status_quoting_and_environment_are_those_of_the_line() {
    if !has("status_quoting_and_environment_are_those_of_the_line", "bash") {
        return;
    }
    let lines = [
        "exit 37",
        "printf '%s|' \"a b\" 'it'\\''s' \"$((1+2))\" '--help' \"$HOME\"; exit 3",
        "--version",
        "[[ -o interactive ]] || echo not interactive; echo \"$0 $#\" >&2",
        "eval 'echo x\ny=1' < /dev/null && pwd -P",
        "env | grep -c AGENTPROV; true",
    ];
    for line in lines {
        let place = Place::new();
        let wrapped = said(launched(&place, line));
        let mut plain = Command::new("/bin/bash");
        place.surround(plain.args(["-c", line])).env("SHELL", "/bin/bash");
        let plain = said(plain);
        assert_eq!(
            (wrapped.status, wrapped.stdout, wrapped.stderr),
            (plain.status, plain.stdout, plain.stderr),
            "{line}"
        );
    }
}

#[test]
fn standard_input_reaches_the_line_and_signals_end_it() {
    if !has("standard_input_reaches_the_line_and_signals_end_it", "bash") {
        return;
    }
    let place = Place::new();
    let mut command = launched(&place, "cat; kill -TERM $$; echo not reached");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"\x00\xffbytes").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.stdout, b"\x00\xffbytes");
    assert_eq!(Said::of(&output).status, 1015, "ended by SIGTERM");

    let place = Place::new();
    let pipe = said(launched(&place, "yes | head -n 1; echo ${PIPESTATUS[0]}"));
    assert_eq!(pipe.stdout, "y\n141\n", "writers to a closed pipe get SIGPIPE: {}", pipe.stderr);
}

#[test]
fn no_process_of_the_wrapper_stays() {
    if !has("no_process_of_the_wrapper_stays", "bash") {
        return;
    }
    let place = Place::new();
    let mut command = launched(&place, "echo $$; cat /proc/$$/comm; exec cat /proc/self/comm");
    let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let pid = child.id();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{pid}\nbash\ncat\n"));
}

#[test]
fn other_shells_and_names_are_understood() {
    let place = Place::new();
    let mut fish = launched(&place, "echo \"${BASH_VERSION:+bash}\"");
    fish.env("SHELL", "/usr/bin/fish");
    assert_eq!(said(fish).ok().stdout, "bash\n");
    let plain = place.run(["launch", "echo $0 $1", "a", "-b"]).ok();
    assert_eq!(plain.stdout, "a -b\n");
    let mut nothing = Command::new(PROGRAM);
    let said = Said::of(&place.surround(nothing.arg0("agentprov-launch")).output_in_time());
    assert_eq!(said.status, 2, "{}", said.stderr);
}

#[test]
fn a_recording_sets_the_wrapper_and_sees_it_run() {
    if !has("a_recording_sets_the_wrapper_and_sees_it_run", "bash") {
        return;
    }
    let place = Place::new();
    let script = "sh -c \"$CLAUDE_CODE_SHELL_PREFIX 'eval '\\''touch made'\\'' < /dev/null'\"";
    place.record("r", script).ok();
    assert!(place.work().join("made").exists());
    let link = place.data_dir().join("agentprov-launch");
    assert_eq!(std::fs::read_link(&link).expect("a link"), PathBuf::from(PROGRAM).canonicalize().expect("a path"));

    let line = "eval 'touch made' < /dev/null";
    let facts = place.facts("r");
    let run: Vec<_> = facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::ProcessExec(exec) if exec.result == CallResult::Ok(0) => Some((fact.process, exec)),
            _ => None,
        })
        .collect();
    let of = |program: &str| {
        let fits = |argv: Vec<String>| {
            argv.first().is_some_and(|name| name.ends_with(program)) && argv.last().is_some_and(|last| last == line)
        };
        run.iter().find(|(_, exec)| fits(exec.argv.iter().map(|word| word.lossy().into_owned()).collect()))
    };
    let (root, wrapper) = of("agentprov-launch").expect("the wrapper's start was recorded");
    let (inner, _) = of("bash").expect("the line's shell was recorded");
    assert_eq!(root, inner, "the line runs in the wrapper's process");
    assert!(!wrapper.commands.is_empty(), "the line can be compared with what was declared");

    let mut own = place.command(["record", "-q", "--", "sh", "-c", "echo $CLAUDE_CODE_SHELL_PREFIX"]);
    let said = Said::of(&own.env("CLAUDE_CODE_SHELL_PREFIX", "/theirs").output_in_time()).ok();
    assert_eq!(said.stdout, "/theirs\n");
    let said = place.run(["record", "-q", "--no-launch-wrapper", "--", "sh", "-c", "echo [$CLAUDE_CODE_SHELL_PREFIX]"]);
    assert_eq!(said.ok().stdout, "[]\n");
}
