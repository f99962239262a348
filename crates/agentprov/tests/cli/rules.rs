//! Rules that judge a recording: detect only records, enforce acts, and both are told apart.

use crate::place::{Place, Said};
use serde_json::Value;
use std::net::TcpListener;

/// Connects to a port and says how that went.
const CONNECT: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" && echo connected || echo refused"#;

fn responses(place: &Place, run: &str) -> Vec<Value> {
    let document = place.run(["security", "responses", "--run", run, "--json"]).ok().json();
    document["responses"].as_array().expect("a list").iter().map(|item| item["response"].clone()).collect()
}

fn record(place: &Place, run: &str, mode: &str, command: &[&str]) -> Said {
    let head = ["record", "-q", "--run", run, "--rules", "../rules.yaml", "--mode", mode, "--"];
    place.run(head.iter().chain(command).copied())
}

#[test]
fn a_deny_stops_the_connection_and_detect_only_records_it() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let rules = format!("rules:\n  - id: no_port\n    match: {{class: loopback, port: {port}}}\n    decision: deny\n");
    std::fs::write(place.root().join("rules.yaml"), rules).expect("a rule file");
    let command = ["bash", "-c", CONNECT, "bash", &port];

    assert_eq!(record(&place, "detect", "detect", &command).ok().stdout, "connected\n");
    listener.accept().expect("the connection was made");
    assert_eq!(record(&place, "enforce", "enforce", &command).stdout, "refused\n");
    listener.set_nonblocking(true).expect("a listener");
    assert!(listener.accept().is_err(), "a denied connection was made");

    let [detected] = &responses(&place, "detect")[..] else { panic!("one response") };
    assert_eq!((&detected["action_type"], &detected["status"]), (&"audit".into(), &"recorded".into()));
    let [denied] = &responses(&place, "enforce")[..] else { panic!("one response") };
    assert_eq!((&denied["action_type"], &denied["state"]), (&"deny".into(), &"confirmed".into()));
    for (run, decision) in [("detect", "audit"), ("enforce", "deny")] {
        let document = place.run(["policy", "decisions", run, "--json"]).ok().json();
        let row = &document["decisions"][0];
        assert_eq!((&row["decision"], &row["intended"], &row["mode"]), (&decision.into(), &"deny".into(), &run.into()));
        place.run(["verify", run]).ok();
    }
}

#[test]
fn a_deny_stops_the_write_of_authorized_keys_and_detect_only_records_it() {
    let place = Place::new();
    let rules = "rules:\n  - id: keys\n    match: {path: .ssh/authorized_keys, access: write}\n    decision: deny\n";
    std::fs::write(place.root().join("rules.yaml"), rules).expect("a rule file");
    let home = place.root().join("person");
    std::fs::create_dir_all(home.join(".ssh")).expect("a folder");
    let keys = home.join(".ssh/authorized_keys");
    let script = "export HOME=$1; echo note >made; if echo key >>~/.ssh/authorized_keys; then echo written; else echo refused; fi";
    let command = ["sh", "-c", script, "sh", home.to_str().expect("text")];
    for (run, said, intended) in [("detect", "written\n", "audit"), ("enforce", "refused\n", "deny")] {
        std::fs::write(&keys, "before\n").expect("a file");
        let _first_time = std::fs::remove_file(place.work().join("made"));
        assert_eq!(record(&place, run, run, &command).ok().stdout, said);
        let expected = if run == "detect" { "before\nkey\n" } else { "before\n" };
        assert_eq!(std::fs::read_to_string(&keys).expect("a file"), expected, "{run}");
        assert_eq!(std::fs::read_to_string(place.work().join("made")).expect("a file"), "note\n");

        let [response] = &responses(&place, run)[..] else { panic!("one response") };
        let (action, state) = if run == "detect" { ("audit", "recorded") } else { ("deny", "confirmed") };
        assert_eq!(response["action_type"], action);
        let field = if run == "detect" { "status" } else { "state" };
        assert_eq!(response[field], state);
        let document = place.run(["policy", "decisions", run, "--json"]).ok().json();
        let row = &document["decisions"][0];
        assert_eq!((&row["decision"], &row["intended"], &row["mode"]), (&intended.into(), &"deny".into(), &run.into()));
        let timeline = place.run(["timeline", run]).ok().stdout;
        assert_eq!(timeline.contains("EPERM"), run == "enforce", "{timeline}");
        // What was allowed has its versions as in any recording.
        let blame = place.run(["blame", "made", "--run", run]).ok().stdout;
        assert!(blame.contains("sh"), "{blame}");
        place.run(["verify", run]).ok();
    }
}

