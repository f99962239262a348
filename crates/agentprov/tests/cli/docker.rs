//! Real containers: what a client such as Docker's really says, when its containers really come up, and whose they are.

use crate::dockerd::{Daemon, IMAGE, Ran};
use crate::place::Place;
use crate::tool_calls::{Agent, call, quoted, undeclared};
use agentprov_model::{EventTime, GapKind, What};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// A started container, as its daemon tells.
struct Started {
    nanos: i64,
    name: String,
}

/// By whole id.
fn started(daemon: &Daemon) -> BTreeMap<String, Started> {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() + 1;
    let format = "{{.TimeNano}} {{.ID}} {{.Actor.Attributes.name}}";
    let until = now.to_string();
    let filters = ["--filter", "type=container", "--filter", "event=start"];
    let words = [&["events", "--since", "1", "--until", &until, "--format", format], &filters[..]].concat();
    let told = daemon.docker(&words).expect("the daemon's events");
    let parsed = told.lines().map(|line| {
        let mut parts = line.split(' ');
        let mut part = || parts.next().expect("time, id, name").to_owned();
        let (nanos, id, name) = (part().parse().expect("nanoseconds"), part(), part());
        (id, Started { nanos, name })
    });
    parsed.collect()
}

/// What a sensor gives of containers besides the id.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Sensor {
    /// Twelve characters of the id, and the name.
    Falco,
    /// The whole id, and nothing else.
    Bare,
}

/// What the sensor would have told of a program that ran.
fn row(number: usize, ran: &Ran, started: &BTreeMap<String, Started>, sensor: Sensor) -> String {
    let container = &started[&ran.container];
    let seen = ran.at.duration_since(UNIX_EPOCH).expect("a time");
    let seen = i64::try_from(seen.as_nanos()).expect("nanoseconds");
    let at = if ran.ns_pid == 1 && ran.words[0] == "sh" { container.nanos } else { seen };
    let program = ran.words[0].rsplit('/').next().expect("a name");
    let line = [&[program.to_owned()], &ran.words[1..]].concat().join(" ");
    let mut fields = json!({"evt.num": number, "evt.rawtime": at, "evt.type": "execve", "evt.res": "SUCCESS",
        "proc.pid": ran.pid, "proc.ppid": ran.ppid, "proc.name": program, "proc.cmdline": line,
        "proc.exepath": "/bin/busybox", "container.id": ran.container});
    if sensor == Sensor::Falco {
        fields["container.id"] = json!(&ran.container[..12]);
        fields["container.name"] = json!(container.name);
        fields["proc.vpid"] = json!(ran.ns_pid);
    }
    let row = json!({"hostname": "h1", "priority": "Informational", "rule": "activity", "source": "syscall",
        "time": EventTime::from_nanos(at).to_rfc3339(), "output_fields": fields});
    format!("{row}\n")
}

/// The container in which a program ran with this last word.
fn container_of<'r>(ran: &'r [Ran], script: &str) -> BTreeSet<&'r str> {
    let of_script = ran.iter().filter(|ran| ran.words.last().is_some_and(|word| word == script));
    of_script.map(|ran| ran.container.as_str()).collect()
}

fn only<'r>(ran: &'r [Ran], script: &str) -> &'r str {
    let found: Vec<&str> = container_of(ran, script).into_iter().collect();
    let [container] = found[..] else { panic!("one container ran {script}: {found:?} of {ran:#?}") };
    container
}

/// Containers of a call: id, state, rung, alternatives.
fn rows(document: &Value, id: &str) -> BTreeSet<String> {
    let rows = call(document, id)["containers"].as_array().cloned().unwrap_or_default();
    let row = |row: &Value| json!([row["container_id"], row["state"], row["rung"], row["alternatives"]]).to_string();
    rows.iter().map(row).collect()
}

fn bound(container: &str, rung: &str) -> BTreeSet<String> {
    BTreeSet::from([json!([&container[..12], "bound", rung, null]).to_string()])
}

