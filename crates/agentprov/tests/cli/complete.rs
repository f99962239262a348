//! strace is the oracle: what it sees of a workload, the recording has, each thing as often.

use crate::bounded::InTime as _;
use crate::place::{Place, has};
use agentprov_model::{Access, CallResult, Fact, FileOp, NetworkOp, Outcome, What, errno};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// 1,000 processes that live less than a millisecond, and files, names and connections between them.
const WORKLOAD: &str = r#"
i=0
while [ $i -lt 1000 ]; do
    /bin/true "$i" 'two words' ""
    i=$((i + 1))
done
i=0
while [ $i -lt 80 ]; do
    echo "$i" >"a$i"
    mv "a$i" "b$i"
    cat "b$i" /nowhere/$i >/dev/null 2>&1
    [ $((i % 2)) = 0 ] && rm "b$i"
    (exit $((i % 7)))
    i=$((i + 1))
done
/nowhere/program x
sh -c 'kill -KILL $$'
"$PYTHON" sockets.py
"#;

const SOCKETS: &str = r#"
import os, socket
for port in range(2, 12):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            socket.socket(family).connect((host, port))
        except OSError:
            pass
try:
    socket.socket(socket.AF_UNIX).connect("./no socket")
except OSError:
    pass
os.rename("b1", "c1"); os.unlink("c1")
fd = os.open("t", os.O_RDWR | os.O_CREAT | os.O_TRUNC); os.ftruncate(fd, 5); os.close(fd)
"#;

/// Things by how often they were seen.
type Tally = BTreeMap<String, i64>;

#[test]
fn everything_that_strace_sees_is_recorded() {
    let test = "everything_that_strace_sees_is_recorded";
    if !has(test, "strace") || !has(test, "python3") {
        return;
    }
    let place = Place::new();
    place.write("work.sh", WORKLOAD);
    place.write("sockets.py", SOCKETS);
    // Python writes byte code of its own modules at the first run on a machine.
    // The interpreter itself, not a shim in the PATH: of a script, the recording has the arguments that the kernel made.
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output_in_time();
    let python = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let quiet = |command: &mut Command| {
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHON", &python);
    };
    let traces = place.root().join("traces");
    std::fs::create_dir(&traces).expect("a folder");
    let mut strace = Command::new("strace");
    strace.args(["-ff", "-qq", "-s", "4096", "-e", "signal=none", "-e"]);
    strace.arg("trace=execve,open,openat,creat,unlink,unlinkat,rename,renameat,renameat2,connect");
    strace.arg("-o").arg(traces.join("t")).args(["sh", "work.sh"]);
    quiet(place.surround(&mut strace));
    let status = strace.output_in_time().status;
    assert!(status.code().is_some(), "strace was killed");

    for entry in std::fs::read_dir(place.work()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name != "work.sh" && name != "sockets.py") {
            std::fs::remove_file(path).expect("a file of the first run");
        }
    }
    let mut record = place.command(["record", "--quiet", "--run", "w", "--", "sh", "work.sh"]);
    quiet(&mut record);
    record.output_in_time();

    let expected = of_strace(&traces, &place.work());
    let recorded = of_facts(&place.facts("w"), &place.work());
    assert!(expected.len() > 1_500, "strace saw only {} different things", expected.len());
    assert!(expected.keys().filter(|key| key.starts_with("exec [\"/bin/true\"")).count() == 1_000);
    let missing: Vec<String> = expected
        .iter()
        .filter(|(thing, count)| recorded.get(*thing).copied().unwrap_or(0) != **count)
        .map(|(thing, count)| format!("{thing}: {count}, recorded {}", recorded.get(thing).copied().unwrap_or(0)))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {}:\n{}",
        missing.len(),
        expected.len(),
        missing[..missing.len().min(30)].join("\n")
    );
}

fn of_strace(folder: &Path, work: &Path) -> Tally {
    let mut tally = Tally::new();
    for entry in std::fs::read_dir(folder).expect("traces") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a trace");
        let mut argv = "fork".to_owned();
        for line in text.lines() {
            if let Some(status) = line.strip_prefix("+++ exited with ") {
                let status = status.trim_end_matches(" +++");
                *tally.entry(format!("end {argv} {status}")).or_default() += 1;
            } else if line.starts_with("+++ killed by ") {
                *tally.entry(format!("end {argv} signal")).or_default() += 1;
            } else if let Some(thing) = of_line(line, work) {
                if let Some(started) = thing.strip_prefix("exec ").and_then(|rest| rest.strip_suffix(" ok")) {
                    argv = started.to_owned();
                }
                *tally.entry(thing).or_default() += 1;
            }
        }
    }
    tally
}

