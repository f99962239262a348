//! Containers that sensors told of, held against the calls whose clients may have started them.

use crate::place::has;
use crate::tool_calls::{Agent, call, quoted, undeclared};
use agentprov_graph::{ProcessTable, ToolCalls};
use agentprov_model::EventTime;
use serde_json::{Value, json};
use std::process::Command;

const RUN_BY_NAME: &str = "0123456789ab";
const RUN_IN_WINDOW: &str = "aaaaaaaaaaaa";
const OF_TWO: &str = "bbbbbbbbbbbb";
const TOLD: &str = "cccccccccccc";
const NOBODYS: &str = "dddddddddddd";
const PID_USED_AGAIN: &str = "ffffffffffff";

/// A program of that name which takes a while: what it is asked for, a daemon would do.
fn client(words: &str) -> String {
    format!("./docker -c 'sleep 0.5' {words}")
}

/// One that ends no sooner than another, which is as patient.
fn patient(own: &str, other: &str) -> String {
    let wait = |name: &str| format!("for n in $(seq 400); do [ -e {name} ] && break; sleep 0.05; done");
    let script =
        format!("echo >{own}; {}; sleep 0.5; echo >{own}.over; {}", wait(other), wait(&format!("{other}.over")));
    format!("./docker -c '{script}' run {own}")
}

/// What a sensor tells of a program that ran in a container, a moment after an event of the recording.
fn seen(container: &str, after: EventTime, pid: u32, program: &str) -> String {
    let at = after.as_nanos() + 150_000_000;
    let row = json!({"hostname": "h1", "priority": "Informational", "rule": "activity", "source": "syscall",
        "time": EventTime::from_nanos(at).to_rfc3339(),
        "output_fields": {"evt.num": pid, "evt.rawtime": at, "proc.pid": pid, "proc.ppid": 1, "proc.name": program,
            "container.id": container, "evt.type": "execve", "evt.res": "SUCCESS",
            "proc.cmdline": format!("{program} inside"), "proc.exepath": format!("/usr/bin/{program}")}});
    format!("{row}\n")
}

/// Who a container belongs to, on what rung.
fn rung(document: &Value, id: &str, container: &str) -> Value {
    let rows = call(document, id)["containers"].as_array().cloned().unwrap_or_default();
    let row = rows.into_iter().find(|row| row["container_id"] == container).unwrap_or_default();
    json!([row["state"], row["rung"], row["alternatives"]])
}

#[test]
fn what_happens_in_containers_stands_with_the_call_that_started_them() {
    if !has("what_happens_in_containers_stands_with_the_call_that_started_them", "bash") {
        return;
    }
    let mut agent = Agent::new();
    let mut copy = Command::new("sh");
    copy.args(["-c", "cp \"$(command -v bash)\" docker"]).current_dir(agent.place.work());
    assert!(copy.status().expect("it runs").success(), "a client");
    agent.says("SessionStart", json!({"source": "startup"}));
    agent.shell("t-named", &client(&format!("exec {RUN_BY_NAME} make")));
    agent.shell("t-runs", &client("run image"));
    agent.shell("t-asks", &client("ps"));
    agent.shell("t-two", &format!("{} & {} & wait", client("run one"), client("run two")));
    let (this, that) = (patient("this", "that"), patient("that", "this"));
    let (one, other) = (json!({"command": this}), json!({"command": that}));
    agent.pre("t-this", "Bash", &one).pre("t-that", "Bash", &other);
    agent.line(&format!("bash -c {} &\nbash -c {} &\nwait", quoted(&this), quoted(&that)));
    agent.post("t-this", "Bash", &one).post("t-that", "Bash", &other);
    agent.record_with(&[]).ok();
    let reader = agent.place.reader();
    let row = reader.run(&"r1".parse().expect("a name")).expect("it answers").expect("it is there");
    let processes = ProcessTable::load(&reader, &row).expect("processes");
    let calls = ToolCalls::load(&reader, &row, &processes).expect("calls");
    // When the client of a call began.
    let start = |id: &str| {
        let (no, _) = calls.find(id).expect("a call");
        calls.processes_of(no, &processes).map(|(process, _)| process.started_at).min().expect("a process")
    };
    // A pid of the recording: the container in which the agent itself lives.
    let own = processes.iter().next().expect("a process").started.pid;
    let mut rows = String::new();
    rows.push_str(&seen(RUN_BY_NAME, start("t-named"), 4_200_001, "make"));
    rows.push_str(&seen(RUN_IN_WINDOW, start("t-runs"), 4_200_002, "sh"));
    rows.push_str(&seen(RUN_IN_WINDOW, start("t-two"), 4_200_003, "curl"));
    rows.push_str(&seen(OF_TWO, start("t-this").max(start("t-that")), 4_200_004, "sh"));
    rows.push_str(&seen(TOLD, start("t-asks"), 4_200_005, "sh"));
    rows.push_str(&seen(NOBODYS, start("t-asks"), 4_200_006, "sh"));
    // A pid of the recording, whose process is long over.
    let (named, _) = calls.find("t-named").expect("a call");
    let (over, _) = calls.processes_of(named, &processes).next().expect("a process");
    rows.push_str(&seen(PID_USED_AGAIN, start("t-this").max(start("t-that")), over.started.pid, "sh"));
    rows.push_str(&seen("eeeeeeeeeeee", start("t-asks"), own, "sh"));
    agent
        .place
        .run([
            "telemetry",
            "bind",
            "--run",
            "r1",
            "--tool-call",
            "t-asks",
            "--container-id",
            TOLD,
            "--started-at",
            "2020-01-01T00:00:00Z",
        ])
        .ok();
    let told = rows.lines().filter(|line| line.contains(TOLD)).map(|line| format!("{line}\n")).collect::<String>();
    agent.place.ingest(&told, &[]);
    let others: String = rows.lines().filter(|line| !line.contains(TOLD)).map(|line| format!("{line}\n")).collect();
    agent.place.ingest(&others, &["--run", "r1"]);
    let document = agent.place.run(["reconcile", "r1", "--json"]).ok().json();
    assert_eq!(rung(&document, "t-named", RUN_BY_NAME), json!(["bound", "container", null]), "{document:#}");
    assert_eq!(rung(&document, "t-runs", RUN_IN_WINDOW), json!(["bound", "container_window", null]), "{document:#}");
    assert_eq!(rung(&document, "t-asks", TOLD), json!(["bound", "container", null]), "{document:#}");
    for (id, alternative) in [("t-this", "t-that"), ("t-that", "t-this")] {
        for container in [OF_TWO, PID_USED_AGAIN] {
            let found = rung(&document, id, container);
            assert_eq!(found, json!(["ambiguous", "container_window", [alternative]]), "{document:#}");
        }
    }
    let container = &call(&document, "t-runs")["containers"][0];
    assert_eq!(container["events"], 2, "what it does later is the call's as well: {container:#}");
    assert_eq!(call(&document, "t-two")["containers"], Value::Null, "{document:#}");
    let nobodys: Vec<_> = undeclared(&document).into_iter().filter(|(kind, _)| kind == "container").collect();
    assert_eq!(nobodys, [("container".to_owned(), format!("container {NOBODYS}, 1 events"))], "{document:#}");
    let text = agent.place.run(["reconcile", "r1"]).stdout;
    assert!(text.contains(&format!("had container {RUN_IN_WINDOW}, 2 events")), "{text}");
}