/// Starts a container that is nobody's, once the agent has come to where that can be mistaken.
fn start_a_stranger(daemon: &Daemon, place: &Place) -> Result<String, String> {
    let limit = Instant::now() + Duration::from_secs(60);
    while !place.work().join("go").exists() {
        if Instant::now() > limit {
            return Err("the agent never came there".to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let script = "sleep 0.79; true";
    let done = daemon.docker(&["run", "--name", "stranger", "--network", "none", IMAGE, "sh", "-c", script]);
    place.write("up", "");
    done
}

/// Two calls at once.
fn both(agent: &mut Agent, calls: [(&str, String); 2]) {
    let inputs = calls.each_ref().map(|(_, command)| json!({"command": command}));
    for ((id, _), input) in calls.iter().zip(&inputs) {
        agent.pre(id, "Bash", input);
    }
    let [one, other] = calls.each_ref().map(|(_, command)| quoted(command));
    agent.line(&format!("bash -c {one} &\nbash -c {other} &\nwait"));
    for ((id, _), input) in calls.iter().zip(&inputs) {
        agent.post(id, "Bash", input);
    }
}

fn script(daemon: &Daemon) -> Agent {
    let mut agent = Agent::new();
    let run = |options: &str, script: &str| format!("docker run --network none {options} {IMAGE} sh -c '{script}'");
    agent.line(&daemon.surroundings()).says("SessionStart", json!({"source": "startup"}));
    agent.shell("t-named", &run("--rm --name builder", "sleep 0.71; true"));
    let path = daemon.client();
    let by_path = run("--rm --cidfile cid", "sleep 0.72; true").replacen("docker", &path, 1);
    agent.shell("t-path", &by_path);
    agent.shell("t-background", &run("-d --name service", "sleep 61; true"));
    let while_a_stranger_comes = "touch go; for n in $(seq 400); do [ -e up ] && break; sleep 0.05; done";
    agent.shell("t-enters", &format!("docker exec service sh -c 'sleep 3; true' & {while_a_stranger_comes}; wait"));
    agent.shell("t-id", "docker exec -t $(docker ps -q --filter name=service) sh -c 'sleep 0.74; true'");
    agent.shell("t-old", "docker exec old sh -c 'sleep 0.75; true'");
    agent.shell("t-detached", "docker exec --detach service sh -c 'sleep 0.8; true'");
    agent.place.write("image/Dockerfile", format!("FROM {IMAGE}\nRUN sleep 0.73; true\n"));
    agent.shell("t-builds", "DOCKER_BUILDKIT=0 docker build --quiet --network none image");
    agent.shell("t-looks", "docker logs service; docker ps; docker inspect service >/dev/null");
    both(&mut agent, [("t-left", run("--rm", "sleep 0.76; true")), ("t-right", run("--rm", "sleep 0.77; true"))]);
    let same = run("--rm", "sleep 0.78; true");
    both(&mut agent, [("t-one", format!(": one; {same}")), ("t-two", format!(": two; {same}"))]);
    agent.shell("t-stops", "docker stop --time 0 service");
    agent.says("SessionEnd", json!({"reason": "other"}));
    agent
}

#[test]
fn real_containers_belong_to_the_calls_whose_clients_started_them() {
    let test = "real_containers_belong_to_the_calls_whose_clients_started_them";
    let Some(daemon) = Daemon::started(test) else { return };
    let agent = script(&daemon);
    let watch = daemon.watched();
    let forever = "while :; do sleep 0.31; done";
    daemon.docker(&["run", "-d", "--name", "old", "--network", "none", IMAGE, "sh", "-c", forever]).expect("it starts");
    std::thread::sleep(Duration::from_millis(400));
    let recorded = std::thread::scope(|scope| {
        let stranger = scope.spawn(|| start_a_stranger(&daemon, &agent.place));
        let recorded = agent.record_with(&[]);
        stranger.join().expect("it ends").expect("a stranger");
        recorded
    });
    recorded.ok();
    let ran = watch.ran();
    let started = started(&daemon);
    let inspected = daemon.docker(&["inspect", "--format", "{{.Id}}", "service"]).expect("it is there");
    assert_eq!(only(&ran, "sleep 61; true"), inspected, "what was watched is what the daemon tells");
    assert_eq!(only(&ran, "sleep 0.72; true"), agent.place.read("cid"), "and what the client wrote");
    let bare = agent.place.root().join("bare");
    let copied = std::process::Command::new("cp").arg("-a").arg(agent.place.data_dir()).arg(&bare).status();
    assert!(copied.expect("cp runs").success(), "a second store");

    for sensor in [Sensor::Falco, Sensor::Bare] {
        let text: String = ran.iter().enumerate().map(|(number, ran)| row(number, ran, &started, sensor)).collect();
        let file = agent.place.write("rows.jsonl", text).display().to_string();
        let store = if sensor == Sensor::Falco { agent.place.data_dir() } else { bare.clone() };
        let store = store.display().to_string();
        let of_store = ["--data-dir", &store];
        let ingest = ["telemetry", "ingest-jsonl", "--json", "--file", &file, "--run", "r1"];
        let taken = agent.place.run([&ingest[..], &of_store].concat()).ok().json();
        assert_eq!(taken["failed"], 0, "{taken:#}");
        let document = agent.place.run([&["reconcile", "r1", "--json"][..], &of_store].concat()).ok().json();
        judge(&document, &ran, sensor);
    }
}

fn judge(document: &Value, ran: &[Ran], sensor: Sensor) {
    // A sensor that tells no names leaves what a name would have said to the client's time and command.
    let by_name = if sensor == Sensor::Falco { "container" } else { "container_window" };
    let service = only(ran, "sleep 61; true");
    let wanted = [
        ("t-named", only(ran, "sleep 0.71; true"), by_name),
        ("t-path", only(ran, "sleep 0.72; true"), "container_window"),
        ("t-background", service, by_name),
        ("t-enters", service, "container"),
        ("t-id", service, "container"),
        ("t-old", only(ran, "sleep 0.75; true"), by_name),
        ("t-detached", service, "container"),
        ("t-builds", only(ran, "sleep 0.73; true"), "container_window"),
        ("t-left", only(ran, "sleep 0.76; true"), "container_window"),
        ("t-right", only(ran, "sleep 0.77; true"), "container_window"),
    ];
    for (id, container, rung) in wanted {
        assert_eq!(rows(document, id), bound(container, rung), "{sensor:?}, {id}: {document:#}");
    }
    let same = container_of(ran, "sleep 0.78; true");
    assert_eq!(same.len(), 2, "{ran:#?}");
    for (id, other) in [("t-one", "t-two"), ("t-two", "t-one")] {
        let row = |id: &&str| json!([&id[..12], "ambiguous", "container_window", [other]]).to_string();
        assert_eq!(rows(document, id), same.iter().map(row).collect(), "{sensor:?}, {id}: {document:#}");
    }
    for id in ["t-looks", "t-stops"] {
        assert_eq!(rows(document, id), BTreeSet::new(), "{sensor:?}, {id}: {document:#}");
    }
    let entered = &call(document, "t-enters")["containers"][0];
    let deeds = entered["deeds"].to_string();
    assert!(deeds.contains("sleep 3") && !deeds.contains("sleep 61"), "{sensor:?}: only what it ran there: {deeds}");
    let nobodys = undeclared(document).into_iter().filter(|(kind, _)| kind == "container").map(|(_, what)| what);
    let nobodys: Vec<String> = nobodys.collect();
    let stranger = only(ran, "sleep 0.79; true");
    let [what] = &nobodys[..] else { panic!("{sensor:?}: one container is nobody's: {nobodys:?}") };
    assert!(what.starts_with(&format!("container {},", &stranger[..12])), "{sensor:?}: {what}, not {stranger}");
}

#[test]
fn a_recording_tells_that_dockers_client_has_work_done_outside() {
    let test = "a_recording_tells_that_dockers_client_has_work_done_outside";
    let Some(daemon) = Daemon::started(test) else { return };
    let place = Place::new();
    let host = format!("unix://{}", daemon.socket().display());
    let client = daemon.client();
    let words = ["record", "--quiet", "--run", "r1", "--", &client, "--host", &host, "run", "--rm", "--network"];
    let said = place.run([&words[..], &["none", IMAGE, "sh", "-c", "echo inside; exit 7"]].concat());
    assert_eq!((said.status, said.stdout.as_str()), (7, "inside\n"), "{}", said.stderr);
    let gaps: Vec<_> = place
        .facts("r1")
        .into_iter()
        .filter_map(|fact| match fact.what {
            What::Gap(gap) if gap.kind == GapKind::DelegatedWork => Some(gap.detail),
            _ => None,
        })
        .collect();
    let [gap] = &gaps[..] else { panic!("told once: {gaps:?}") };
    assert!(gap.contains("docker"), "{gap}");
    let document = place.run(["observe", "coverage", "--run", "r1", "--json"]).ok().json();
    assert!(document.to_string().contains("delegated_work"), "{document:#}");
}