/// One call of a trace in the words that facts are put into too.
fn of_line(line: &str, work: &Path) -> Option<String> {
    let (call, rest) = line.split_once('(')?;
    let result = match line.rsplit_once(" = ")?.1 {
        text if text.starts_with('-') => text.split_whitespace().nth(1)?.to_owned(),
        text if text.starts_with('?') => return None,
        _ => "ok".to_owned(),
    };
    let quoted: Vec<String> = rest.split('"').skip(1).step_by(2).map(|text| absolute(text, work)).collect();
    let text = match call {
        "execve" => {
            let from = rest.find('[')?;
            let to = rest.rfind("], 0x")?;
            format!("exec {} {result}", &rest[from..=to])
        }
        "open" | "openat" | "creat" => {
            let writes = call == "creat" || ["O_WRONLY", "O_RDWR"].iter().any(|flag| rest.contains(flag));
            let verb = if writes { "write" } else { "read" };
            if rest.contains("O_PATH") || is_of_a_process(&quoted[0]) {
                return None;
            }
            format!("{verb} {} {result}", quoted[0])
        }
        "unlink" => format!("unlink {} {result}", quoted[0]),
        "unlinkat" if rest.contains("AT_REMOVEDIR") => return None,
        "unlinkat" => format!("unlink {} {result}", quoted[0]),
        "rename" | "renameat" | "renameat2" => format!("rename {} {} {result}", quoted[0], quoted[1]),
        "connect" => format!("connect {} {result}", address(rest)?),
        _ => return None,
    };
    Some(text)
}

/// The address of a connect in strace's notation, as `host port` or a path.
fn address(rest: &str) -> Option<String> {
    let after = |mark: &str| rest.split_once(mark).map(|(_, after)| after);
    if let Some(path) = after("sun_path=\"") {
        return Some(path.split('"').next()?.to_owned());
    }
    let port: String = after("htons(")?.split(')').next()?.to_owned();
    let host = after("inet_addr(\"").or_else(|| after("inet_pton(AF_INET6, \""))?.split('"').next()?;
    Some(format!("{host} {port}"))
}

fn absolute(path: &str, work: &Path) -> String {
    if path.starts_with('/') { path.to_owned() } else { work.join(path).display().to_string() }
}

/// Paths below the folder of one process have its number in them.
fn is_of_a_process(path: &str) -> bool {
    path.strip_prefix("/proc/").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn of_facts(facts: &[Fact], work: &Path) -> Tally {
    let mut tally = Tally::new();
    let mut programs = BTreeMap::new();
    for fact in facts {
        let thing = match &fact.what {
            What::ProcessExec(exec) => {
                let argv: Vec<String> = exec.argv.iter().map(|word| format!("\"{}\"", word.lossy())).collect();
                let argv = format!("[{}]", argv.join(", "));
                if exec.result.succeeded() {
                    programs.insert(fact.process, argv.clone());
                }
                format!("exec {argv} {}", word(exec.result))
            }
            What::ProcessExited(exited) => {
                let argv = programs.get(&fact.process).map_or("fork", String::as_str);
                match exited.outcome {
                    Some(Outcome::Exited(status)) => format!("end {argv} {status}"),
                    _ => format!("end {argv} signal"),
                }
            }
            What::FileOpened(open) => {
                let verb = match open.access {
                    Access::Read => "read",
                    Access::Write | Access::ReadWrite => "write",
                    Access::Path => continue,
                };
                let path = open.given.as_ref().unwrap_or(&open.path);
                format!("{verb} {} {}", absolute(&path.lossy(), work), word(open.result))
            }
            What::FileChanged(change) => match (change.op, &change.path2) {
                (FileOp::Unlink, _) => format!("unlink {} {}", change.path.lossy(), word(change.result)),
                (FileOp::Rename, Some(to)) => {
                    format!("rename {} {} {}", change.path.lossy(), to.lossy(), word(change.result))
                }
                _ => continue,
            },
            What::Network(call) if call.op == NetworkOp::Connect => {
                let address = match &call.address {
                    agentprov_model::SocketAddress::Ip { ip, port } => format!("{ip} {port}"),
                    agentprov_model::SocketAddress::Unix { path, .. } => path.lossy().into_owned(),
                    other => format!("{other:?}"),
                };
                format!("connect {address} {}", word(call.result))
            }
            _ => continue,
        };
        *tally.entry(thing).or_default() += 1;
    }
    tally
}

fn word(result: CallResult) -> String {
    match result {
        CallResult::Ok(_) => "ok".to_owned(),
        CallResult::Errno(number) => errno::name(number).unwrap_or("?").to_owned(),
        CallResult::Unknown => "unknown".to_owned(),
    }
}