#[test]
fn a_kill_ends_the_process_that_read_the_secret() {
    let place = Place::new();
    std::fs::write(place.work().join(".env"), "A=b\n").expect("a file");
    std::fs::write(
        place.root().join("rules.yaml"),
        "rules:\n  - id: secret\n    match: {class: secret, access: read}\n    decision: kill\n",
    )
    .expect("a rule file");
    let script = "read -r line <.env; sleep 3; echo survived";
    let said = record(&place, "kill", "enforce", &["sh", "-c", script]);
    assert_eq!((said.status, said.stdout.as_str()), (137, ""), "{}", said.stderr);
    let [killed] = &responses(&place, "kill")[..] else { panic!("one response") };
    assert_eq!((&killed["action_type"], &killed["state"]), (&"kill".into(), &"confirmed".into()));
    let risks = place.run(["security", "risks", "--run", "kill", "--json"]).ok().json();
    assert_eq!((&risks["count"], &risks["judging"]["state"]), (&1.into(), &"judged".into()));
    place.run(["verify", "kill"]).ok();
}

#[test]
fn a_quarantine_stops_the_tree_and_says_how_to_go_on() {
    use std::io::{BufRead, BufReader};
    let place = Place::new();
    std::fs::write(place.work().join("bait"), "x").expect("a file");
    let rules = "rules:\n  - id: bait\n    match: {path: bait, access: read}\n    decision: quarantine\n";
    std::fs::write(place.root().join("rules.yaml"), rules).expect("a rule file");
    // Bounded, should nothing stop it.
    let script = "read -r line <bait; i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done; echo survived";
    for (run, quoted, status) in [("on", 1, 0), ("end", 3, 137)] {
        let mut command =
            place.command(["record", "-q", "--run", run, "--rules", "../rules.yaml", "--mode", "enforce"]);
        command.args(["--", "sh", "-c", if run == "on" { "read -r line <bait; sleep 1; echo on" } else { script }]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut recording = command.spawn().expect("it starts");
        let said = BufReader::new(recording.stderr.take().expect("piped"));
        let told = said.lines().map_while(Result::ok).find(|line| line.contains("quarantined and waits"));
        let told = told.expect("the user is told");
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(recording.try_wait().expect("it can be asked").is_none(), "it waits");
        let [confirmed] = &responses(&place, run)[..] else { panic!("one response") };
        assert_eq!((&confirmed["action_type"], &confirmed["state"]), (&"quarantine".into(), &"confirmed".into()));

        // Where the command has a cgroup of its own, that is what stands still.
        let timeline = place.run(["timeline", "--run", run, "--json"]).ok().stdout;
        assert_eq!(told.contains("reports frozen 1"), timeline.contains("\"cgroup_id\": "), "{told}\n{timeline}");
        let way = told.split('\'').nth(quoted).expect("a command between quotes");
        assert!(std::process::Command::new("sh").args(["-c", way]).status().expect("it runs").success(), "{way}");
        let output = recording.wait_with_output().expect("it ends");
        assert_eq!(Said::of(&output).status, status, "{told}");
        assert_eq!(Said::of(&output).stdout, if run == "on" { "on\n" } else { "" });
        place.run(["verify", run]).ok();
    }
}

/// Takes one request, answers with the status, gives back head and body.
fn receive(listener: &TcpListener, status: u16) -> (String, String) {
    use std::io::{BufRead, BufReader, Read, Write};
    let (mut stream, _) = listener.accept().expect("a request");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("a timeout");
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "the request ends early: {head}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("a body");
    write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n").expect("an answer");
    (head, String::from_utf8(body).expect("text"))
}

/// One response of a run by its kind: state and evidence.
fn ended(place: &Place, run: &str, kind: &str) -> (String, String) {
    let found = responses(place, run).into_iter().find(|response| response["action_type"] == kind);
    let response = found.unwrap_or_else(|| panic!("no {kind} in {run}"));
    (response["state"].as_str().expect("a state").to_owned(), response["evidence"].to_string())
}

#[test]
fn notices_are_delivered_or_kept_and_exports_and_taints_happen() {
    let place = Place::new();
    let rules = "rules:\n\
                 - id: bait\n  match: {path: bait, access: write}\n  decision: audit\n  response: [notify, export, taint]\n\
                 - id: after\n  match: {path: later, tainted: true}\n  decision: audit\n  response: audit\n";
    std::fs::write(place.root().join("rules.yaml"), rules).expect("a rule file");
    std::fs::write(place.root().join("key"), "shared key\n").expect("a key");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let record = |run: &str| {
        let head = ["record", "-q", "--run", run, "--rules", "../rules.yaml", "--mode", "enforce", "--webhook", &url];
        let tail = ["--webhook-key", "../key", "--", "sh", "-c", "echo x >bait; echo y >later"];
        place.run(head.into_iter().chain(tail)).ok();
    };
    for (run, answers) in [("taken", &[503, 200][..]), ("refused", &[500, 500, 500])] {
        let requests: Vec<_> = std::thread::scope(|scope| {
            let server = scope.spawn(|| answers.iter().map(|status| receive(&listener, *status)).collect());
            record(run);
            server.join().expect("the server ends")
        });
        for (head, body) in &requests {
            let signature = agentprov_policy::respond::hmac_sha256(b"shared key", body.as_bytes());
            let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(head.contains(&format!("X-Agentprov-Signature: sha256={hex}\r\n")), "{head}");
            assert_eq!(serde_json::from_str::<Value>(body).expect("JSON")["rule_id"], "bait");
        }
        let (state, evidence) = ended(&place, run, "notify");
        let folder = std::fs::read_dir(place.data_dir().join("responses")).expect("a folder");
        let letters: Vec<String> = folder
            .flat_map(|attempt| std::fs::read_dir(attempt.expect("a folder").path().join("dead-letters")).into_iter())
            .flatten()
            .map(|letter| std::fs::read_to_string(letter.expect("a file").path()).expect("text"))
            .collect();
        match run {
            "taken" => assert_eq!((state.as_str(), letters.len()), ("confirmed", 0), "{evidence}"),
            _ => assert_eq!((state.as_str(), &letters), ("failed", &vec![requests[0].1.clone()]), "{evidence}"),
        }
        let (state, evidence) = ended(&place, run, "export");
        assert_eq!(state, "confirmed");
        let path = evidence.trim_start_matches('"').split(" written").next().expect("a path").to_owned();
        assert!(std::fs::read_to_string(place.work().join(path)).expect("the export").contains("\"bait\""));
        assert_eq!(ended(&place, run, "taint").0, "confirmed");
        let risks = place.run(["security", "risks", "--run", run, "--json"]).ok().stdout;
        assert!(risks.contains("\"after\""), "what the tainted process did next: {risks}");
    }
}

#[test]
fn the_summary_of_a_recording_names_the_risks_that_rules_raised() {
    let place = Place::new();
    std::fs::write(place.root().join("rules.yaml"), "id: no_touch\nmatch: {path: marked}\ndecision: deny\n")
        .expect("a rule file");
    let summary =
        |command: &str| place.run(["record", "--rules", "../rules.yaml", "--", "sh", "-c", command]).ok().stderr;
    assert!(summary("echo x >marked").lines().any(|line| line == "risk=1 medium"));
    assert!(!summary("echo x >other").contains("risk="), "no risk, no line");
    assert!(place.run(["policy", "lint", "default"]).stderr.contains("the built-in rules (default) are no file"));
}

#[test]
fn what_was_not_judged_is_not_called_clean() {
    let place = Place::new();
    place.record("plain", "true").ok();
    let risks = place.run(["security", "risks", "--run", "plain", "--json"]).ok().json();
    assert_eq!((&risks["count"], &risks["judging"]["state"]), (&0.into(), &"not_judged".into()));
    let deviations = place.run(["security", "deviations", "plain"]).ok();
    assert_eq!(deviations.stdout, "no baseline learned\n");
}

#[test]
fn mistakes_in_rules_are_found_before_the_command_runs() {
    let place = Place::new();
    std::fs::write(place.root().join("rules.yaml"), "rules:\n  - id: a\n    match: {x: 1}\n    decision: deny\n")
        .expect("a rule file");
    let said = record(&place, "r", "detect", &["touch", "ran"]);
    assert_ne!(said.status, 0);
    assert!(said.stderr.contains("rules.yaml:3:13: error: unknown key 'x' in match"), "{}", said.stderr);
    assert!(!place.work().join("ran").exists());
    let lint = place.run(["policy", "lint", "../rules.yaml"]);
    assert_eq!(lint.status, 1);
    assert!(lint.stdout.contains("unknown key 'x'"), "{}", lint.stdout);
    let place = Place::new();
    std::fs::write(
        place.root().join("events.jsonl"),
        "{\"event_type\":\"execve\",\"args\":[\"pip\",\"install\",\"x\"]}\n",
    )
    .expect("events");
    let said = place.run(["policy", "test", "../events.jsonl"]).ok();
    assert!(said.stdout.starts_with(r#"{"decision":"audit","event":{"#), "{}", said.stdout);
    assert!(!place.data_dir().exists(), "a trial makes no store");
}
