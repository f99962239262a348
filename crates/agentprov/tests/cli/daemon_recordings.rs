//! What was recorded, asked of a daemon: the same bytes as from the store itself.

use crate::place::{Place, Said};
use crate::service::Daemon;
use serde_json::Value;
use std::process::Command;

/// Two runs: one that changes files, and one that fails.
fn recorded() -> Place {
    let place = Place::with_git(&[("a.txt", "one\n"), (".gitignore", ".agentprov/\n")]);
    place.record("first", "echo two >> a.txt; echo made > 'b c.txt'; cat a.txt > /dev/null").ok();
    let said = place.record("second", "exit 3");
    assert_eq!(said.status, 3, "{}", said.stderr);
    place
}

fn over_http(place: &Place, daemon: &Daemon, arguments: &[&str]) -> Said {
    let mut command = place.command(arguments);
    command.env("AGENTPROV_DAEMON_URL", format!("http://{}", daemon.address));
    command.env("AGENTPROV_DAEMON_TOKEN", &daemon.token);
    Said::of(&command.output().expect("the program runs"))
}

#[test]
fn commands_print_the_same_from_a_daemon() {
    let place = recorded();
    let daemon = Daemon::start(&place);
    let events = place.run(["telemetry", "list", "--run", "first", "--json"]).ok().json();
    let event = events["events"][0]["id"].as_str().expect("an event").to_owned();
    let paged = place.run(["timeline", "--run", "first", "--limit", "2", "--json"]).ok().json();
    let cursor = paged["next_cursor"].as_str().expect("more pages").to_owned();
    for arguments in [
        &["runs"][..],
        &["runs", "--all"],
        &["show", "first"],
        &["show"],
        &["show", "b c.txt", "--run", "first"],
        &["timeline", "--run", "first"],
        &["timeline", "second"],
        &["timeline", "--run", "first", "--type", "file_write", "--view", "causality"],
        &["timeline", "--run", "first", "--limit", "2", "--cursor", &cursor],
        &["telemetry", "list", "--run", "first", "--limit", "-1"],
        &["telemetry", "list", "--run", "first", "--type", "execve", "--limit", "1"],
        &["telemetry", "windows", "--run", "first", "--window", "60"],
        &["telemetry", "windows"],
        &["telemetry", "correlations", "--event", &event],
        &["graph", "verify", "--run", "first"],
        &["graph", "explain", "--run", "first", "--file", "a.txt"],
        &["graph", "explain", "--event", &event, "--depth", "1", "--limit", "3"],
        &["graph", "diff", "--run", "first"],
        &["graph", "diff", "--run", "first", "--file", "b c.txt"],
        &["graph", "blame", "--run", "first", "--file", "a.txt"],
        &["security", "risks"],
        &["security", "responses", "--run", "first"],
        &["security", "deviations"],
        &["observe", "summary", "--run", "first", "--top", "2"],
    ] {
        let arguments = [arguments, &["--json"]].concat();
        let here = place.run(&arguments);
        let there = over_http(&place, &daemon, &arguments);
        assert_eq!(here.status, 0, "{arguments:?}: {}", here.stderr);
        assert!(here.stdout.len() > 20 && here.json().is_object(), "{arguments:?}: {}", here.stdout);
        assert_eq!((there.status, &there.stdout), (0, &here.stdout), "{arguments:?}: {}", there.stderr);
    }
    let manifest = daemon.get("/v1/evidence/manifest?run=first").1;
    let here: Value = place.run(["evidence", "manifest", "--run", "first", "--json"]).ok().json();
    assert_eq!(manifest["manifest"], here);
}

#[test]
fn what_a_daemon_does_not_give_is_said() {
    let place = recorded();
    let daemon = Daemon::start(&place);
    for (arguments, status, why) in [
        (&["timeline", "--run", "none", "--json"][..], 1, "no run 'none'"),
        (&["timeline", "--run", "first", "--cursor", "x|y", "--json"], 2, "422"),
        (&["timeline", "--run", "first"], 2, "add --json"),
        (&["du", "--json"], 2, "local store only"),
        (&["record", "--", "true"], 125, "local store only"),
    ] {
        let said = over_http(&place, &daemon, arguments);
        assert!(said.status == status && said.stderr.contains(why), "{arguments:?}: {} {}", said.status, said.stderr);
        assert_eq!(said.stdout, "", "{arguments:?}");
    }
    let mut stranger = place.command(["runs", "--json", "--daemon-url", &format!("http://{}", daemon.address)]);
    let said = Said::of(&stranger.env_remove("AGENTPROV_DAEMON_TOKEN").output().expect("the program runs"));
    assert!(said.status == 1 && said.stderr.contains("AGENTPROV_DAEMON_TOKEN"), "{}", said.stderr);
    let mut exposed = place.command(["runs", "--json", "--daemon-url", "http://daemon.example"]);
    let said = Said::of(&exposed.env("AGENTPROV_DAEMON_TOKEN", "secret").output().expect("the program runs"));
    assert!(said.status == 2 && said.stderr.contains("plain text"), "{}", said.stderr);
}

#[test]
fn altered_evidence_fails_over_http_too() {
    let place = recorded();
    let daemon = Daemon::start(&place);
    let alter = "UPDATE fact SET body = replace(body, 'sh', 'zh') WHERE pos = (SELECT no << 40 FROM run WHERE id = 'first') + 3";
    let altered = Command::new("sqlite3").arg(place.data_dir().join("store.db")).arg(alter).status();
    assert!(altered.expect("sqlite3 runs").success());
    let arguments = ["graph", "verify", "--run", "first", "--json"];
    let (here, there) = (place.run(arguments), over_http(&place, &daemon, &arguments));
    assert_eq!((there.status, &there.stdout), (here.status, &here.stdout), "{}", there.stderr);
    assert_ne!(there.status, 0);
}
